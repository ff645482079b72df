#include <atomic>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <utility>
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
                  events.emplace_back("connected " + peer.pod->id + " " + peer.host_name);
                },
            .on_call =
                [this](std::shared_ptr<IncomingCall> call) {
                  if (!answer) return held.push_back(std::move(call));
                  call->Reply({.content_type = "application/json",
                               .body = call->caller()->id + ":" + call->request().body});
                },
            .on_going_away = [this](GoAwayReason, absl::Duration) { events.emplace_back("going"); },
            .on_closed =
                [this](const absl::Status& why) {
                  events.push_back("closed " + std::string(absl::StatusCodeToString(why.code())));
                }};
  }
  uint64_t Call(std::string body) {
    return link->Start({.content_type = "application/json", .body = std::move(body)},
                       [this](absl::StatusOr<WireReply> reply) {
                         events.push_back(reply.ok()
                                              ? std::to_string(reply->status) + " " + reply->body
                                              : EndOf(reply.status()));
                       });
  }
  static std::string EndOf(const absl::Status& failure) {
    std::string end(OutcomeName(OutcomeOf(failure)));
    const auto overloaded = GetError<Overloaded>(failure);
    if (overloaded) end += ", again in " + absl::FormatDuration(overloaded->retry_after);
    return end;
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
  Side a;
  Side b;
  BytePump pump;  // Behind the sides, which hear of its end.
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

TEST_CASE("A link with the wrong key is closed without a word", "[mux][link]") {
  LinkBed bed(1, {}, {kNewPairKey});
  bed.pump.Pump();
  CHECK(bed.b.Take() == Strings{"closed UNAUTHENTICATED"});
  CHECK(bed.a.Take() == Strings{"closed UNAVAILABLE"});
  CHECK(bed.pump.sent(BytePump::kB) == 0);
  CHECK(bed.pump.closed());
  CHECK(bed.a.Call("x") == 0);
  CHECK(bed.a.Take() == Strings{"not_executed"});
}

TEST_CASE("A call before the other side is proven is not executed", "[mux][link]") {
  LinkBed bed;
  CHECK_FALSE(bed.a.link->accepts_calls());
  CHECK(bed.a.Call("x") == 0);
  CHECK(bed.a.Take() == Strings{"not_executed"});
  bed.Connect();
  CHECK(bed.a.link->accepts_calls());
  Strings refused;
  CHECK(bed.a.link->Start({.content_type = "text/html"}, [&](absl::StatusOr<WireReply> reply) {
    refused.push_back(std::string(reply.status().message()));
  }) == 0);
  CHECK(refused == Strings{"the connection cannot carry 'text/html'"});
}

TEST_CASE("Calls of all sizes cross a link whose bytes come in random pieces", "[mux][link]") {
  const uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  LinkBed bed(seed);
  bed.Connect();
  size_t sent = 0;
  for (int round = 0; round < 40; ++round) {
    Side& side = random() % 2 == 0 ? bed.a : bed.b;
    const size_t size = random() % 4 == 0 ? random() % 300'000 : random() % 200;
    sent += size;
    side.Call(std::string(size, static_cast<char>('a' + random() % 26)));
    for (uint64_t i = random() % 20; i > 0; --i) bed.pump.PumpOnce();
  }
  bed.pump.Pump();
  size_t answered = 0;
  Strings events = bed.a.Take();
  for (const std::string& event : bed.b.Take()) events.push_back(event);
  for (const std::string& event : events) {
    CHECK(event.starts_with("200 "));
    answered += event.size() - std::string_view("200 A:").size();
  }
  CHECK(events.size() == 40);
  CHECK(answered == sent);
}

TEST_CASE("A call is answered later, once, from wherever", "[mux][link]") {
  LinkBed bed;
  bed.b.answer = false;
  bed.Connect();
  for (const char* body : {"1", "2", "3"}) bed.a.Call(body);
  bed.pump.Pump();
  REQUIRE(bed.b.held.size() == 3);
  bed.b.held[2]->Reply({.status = 201, .body = "third"});
  bed.b.held[2]->Reply({.status = 500, .body = "again"});
  bed.b.held[2]->Refuse(absl::Seconds(1));
  bed.b.held[1].reset();  // Dropped.
  bed.b.held[0]->Refuse(absl::Milliseconds(1500));
  bed.pump.Pump();
  CHECK(bed.a.Take() == Strings{"201 third", "500 ", "not_executed, again in 1.5s"});
}

TEST_CASE("A cancel reaches the responder, and no success comes after it", "[mux][link]") {
  LinkBed bed;
  bed.b.answer = false;
  bed.Connect();
  const uint64_t id = bed.a.Call("x");
  bed.a.Call("y");
  bed.pump.Pump();
  const std::stop_token stop = bed.b.held[0]->stop_token();
  bool told = false;
  const std::stop_callback callback(stop, [&] { told = true; });
  bed.a.link->Cancel(id);
  bed.a.link->Cancel(12345);
  CHECK(bed.a.Take().empty());
  bed.pump.Pump();
  CHECK(told);
  CHECK_FALSE(bed.b.held[1]->stop_token().stop_requested());
  CHECK(bed.a.Take() == Strings{"cancelled"});
  bed.b.held[0]->Reply({.body = "late"});
  bed.b.held[1]->Reply({.body = "y"});
  bed.pump.Pump();
  CHECK(bed.a.Take() == Strings{"200 y"});
}

TEST_CASE("When a link is cut every call ends, and responders are told", "[mux][link]") {
  LinkBed bed;
  bed.b.answer = false;
  bed.Connect();
  for (int i = 0; i < 3; ++i) bed.a.Call("x");
  bed.pump.Pump();
  bed.pump.Stall(BytePump::kA, true);
  bed.a.Call(std::string(2 << 20, 'h'));
  bed.pump.Pump();
  bed.pump.Cut();
  CHECK(bed.a.Take() ==
        Strings{"unknown", "unknown", "unknown", "not_executed", "closed UNAVAILABLE"});
  CHECK(bed.b.Take() == Strings{"closed UNAVAILABLE"});
  // Asked for after the fact.
  for (const auto& call : bed.b.held) CHECK(call->stop_token().stop_requested());
  bed.b.held[0]->Reply({.body = "late"});
  CHECK(bed.a.Take().empty());
}

TEST_CASE("Shutdown lets calls end and then closes both ends", "[mux][link]") {
  LinkBed bed;
  bed.b.answer = false;
  bed.Connect();
  bed.a.Call("x");
  bed.pump.Pump();
  bed.b.link->Shutdown(absl::Seconds(60));
  bed.pump.Pump();
  CHECK(bed.a.Take() == Strings{"going"});
  CHECK(bed.a.Call("y") == 0);
  CHECK(bed.a.Take() == Strings{"not_executed"});
  CHECK_FALSE(bed.pump.closed());
  bed.b.held[0]->Reply({.body = std::string(100'000, 'r')});
  bed.pump.Pump();
  bed.scheduler->Advance(absl::ZeroDuration());
  bed.pump.Pump();
  CHECK(bed.pump.closed());
  CHECK(bed.a.Take() == Strings{"200 " + std::string(100'000, 'r'), "closed OK"});
  CHECK(bed.b.Take() == Strings{"closed OK"});
}

TEST_CASE("Shutdown does not wait beyond its grace", "[mux][link]") {
  LinkBed bed;
  bed.b.answer = false;
  bed.Connect();
  bed.a.Call("x");
  bed.pump.Pump();
  const std::stop_token stop = bed.b.held[0]->stop_token();
  bed.b.link->Shutdown(absl::Seconds(5));
  bed.scheduler->Advance(absl::Seconds(4));
  bed.pump.Pump();
  CHECK_FALSE(bed.pump.closed());
  bed.scheduler->Advance(absl::Seconds(2));
  bed.pump.Pump();
  CHECK(bed.pump.closed());
  CHECK(stop.stop_requested());
  CHECK(bed.a.Take() == Strings{"going", "unknown", "closed OK"});
}

TEST_CASE("A stalled wire is noticed by either end, a slow one is not", "[mux][link]") {
  LinkBed bed;
  bed.Connect();
  bed.pump.Delay(BytePump::kA, absl::Seconds(3));
  for (int i = 0; i < 200; ++i) {
    bed.scheduler->Advance(absl::Seconds(1));
    bed.pump.Pump();
  }
  CHECK(bed.a.Take().empty());
  bed.pump.Stall(BytePump::kA, true);
  for (int i = 0; i < 60 && !bed.pump.closed(); ++i) {
    bed.scheduler->Advance(absl::Seconds(1));
    bed.pump.Pump();
  }
  CHECK(bed.b.Take() == Strings{"closed UNAVAILABLE"});
}

TEST_CASE("An idle link holds one timer, a closed one none", "[mux][link]") {
  LinkBed bed;
  bed.Connect();
  for (int i = 0; i < 20; ++i) {
    bed.scheduler->Advance(absl::Seconds(5));
    bed.pump.Pump();
  }
  CHECK(bed.scheduler->pending() == 2);
  bed.a.link->Close(absl::OkStatus());
  bed.pump.Pump();
  CHECK(bed.a.Take() == Strings{"closed OK"});
  CHECK(bed.b.Take() == Strings{"closed UNAVAILABLE"});
  CHECK(bed.scheduler->pending() == 0);
}

TEST_CASE("Callbacks may call the link, and what they send leaves in one piece", "[mux][link]") {
  LinkBed bed;
  bed.Connect();
  int rounds = 0;
  std::function<void(absl::StatusOr<WireReply>)> again = [&](const absl::StatusOr<WireReply>&) {
    if (++rounds < 100) bed.a.link->Start({.body = "x"}, again);
  };
  for (int i = 0; i < 10; ++i) bed.a.link->Start({.body = "x"}, again);
  bed.pump.Pump();
  CHECK(rounds >= 100);
  CHECK(bed.a.link->calls_out() == 0);
}

TEST_CASE("Nothing of a closed link is left behind", "[mux][link]") {
  std::weak_ptr<MuxLink> a;
  std::weak_ptr<MuxLink> b;
  {
    LinkBed bed;
    bed.b.answer = false;
    bed.Connect();
    bed.a.Call("x");
    bed.pump.Pump();
    a = bed.a.link;
    b = bed.b.link;
    bed.pump.Cut();
  }
  CHECK(a.expired());
  CHECK(b.expired());
}

TEST_CASE("Faults on the wire never give a wrong answer", "[mux][link]") {
  const uint64_t first_seed = std::random_device{}();
  INFO("first seed " << first_seed);
  for (uint64_t seed = first_seed; seed < first_seed + 200; ++seed) {
    std::mt19937_64 random(seed);
    LinkBed bed(seed);
    for (int i = 0; i < 2; ++i) {
      bed.pump.Inject(random() % 2 == 0 ? BytePump::kA : BytePump::kB,
                      static_cast<BytePump::Fault>(random() % 5), random() % 3000,
                      1 + random() % 40);
    }
    size_t started = 0;
    for (int round = 0; round < 30; ++round) {
      bed.scheduler->Advance(absl::Seconds(2));
      for (int i = 0; i < 3; ++i) started += bed.a.Call(std::string(100, 'x')) != 0;
      bed.pump.Pump();
    }
    bed.pump.Cut();
    size_t ended = 0;
    for (const std::string& event : bed.a.Take()) {
      if (event.starts_with("200 ")) CHECK(event == "200 A:" + std::string(100, 'x'));
      ended += event.starts_with("200 ") || event == "unknown" ? 1 : 0;
    }
    CHECK(ended <= started);
    CHECK(bed.a.link->calls_out() == 0);
  }
}

TEST_CASE("Many threads call one link, and each call ends once", "[mux][link]") {
  LinkBed bed;
  bed.Connect();
  constexpr int kThreads = 4;
  constexpr int kCalls = 200;
  std::atomic<int> good = 0;
  std::atomic<int> ended = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        const uint64_t id =
            bed.a.link->Start({.body = "x"}, [&](const absl::StatusOr<WireReply>& reply) {
              good += reply.ok() ? 1 : 0;
              ++ended;
            });
        if (i % 10 == 0) bed.a.link->Cancel(id);
      }
    });
  }
  while (ended < kThreads * kCalls) bed.pump.Pump();
  for (std::thread& thread : threads) thread.join();
  CHECK(good >= kThreads * kCalls * 9 / 10);
  CHECK(bed.a.link->calls_out() == 0);
}

}  // namespace
}  // namespace podkit::conduit::internal
