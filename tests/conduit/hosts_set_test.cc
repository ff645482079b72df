#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "hosts/host_set.h"
#include "podkit/conduit/client_errors.h"
#include "podkit/conduit/error.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

using podkit::testing::ValueOf;

// The hosts of pod B, a clock that the test moves, and what was told of them.
struct Bed {
  explicit Bed(std::vector<std::string> hosts = {"h1", "h2", "h3", "h4"},
               HostSetOptions options = {}) {
    options.health.consecutive_failures = 2;
    options.on_event = [this](const HostEvent& event) {
      events.push_back(fmt::format("{} {}", event.host, HostEventName(event.kind)));
      last = event;
    };
    set.emplace("B", std::move(options));
    set->Update(hosts, now);
    events.clear();
  }

  HostLease Take(std::string_view host) { return ValueOf(set->Take(host, now)); }
  void Fail(std::string_view host, int times = 2) {
    for (int i = 0; i < times; ++i) {
      Take(host).Ended(TransportError(Outcome::kNotExecuted, "connection refused"), now);
    }
  }
  void Connect(std::string_view host) {
    set->SetLink(host, {.connection = HostConnection::kConnected, .since = now});
  }
  void Disconnect(std::string_view host, std::string reason) {
    set->SetLink(
        host,
        {.connection = HostConnection::kDisconnected, .since = now, .reason = std::move(reason)});
  }
  // Which hosts calls go to.
  std::set<std::string> Picked(const PickOptions& options = {}, int calls = 200) {
    std::set<std::string> hosts;
    for (int i = 0; i < calls; ++i) {
      auto lease = ValueOf(set->Pick(now, options));
      hosts.insert(lease.host());
    }
    return hosts;
  }
  HostStatus StatusOf(std::string_view host) {
    for (HostStatus& status : set->Status(now)) {
      if (status.host == host) return std::move(status);
    }
    return {};
  }

  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::vector<std::string> events;
  std::optional<HostEvent> last;
  std::optional<HostSet> set;
};

using Lines = std::vector<std::string>;
using HostNames = std::set<std::string>;

TEST_CASE("HostSet follows several hosts that come and go in one advert", "[conduit][hosts]") {
  Bed bed;
  bed.set->Update({"h2", "h5", "h6", "h5"}, bed.now);
  CHECK(bed.events == Lines{"h1 removed", "h3 removed", "h4 removed", "h5 added", "h6 added"});
  CHECK(bed.last->pod == "B");
  CHECK(bed.Picked() == HostNames{"h2", "h5", "h6"});
  bed.events.clear();
  bed.set->Update({"h6", "h5", "h2"}, bed.now);
  CHECK(bed.events.empty());
}

TEST_CASE("HostSet keeps the history of a host that stays", "[conduit][hosts]") {
  Bed bed;
  auto lease = bed.Take("h1");
  bed.Fail("h1", 1);
  bed.set->Update({"h1"}, bed.now);
  CHECK(bed.StatusOf("h1").in_flight == 1);
  CHECK(bed.StatusOf("h1").failures == 1);
}

TEST_CASE("HostSet without hosts says that no connections are available", "[conduit][hosts]") {
  Bed bed;
  bed.set->Update({}, bed.now);
  const auto status = bed.set->Pick(bed.now).status();
  CHECK(GetError<NoConnectionsAvailable>(status)->pod == "B");
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(GetError<NoConnectionsAvailable>(bed.set->Take("h1", bed.now).status()));
}

TEST_CASE("HostSet does not pick what a call tried, unless no other is well", "[conduit][hosts]") {
  Bed bed;
  const std::vector<std::string> tried{"h1", "h3"};
  CHECK(bed.Picked({.tried = tried}) == HostNames{"h2", "h4"});
  const std::vector<std::string> all{"h1", "h2", "h3", "h4"};
  CHECK(bed.Picked({.tried = all}).size() == 4);
  CHECK(GetError<NoConnectionsAvailable>(
      bed.set->Pick(bed.now, {.tried = all, .only_untried = true}).status()));
  // Rather one that it tried than one that is put aside.
  bed.Fail("h4");
  const std::vector<std::string> three{"h1", "h2", "h3"};
  CHECK_FALSE(bed.Picked({.tried = three}).contains("h4"));
  CHECK_FALSE(bed.set->Pick(bed.now, {.tried = three, .only_untried = true}).ok());
}

