#include <string>
#include <vector>

#include "cheese.h"
#include "envelope.h"
#include "held_transport.h"
#include "mux_bed.h"
#include "tests/support/catch.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using Fault = InProcessNetwork::Fault;

absl::StatusOr<EatCheez::Response> Answer(const CallContext&, const EatCheez::Arguments&) {
  return EatCheez::Response{.rating = 5};
}

int64_t Received(const Conduit& conduit, std::string_view command) {
  for (const CommandStats& one : conduit.Stats()) {
    if (one.command == command) return one.received.calls;
  }
  return 0;
}

// Pod B with two hosts, each a server of its own, behind an in-process network.
struct TwoHosts {
  podkit::testing::FakeClock clock;
  InProcessNetwork network;
  Conduit a{PodsOf("A"), &network, ConduitOptions{.now = clock.function()}};
  Conduit b1{PodsOf("B"), &network, ConduitOptions{.version = "1.1", .now = clock.function()}};
  Conduit b2{PodsOf("B"), &network, ConduitOptions{.version = "1.2", .now = clock.function()}};

  TwoHosts() {
    network.ConnectHost("B", "b1",
                        [this](const WireRequest& request) { return b1.Receive(request); });
    network.ConnectHost("B", "b2",
                        [this](const WireRequest& request) { return b2.Receive(request); });
  }
};

}  // namespace

TEMPLATE_TEST_CASE("A call that the other pod cannot serve fails before it is sent",
                   "[conduit][meeting]", InProcessBed, HttpBed, MuxBed) {
  TestType bed(ConduitOptions{.version = "7.1"});
  const absl::Status status = bed.a.template Call<EatCheez>("B", {.name = "brie"}).status();
  CHECK(OutcomeOf(status) == Outcome::kNotImplemented);
  CHECK(status.message() ==
        "pod 'B' (version 7.1) does not know 'eat-cheez', which exists since version 3: update "
        "that pod");
  CHECK(GetError<UnknownAction>(status)->version == "7.1");
  CHECK(Received(bed.b, "hello") == 1);
  CHECK_FALSE(bed.log_b.Contain("eat-cheez"));
}

TEMPLATE_TEST_CASE("A host is met once a minute, and then called", "[conduit][meeting]",
                   InProcessBed, HttpBed) {
  TestType bed(ConduitOptions{});
  bed.b.template Handle<EatCheez>(Answer);
  const auto eat = [&] { return bed.a.template Call<EatCheez>("B", {.name = "brie"}).status(); };
  for (int i = 0; i < 3; ++i) REQUIRE(eat() == absl::OkStatus());
  CHECK(Received(bed.b, "hello") == 1);
  CHECK(Received(bed.b, "eat-cheez") == 3);
  bed.clock.Advance(absl::Seconds(61));
  REQUIRE(eat() == absl::OkStatus());
  CHECK(Received(bed.b, "hello") == 2);
}

TEST_CASE("A command is called on the host of the pod that serves it", "[conduit][meeting]") {
  TwoHosts hosts;
  hosts.b2.Handle<EatCheez>(Answer);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(hosts.a.Call<EatCheez>("B", {.name = "brie"}).status() == absl::OkStatus());
  }
  CHECK(Received(hosts.b2, "eat-cheez") == 10);
  const absl::Status only = hosts.a.Call<EatCheez>("B", {.name = "brie"}, {.host = "b1"}).status();
  CHECK(OutcomeOf(only) == Outcome::kNotImplemented);
  CHECK(GetError<UnknownAction>(only)->version == "1.1");
}

TEST_CASE("When no host serves a command, the last one that was met says so",
          "[conduit][meeting]") {
  TwoHosts hosts;
  const absl::Status none = hosts.a.Call<EatCheez>("B", {.name = "brie"}).status();
  CHECK(OutcomeOf(none) == Outcome::kNotImplemented);
  CHECK(GetError<UnknownAction>(none).has_value());
  CHECK(Received(hosts.b1, "hello") == 1);
  CHECK(Received(hosts.b2, "hello") == 1);
}

