#include "podkit/conduit/testing/simulated_network.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "podkit/conduit/error.h"
#include "tests/support/catch.h"

namespace podkit::conduit {
namespace {

using podkit::conduit::testing::ManualScheduler;
using podkit::conduit::testing::SimulatedNetwork;

const std::string kHostA = "http://a.sim:80";
const std::string kHostB = "http://b.sim:80";

// Host B answers requests with their own bodies, at the times that it notes.
struct RequestBed {
  RequestBed() : network(&scheduler, 7), pod(std::make_shared<Pod>(Pod{.id = "B"})) {
    network.Start(kHostA, {});
    StartB();
    network.SetWays({.delay = absl::Milliseconds(10)});
    transport = network.RequestsFrom(kHostA);
  }
  void StartB() {
    network.Start(kHostB, {.receive = [this](const WireRequest& request) {
                    heard.push_back(request.body);
                    scheduler.Advance(takes);
                    return WireReply{.body = request.body};
                  }});
  }
  void Send(std::string body, std::stop_token stop = {}) {
    transport->Send({.pod = pod,
                     .host = kHostB,
                     .request = {.body = std::move(body)},
                     .deadline = scheduler.Now() + absl::Seconds(5),
                     .stop = std::move(stop),
                     .done = [this](const absl::StatusOr<WireReply>& reply) {
                       ended.push_back(reply.ok()
                                           ? reply->body
                                           : std::string(OutcomeName(OutcomeOf(reply.status()))));
                       ended_after = scheduler.Now() - start;
                     }});
  }
  void RunAll() {
    while (scheduler.RunNext()) {
    }
    CHECK(network.requests() == 0);
  }