TEST_CASE("HostSet counts a call in flight until its lease is gone, however it ends",
          "[conduit][hosts]") {
  Bed bed;
  {
    auto dropped = bed.Take("h1");
    auto ended = bed.Take("h1");
    ended.Ended(absl::OkStatus(), bed.now);
    ended.Ended(absl::OkStatus(), bed.now);
    CHECK(bed.StatusOf("h1").in_flight == 2);
    auto moved = std::move(dropped);
    CHECK(bed.StatusOf("h1").in_flight == 2);
    moved = bed.Take("h2");
    CHECK(bed.StatusOf("h1").in_flight == 1);
    CHECK(bed.StatusOf("h2").in_flight == 1);
  }
  try {
    const auto lease = bed.Take("h1");
    CHECK(lease.host() == "h1");
    throw std::runtime_error("a responder");
  } catch (const std::runtime_error&) {
    CHECK(bed.StatusOf("h1").in_flight == 0);
  }
  CHECK(bed.StatusOf("h1").calls == 1);
}

TEST_CASE("HostSet lets leases outlive their host and itself", "[conduit][hosts]") {
  Bed bed;
  auto gone = bed.Take("h1");
  auto later = bed.Take("h2");
  bed.set->Update({"h2"}, bed.now);
  bed.set->Update({"h1", "h2"}, bed.now);
  CHECK(bed.StatusOf("h1").in_flight == 0);  // Another history: the host was gone meanwhile.
  gone.Ended(absl::OkStatus(), bed.now);
  CHECK(bed.StatusOf("h1").calls == 0);
  bed.set.reset();
  bed.events.clear();
  later.Ended(TransportError(Outcome::kUnknown, "cut"), bed.now);
  CHECK(bed.events.empty());
}

TEST_CASE("HostSet refuses more calls in flight than a host may have", "[conduit][hosts]") {
  Bed bed({"h1", "h2"}, {.max_in_flight = 1});
  auto one = ValueOf(bed.set->Pick(bed.now));
  {
    auto two = ValueOf(bed.set->Pick(bed.now));
    CHECK(one.host() != two.host());
    const auto status = bed.set->Pick(bed.now).status();
    CHECK(GetError<AllConnectionsBusy>(status)->pod == "B");
    CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
    CHECK(GetError<AllConnectionsBusy>(bed.set->Take("h1", bed.now).status()));
  }
  CHECK(bed.set->Pick(bed.now).status() == absl::OkStatus());
}

TEST_CASE("HostSet ejects a host whose calls fail, probes it once and takes it back",
          "[conduit][hosts]") {
  Bed bed;
  bed.Fail("h2");
  CHECK(bed.events == Lines{"h2 ejected"});
  CHECK(bed.last->reason == "2 calls in a row failed: connection refused");
  CHECK(bed.StatusOf("h2").state == HostState::kEjected);
  CHECK(bed.StatusOf("h2").since == bed.now);
  CHECK(bed.Picked() == HostNames{"h1", "h3", "h4"});
  bed.now += absl::Seconds(3);
  std::vector<HostLease> leases;
  int to_h2 = 0;
  for (int i = 0; i < 200; ++i) {
    leases.push_back(ValueOf(bed.set->Pick(bed.now)));
    if (leases.back().host() == "h2") ++to_h2;
  }
  CHECK(to_h2 == 1);
  CHECK(bed.events == Lines{"h2 ejected", "h2 probed"});
  for (HostLease& lease : leases) lease.Ended(absl::OkStatus(), bed.now);
  CHECK(bed.events == Lines{"h2 ejected", "h2 probed", "h2 back"});
  CHECK(bed.last->downtime == absl::Seconds(3));
  leases.clear();
  CHECK(bed.Picked() == HostNames{"h1", "h2", "h3", "h4"});
}

TEST_CASE("HostSet takes every answer for a sign of life", "[conduit][hosts]") {
  Bed bed;
  for (int i = 0; i < 50; ++i) {
    bed.Take("h1").Ended(MakeError(NoConnectionsAvailable{"X"}, "declared"), bed.now);
    bed.Take("h1").Ended(MakeError(InternalError{"ref"}, "internal"), bed.now);
    bed.Take("h1").Ended(MakeError(UnknownAction{"x", "1"}, "not implemented"), bed.now);
  }
  CHECK(bed.events.empty());
  CHECK(bed.StatusOf("h1").failures == 0);
  for (const Outcome outcome : {Outcome::kUnknown, Outcome::kTimedOut}) {
    bed.Take("h1").Ended(TransportError(outcome, "lost"), bed.now);
  }
  CHECK(bed.events == Lines{"h1 ejected"});
  CHECK(bed.StatusOf("h1").failures == 2);
  // But a call that its caller stopped says nothing.
  bed.Take("h1").Ended(TransportError(Outcome::kCancelled, "stopped"), bed.now);
  CHECK(bed.events == Lines{"h1 ejected"});
}