TEST_CASE("A host that cannot be met costs no call", "[conduit][meeting]") {
  TwoHosts hosts;
  hosts.b1.Handle<EatCheez>(Answer);
  hosts.b2.Handle<EatCheez>(Answer);
  hosts.network.SetFault("b1", Fault::kLoseReply);
  for (int i = 0; i < 5; ++i) {
    CHECK(hosts.a.Call<EatCheez>("B", {.name = "brie"}).status() == absl::OkStatus());
  }
  CHECK(Received(hosts.b1, "eat-cheez") == 0);
}

TEST_CASE("A pod that was updated is called again within seconds", "[conduit][meeting]") {
  TwoHosts hosts;
  const auto eat = [&] {
    return hosts.a.Call<EatCheez>("B", {.name = "brie"}, {.host = "b1"}).status();
  };
  REQUIRE(OutcomeOf(eat()) == Outcome::kNotImplemented);
  hosts.b2.Handle<EatCheez>(Answer);
  hosts.network.ConnectHost("B", "b1",
                            [&](const WireRequest& request) { return hosts.b2.Receive(request); });
  CHECK(OutcomeOf(eat()) == Outcome::kNotImplemented);
  hosts.clock.Advance(absl::Seconds(5));
  CHECK(eat() == absl::OkStatus());
  // And back: what is told by the host itself counts at once.
  hosts.network.ConnectHost("B", "b1",
                            [&](const WireRequest& request) { return hosts.b1.Receive(request); });
  CHECK(OutcomeOf(eat()) == Outcome::kNotImplemented);
  CHECK(Received(hosts.b1, "eat-cheez") == 0);
  const int64_t hellos = Received(hosts.b1, "hello");
  CHECK(OutcomeOf(eat()) == Outcome::kNotImplemented);
  CHECK(Received(hosts.b1, "hello") == hellos + 1);
}

TEST_CASE("A pod from before hello is just called", "[conduit][meeting]") {
  std::vector<Pod> listed = {{.id = "A"}, {.id = "1", .keys = {std::string(kKey)}}};
  HeldTransport transport;
  transport.AnswerAtOnce();
  std::vector<std::string> received;
  transport.Serve("1", [&](const ReceivedCall& call) {
    received.push_back(call.request.body);
    const bool hello = call.request.body.find("\"hello\"") != std::string::npos;
    call.reply(hello ? internal::ExceptionReply(conduit::MakeError(UnknownAction{"hello", "1"}, ""))
                     : WireReply{.status = 200,
                                 .content_type = "application/json",
                                 .body = R"({"result":"ok","value":{"rating":5}})"});
  });
  Conduit a(podkit::testing::ValueOf(Pods::Create(std::move(listed), "A")), &transport);
  for (int i = 0; i < 2; ++i) CHECK(a.Call<EatCheez>("1", {.name = "brie"}).ok());
  CHECK(received.size() == 3);
}

TEST_CASE("A call that is stopped while its host is met ends, and is never sent",
          "[conduit][meeting]") {
  std::vector<Pod> listed = {{.id = "A"}, {.id = "1", .keys = {std::string(kKey)}}};
  HeldTransport transport;
  Conduit a(podkit::testing::ValueOf(Pods::Create(std::move(listed), "A")), &transport);
  std::stop_source stop;
  std::vector<absl::Status> ends;
  a.Start<EatCheez>("1", {}, {.name = "brie"}, {.stop = stop.get_token()},
                    [&](const auto& answer) { ends.push_back(answer.status()); });
  REQUIRE(transport.sent() == 1);  // The hello.
  stop.request_stop();
  REQUIRE(ends.size() == 1);
  CHECK(OutcomeOf(ends[0]) == Outcome::kCancelled);
  CHECK(transport.sent() == 1);
  transport.Expire(absl::InfiniteFuture());
  CHECK(transport.sent() == 1);
}

}  // namespace podkit::conduit