  ManualScheduler scheduler;
  const absl::Time start = scheduler.Now();
  SimulatedNetwork network;
  const std::shared_ptr<const Pod> pod;
  absl::Duration takes;
  std::vector<std::string> heard;
  std::vector<std::string> ended;
  absl::Duration ended_after;
  std::unique_ptr<Transport> transport;
};

using Texts = std::vector<std::string>;

TEST_CASE("A simulated request connects, and takes its time there and back", "[simulated]") {
  RequestBed bed;
  bed.takes = absl::Milliseconds(3);
  bed.Send("hello");
  CHECK(bed.network.requests() == 1);
  bed.RunAll();
  CHECK(bed.ended == Texts{"hello"});
  CHECK(bed.ended_after == absl::Milliseconds(43));
}

TEST_CASE("Simulated requests overtake each other", "[simulated]") {
  RequestBed bed;
  bed.network.SetWays({.jitter = absl::Seconds(1)});
  for (const char* body : {"1", "2", "3", "4", "5", "6"}) bed.Send(body);
  bed.RunAll();
  CHECK(bed.heard.size() == 6);
  CHECK_FALSE(std::is_sorted(bed.heard.begin(), bed.heard.end()));
}

TEST_CASE("A simulated request that is lost is executed or not, and nobody knows", "[simulated]") {
  RequestBed bed;
  bed.network.SetWay(kHostB, kHostA, {.loss = 1});
  for (int i = 0; i < 20; ++i) bed.Send("x");
  bed.RunAll();
  CHECK(bed.heard.size() == 20);
  const auto timed_out = std::count(bed.ended.begin(), bed.ended.end(), "timed_out");
  const auto unknown = std::count(bed.ended.begin(), bed.ended.end(), "unknown");
  CHECK(timed_out + unknown == 20);
  CHECK(timed_out > 0);
  CHECK(unknown > 0);
}

TEST_CASE("A simulated request over a blocked way is not executed", "[simulated]") {
  RequestBed bed;
  SECTION("there") { bed.network.SetWay(kHostA, kHostB, {.blocked = true}); }
  SECTION("or back") { bed.network.SetWay(kHostB, kHostA, {.blocked = true}); }
  SECTION("or to a host that is down") { bed.network.Stop(kHostB); }
  SECTION("or from one") { bed.network.Stop(kHostA); }
  bed.Send("x");
  bed.RunAll();
  CHECK(bed.ended == Texts{"not_executed"});
  CHECK(bed.heard.empty());
}

TEST_CASE("A simulated request is answered once, however often it arrives", "[simulated]") {
  RequestBed bed;
  bed.network.SetWays({.again = 1});
  bed.Send("x");
  bed.RunAll();
  CHECK(bed.heard == Texts{"x", "x"});
  CHECK(bed.ended == Texts{"x"});
}

TEST_CASE("One bit of a damaged simulated request is another", "[simulated]") {
  RequestBed bed;
  bed.network.SetWay(kHostA, kHostB, {.damage = 1});
  bed.Send("aaaa");
  bed.RunAll();
  REQUIRE(bed.heard.size() == 1);
  CHECK(bed.heard[0] != "aaaa");
  CHECK(bed.heard[0].size() == 4);
}

TEST_CASE("A host that stops while it answers answers nobody", "[simulated]") {
  RequestBed bed;
  bed.takes = absl::Seconds(1);
  bed.Send("x");
  bed.scheduler.At(bed.start + absl::Milliseconds(500), [&] {
    bed.network.Stop(kHostB);
    bed.StartB();
  });
  bed.RunAll();
  CHECK(bed.ended == Texts{"unknown"});
}

TEST_CASE("A simulated request that is cancelled ends at once, sent or not", "[simulated]") {
  RequestBed bed;
  std::stop_source stop;
  const bool sent = GENERATE(false, true);
  bed.Send("x", stop.get_token());
  bed.scheduler.Advance(absl::Milliseconds(sent ? 25 : 5));
  stop.request_stop();
  CHECK(bed.ended == Texts{"cancelled"});
  bed.RunAll();
  CHECK(bed.heard.size() == (sent ? 1 : 0));
}

// Says what it is told to, and keeps what it hears.
class Talker final : public StreamUser {
 public:
  explicit Talker(std::shared_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

  void Receive(std::string_view bytes) override { heard += bytes; }
  std::string TakeOutput() override { return std::exchange(to_say_, {}); }
  void Closed(const absl::Status& why) override {
    closed.push_back(why);
    stream_->Wake();  // Does nothing any more.
  }
  void Say(std::string_view text) {
    to_say_ += text;
    stream_->Wake();
  }
  void Close() { stream_->Close(); }

  std::string heard;
  std::vector<absl::Status> closed;

 private:
  const std::shared_ptr<ByteStream> stream_;
  std::string to_say_;
};

// A stream from host A to host B.
struct StreamBed {
  explicit StreamBed(bool connect = true) : network(&scheduler, 7) {
    network.Start(kHostA, {});
    network.Start(kHostB, {.accept = [this](std::shared_ptr<ByteStream> stream) {
                    return b = std::make_shared<Talker>(std::move(stream));
                  }});
    network.SetWays({.delay = absl::Milliseconds(10)});
    dialer = network.DialerOf(kHostA);
    if (!connect) return;
    Dial();
    scheduler.Advance(absl::Milliseconds(20));
    REQUIRE(a != nullptr);
    REQUIRE(b != nullptr);
  }
  void Dial() {
    dialer->Dial(
        {.host = kHostB, .deadline = scheduler.Now() + absl::Seconds(3)},
        [this](std::shared_ptr<ByteStream> stream) {
          return a = std::make_shared<Talker>(std::move(stream));
        },
        [this](absl::Status why) { failures.push_back(std::move(why)); });
  }
  void Run(absl::Duration duration = absl::Minutes(1)) { scheduler.Advance(duration); }