TEST_CASE("HostSet ignores ejection when more than half of the hosts are out", "[conduit][hosts]") {
  Bed bed;
  bed.Fail("h1");
  bed.Fail("h2");
  CHECK(bed.Picked() == HostNames{"h3", "h4"});
  bed.Fail("h3");
  CHECK(bed.Picked() == HostNames{"h1", "h2", "h3", "h4"});
  // An answer brings a host back at once, and the panic ends.
  for (const char* host : {"h1", "h4"}) bed.Take(host).Ended(absl::OkStatus(), bed.now);
  CHECK(bed.Picked() == HostNames{"h1", "h4"});
}

TEST_CASE("HostSet gives a disconnected host calls only where no other one is well",
          "[conduit][hosts][link]") {
  Bed bed({"h1", "h2", "h3"});
  bed.Connect("h1");
  CHECK(bed.last->downtime == absl::ZeroDuration());
  bed.Disconnect("h1", "peer closed");
  CHECK(bed.last->reason == "peer closed");
  bed.Disconnect("h1", "again");
  CHECK(bed.StatusOf("h1").link.reason == "peer closed");
  CHECK(bed.Picked() == HostNames{"h2", "h3"});
  // Rather there than to one that the call has tried; but no read is sent there a second time.
  bed.Take("h2").Refused(absl::Hours(1), bed.now);
  CHECK(bed.Picked() == HostNames{"h3"});
  const std::vector<std::string> tried{"h2", "h3"};
  CHECK(bed.Picked({.tried = tried}) == HostNames{"h1"});
  CHECK_FALSE(bed.set->Pick(bed.now, {.tried = tried, .only_untried = true}).ok());
  // The call may bring the connection back.
  for (const char* host : {"h2", "h3"}) bed.Disconnect(host, "peer closed");
  CHECK(bed.Picked().size() == 3);
  CHECK(bed.Take("h1").host() == "h1");
  bed.now += absl::Seconds(7);
  bed.Connect("h1");
  CHECK(bed.last->downtime == absl::Seconds(7));
  CHECK(bed.last->at == bed.now);
  CHECK(bed.StatusOf("h1").link.connection == HostConnection::kConnected);
  CHECK(bed.StatusOf("h1").link.since == bed.now);
  CHECK(bed.Picked() == HostNames{"h1"});
  bed.Connect("unknown");
  CHECK(bed.events == Lines{"h1 connected", "h1 disconnected", "h2 disconnected", "h3 disconnected",
                            "h1 connected"});
}

TEST_CASE("HostSet does not panic because hosts are disconnected", "[conduit][hosts][link]") {
  Bed bed({"h1", "h2", "h3"});
  for (const char* host : {"h1", "h2"}) bed.Disconnect(host, "down");
  CHECK(bed.Picked() == HostNames{"h3"});
  bed.Fail("h3");
  // All that are in reach are put aside, so they are called again.
  CHECK(bed.Picked() == HostNames{"h3"});
}

TEST_CASE("HostSet ignores old news of a connection", "[conduit][hosts][link]") {
  Bed bed({"h1"});
  bed.now += absl::Seconds(1);
  bed.Connect("h1");
  bed.set->SetLink("h1", {HostConnection::kDisconnected, bed.now - absl::Nanoseconds(1), "old"});
  CHECK(bed.StatusOf("h1").link.connection == HostConnection::kConnected);
  CHECK(bed.events == Lines{"h1 connected"});
}

