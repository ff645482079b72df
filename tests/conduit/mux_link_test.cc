#include <algorithm>
#include <string>
#include <vector>

#include "mux/link.h"
#include "podkit/conduit/testing/byte_pump.h"
#include "podkit/conduit/testing/manual_scheduler.h"
#include "tests/conduit/mux_pair.h"

namespace podkit::conduit::internal {
namespace {

using testing::BytePump;

// What happened on one side.
struct Side {
  std::vector<std::string> events;
  std::vector<std::shared_ptr<IncomingCall>> held;  // Calls that the test answers itself.
  bool answer = true;
  std::shared_ptr<MuxLink> link;

  MuxLinkHandlers handlers() {
    return {.on_connected =
                [this](const MuxPeer& peer) {
                  events.push_back("connected " + peer.pod->id + " " + peer.host_name);
                },
            .on_call =
                [this](std::shared_ptr<IncomingCall> call) {
                  if (!answer) return held.push_back(std::move(call));
                  call->Reply({.content_type = "application/json",
                               .body = call->caller()->id + ":" + call->request().body});
                },
            .on_going_away = [this](GoAwayReason, absl::Duration) { events.push_back("going"); },
            .on_closed =
                [this](const absl::Status& why) {
                  events.push_back("closed " + std::string(absl::StatusCodeToString(why.code())));
                }};
  }
  uint64_t Call(std::string body) {
    return link->Start(
        {.content_type = "application/json", .body = std::move(body)},
        [this](absl::StatusOr<WireReply> reply) {
          events.push_back(reply.ok() ? std::to_string(reply->status) + " " + reply->body
                                      : std::string(OutcomeName(OutcomeOf(reply.status()))));
        });
  }
  std::vector<std::string> Take() { return std::exchange(events, {}); }
};

using Strings = std::vector<std::string>;

struct LinkBed {
  explicit LinkBed(uint64_t seed = 1, const MuxOptions& options = {},
                   std::vector<std::string> keys_of_b = {kPairKey})
      : pump(&*scheduler, seed) {
    const auto config = [&](HandshakeConfig identity, Side& side) {
      return MuxLinkConfig{.identity = std::move(identity),
                           .options = options,
                           .scheduler = scheduler,
                           .handlers = side.handlers()};
    };
    HandshakeConfig of_a = IdentityOf("A");
    const auto target = of_a.pods->Find("B");
    a.link = MuxLink::Dial(pump.stream(BytePump::kA), target, config(std::move(of_a), a));
    b.link = MuxLink::Accept(pump.stream(BytePump::kB),
                             config(IdentityOf("B", std::move(keys_of_b)), b));
    pump.Attach(BytePump::kA, a.link);
    pump.Attach(BytePump::kB, b.link);
  }
  LinkBed& Connect() {
    pump.Pump();
    REQUIRE(a.Take() == Strings{"connected B host-of-B"});
    REQUIRE(b.Take() == Strings{"connected A host-of-A"});
    return *this;
  }

  std::shared_ptr<testing::ManualScheduler> scheduler =
      std::make_shared<testing::ManualScheduler>();
  BytePump pump;
  Side a;
  Side b;
};

TEST_CASE("Both ends of a link call each other", "[mux][link]") {
  LinkBed bed;
  bed.Connect();
  CHECK(bed.a.Call("x") == 1);
  CHECK(bed.b.Call("y") == 2);
  bed.pump.Pump();
  CHECK(bed.a.Take() == Strings{"200 A:x"});
  CHECK(bed.b.Take() == Strings{"200 B:y"});
  CHECK(bed.a.link->calls_out() == 0);
}

}  // namespace
}  // namespace podkit::conduit::internal