  ManualScheduler scheduler;
  SimulatedNetwork network;
  std::shared_ptr<StreamDialer> dialer;
  std::shared_ptr<Talker> a;
  std::shared_ptr<Talker> b;
  std::vector<absl::Status> failures;
};

TEST_CASE("A simulated stream keeps its order whatever happens to its bytes", "[simulated]") {
  StreamBed bed;
  bed.network.SetWays({.jitter = absl::Milliseconds(50), .loss = 0.5});
  std::string said;
  for (int i = 0; i < 100; ++i) {
    const std::string text = std::to_string(i) + " ";
    bed.a->Say(text);
    said += text;
    bed.Run(absl::Milliseconds(1));
  }
  bed.Run();
  CHECK(bed.b->heard == said);
}

TEST_CASE("A simulated stream over a blocked way waits until it is free", "[simulated]") {
  StreamBed bed;
  bed.network.SetWay(kHostA, kHostB, {.blocked = true});
  bed.a->Say("x");
  bed.b->Say("y");
  bed.Run();
  CHECK(bed.b->heard.empty());
  CHECK(bed.a->heard == "y");
  bed.network.SetWays({});
  bed.Run();
  CHECK(bed.b->heard == "x");
}

TEST_CASE("A simulated stream that is closed ends in good order", "[simulated]") {
  StreamBed bed;
  bed.a->Say("last words");
  bed.a->Close();
  bed.Run();
  CHECK(bed.b->heard == "last words");
  CHECK(bed.a->closed == std::vector{absl::OkStatus()});
  CHECK(bed.b->closed == std::vector{absl::OkStatus()});
  CHECK(bed.network.streams() == 0);
}

TEST_CASE("A simulated stream that is cut breaks at both ends, and loses its bytes",
          "[simulated]") {
  StreamBed bed;
  bed.a->Say("x");
  bed.Run(absl::Milliseconds(1));
  bed.network.CutStreams(kHostB, kHostA);
  bed.Run();
  CHECK(bed.b->heard.empty());
  REQUIRE(bed.a->closed.size() == 1);
  REQUIRE(bed.b->closed.size() == 1);
  CHECK(bed.a->closed[0].code() == absl::StatusCode::kUnavailable);
  CHECK(bed.network.streams() == 0);
}

TEST_CASE("A host that vanishes is missed when it is back and somebody speaks to it",
          "[simulated]") {
  StreamBed bed;
  bed.network.Stop(kHostB, /*silently=*/true);
  CHECK(bed.b->closed.size() == 1);
  bed.a->Say("x");
  bed.Run();
  CHECK(bed.a->closed.empty());
  bed.network.Start(kHostB, {});
  bed.a->Say("y");
  bed.Run();
  CHECK(bed.a->closed.size() == 1);
  CHECK(bed.network.streams() == 0);
}

TEST_CASE("A host that crashes is missed at once", "[simulated]") {
  StreamBed bed;
  bed.network.Stop(kHostB);
  bed.Run();
  CHECK(bed.a->closed.size() == 1);
}

TEST_CASE("A simulated dial fails where nobody answers", "[simulated]") {
  StreamBed bed(false);
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  SECTION("because the host is down") { bed.network.Stop(kHostB); }
  SECTION("because this host is down") { bed.network.Stop(kHostA); }
  SECTION("because it accepts none") { bed.network.Start(kHostB, {}); }
  SECTION("because the way is blocked") {
    bed.network.SetWay(kHostB, kHostA, {.blocked = true});
    code = absl::StatusCode::kDeadlineExceeded;
  }
  SECTION("because this side ends") {
    bed.Dial();
    bed.dialer->Stop();
    REQUIRE(bed.failures.size() == 1);
    CHECK(bed.failures[0].code() == absl::StatusCode::kCancelled);
    bed.failures.clear();
    bed.Dial();
    bed.Run();
    CHECK(bed.failures.empty());
    CHECK(bed.a == nullptr);
    return;
  }
  bed.Dial();
  bed.Run();
  REQUIRE(bed.failures.size() == 1);
  CHECK(bed.failures[0].code() == code);
  CHECK(std::string(bed.failures[0].message()).find(kHostB) != std::string::npos);
  CHECK(bed.a == nullptr);
}

TEST_CASE("A simulated dialler that stops cuts its streams at once", "[simulated]") {
  StreamBed bed;
  bed.dialer->Stop();
  CHECK(bed.a->closed.size() == 1);
  bed.Run();
  CHECK(bed.b->closed.size() == 1);
  CHECK(bed.network.streams() == 0);
}

TEST_CASE("What happens on a simulated network is told, and follows from the seed", "[simulated]") {
  const auto course = [](uint64_t seed) {
    ManualScheduler scheduler;
    SimulatedNetwork network(&scheduler, seed);
    Texts told;
    network.SetTap([&](const testing::SimulatedEvent& event) {
      told.push_back(absl::FormatTime(event.at) + std::string(event.what) +
                     std::string(event.from) + std::string(event.to));
    });
    network.SetWays({.jitter = absl::Seconds(1), .loss = 0.2, .again = 0.2, .damage = 0.2});
    network.Start(kHostA, {});
    network.Start(kHostB, {.receive = [](const WireRequest&) { return WireReply(); }});
    const auto transport = network.RequestsFrom(kHostA);
    for (int i = 0; i < 20; ++i) {
      transport->Send({.pod = std::make_shared<Pod>(Pod{.id = "B"}),
                       .host = kHostB,
                       .request = {.body = "x"},
                       .deadline = scheduler.Now() + absl::Seconds(5),
                       .done = [](const absl::StatusOr<WireReply>&) {}});
    }
    while (scheduler.RunNext()) {
    }
    return told;
  };
  CHECK(course(1).size() > 40);
  CHECK(course(1) == course(1));
  CHECK(course(1) != course(2));
}

}  // namespace
}  // namespace podkit::conduit