TEST_CASE("HostSet asks how a host is connected that is new", "[conduit][hosts][link]") {
  const absl::Time lost = absl::FromUnixSeconds(1'600'000'000);
  Bed bed(
      {"h1"}, {.link_to = [&](const std::string& pod, const std::string& host) {
        CHECK(pod == "B");
        return host == "h2" ? HostLink{HostConnection::kDisconnected, lost, "down"} : HostLink{};
      }});
  CHECK(bed.StatusOf("h1").link.connection == HostConnection::kNotKept);
  bed.set->Update({"h1", "h2"}, bed.now);
  CHECK(bed.events == Lines{"h2 added", "h2 disconnected"});
  CHECK(bed.StatusOf("h2").link.since == lost);
  CHECK(bed.Picked() == HostNames{"h1"});
}

TEST_CASE("HostSet spares a host that refused until its time has come", "[conduit][hosts]") {
  Bed bed({"h1", "h2"});
  for (int i = 0; i < 10; ++i) bed.Take("h1").Refused(absl::Seconds(5), bed.now);
  CHECK(bed.events.empty());
  CHECK(bed.Picked() == HostNames{"h2"});
  const std::vector<std::string> tried{"h2"};
  CHECK(bed.Picked({.tried = tried}) == HostNames{"h1"});
  bed.now += absl::Seconds(5);
  CHECK(bed.Picked() == HostNames{"h1", "h2"});
}

TEST_CASE("HostSet prefers the host that answers sooner", "[conduit][hosts]") {
  Bed bed({"h1", "h2"});
  const absl::Time begin = bed.now;
  auto slow = bed.Take("h1");
  auto quick = bed.Take("h2");
  quick.Ended(absl::OkStatus(), begin + absl::Milliseconds(1));
  slow.Ended(absl::OkStatus(), begin + absl::Milliseconds(400));
  bed.now = begin + absl::Milliseconds(400);
  CHECK(bed.StatusOf("h1").latency == absl::Milliseconds(400));
  const HostLease end_of_slow = std::move(slow);
  CHECK(bed.Picked() == HostNames{"h2"});
}

TEST_CASE("HostSet sends a key to its host, to another one while that is out, and back",
          "[conduit][hosts]") {
  Bed bed({"h1", "h2", "h3"}, {.balance = Balance::kByKey});
  const HostNames home = bed.Picked({.key = "store-1"});
  REQUIRE(home.size() == 1);
  bed.Fail(*home.begin());
  const HostNames other = bed.Picked({.key = "store-1"});
  CHECK(other.size() == 1);
  CHECK(other != home);
  bed.Take(*home.begin()).Ended(absl::OkStatus(), bed.now);
  CHECK(bed.Picked({.key = "store-1"}) == home);
}

TEST_CASE("HostSet tells of events in their order, also when the listener uses it",
          "[conduit][hosts]") {
  std::vector<std::string> order;
  HostSet* used = nullptr;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  HostSet set("B", {.on_event = [&](const HostEvent& event) {
                order.push_back(fmt::format("{} {}", event.host, HostEventName(event.kind)));
                if (event.kind == HostEvent::Kind::kAdded) {
                  used->SetLink(event.host, {HostConnection::kConnected, now});
                }
              }});
  used = &set;
  set.Update({"h1", "h2"}, now);
  CHECK(order == Lines{"h1 added", "h2 added", "h1 connected", "h2 connected"});
}

TEST_CASE("HostSet does the same under the same seed", "[conduit][hosts]") {
  Bed one({"h1", "h2", "h3"}, {.balance = Balance::kRandom, .seed = 9});
  Bed other({"h1", "h2", "h3"}, {.balance = Balance::kRandom, .seed = 9});
  for (int i = 0; i < 100; ++i) {
    CHECK(ValueOf(one.set->Pick(one.now)).host() == ValueOf(other.set->Pick(other.now)).host());
  }
}

TEST_CASE("HostSet is used from many threads and loses no count", "[conduit][hosts]") {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::map<std::string, int> added;  // Events come one at a time.
  HostSet set("B", {.on_event = [&](const HostEvent& event) {
                if (event.kind == HostEvent::Kind::kAdded) ++added[event.host];
              }});
  set.Update({"h1", "h2"}, now);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&set, now, t] {
      for (int i = 0; i < 500; ++i) {
        auto lease = set.Pick(now);
        if (lease.ok() && i % 3 != 0) {
          lease->Ended(i % 3 == 1 ? absl::OkStatus() : TransportError(Outcome::kUnknown, "x"), now);
        }
        if (t == 0 && i % 50 == 0) set.Update({"h1", "h2", fmt::format("x{}", i)}, now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t in_flight = 0;
  for (const HostStatus& status : set.Status(now)) in_flight += status.in_flight;
  CHECK(in_flight == 0);
  CHECK(added.size() == 12);
}

}  // namespace
}  // namespace podkit::conduit::internal
