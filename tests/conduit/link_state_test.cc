// A conduit knows how the hosts that it calls are connected, and tells when that changes.
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "mux_bed.h"

namespace podkit::conduit {
namespace {

// What was told of the hosts of pod B. Thread-safe.
class EventsOfB {
 public:
  std::function<void(const HostEvent&)> sink() {
    return [this](const HostEvent& event) {
      if (event.pod != "B") return;
      MutexLock lock(&mutex_);
      lines_.emplace_back(HostEventName(event.kind));
    };
  }
  std::vector<std::string> lines() const {
    MutexLock lock(&mutex_);
    return lines_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

// Of the only host.
HostStatus OnlyHost(const Conduit& conduit, std::string_view pod) {
  const std::vector<HostStatus> hosts = conduit.Hosts(pod);
  REQUIRE(hosts.size() == 1);
  return hosts.front();
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("A conduit follows the links to the hosts that it calls", "[conduit][hosts][link][mux]") {
  EventsOfB events;
  MuxBed bed({.meet_hosts = false, .on_host_event = events.sink()});
  CHECK(bed.a.Hosts("B").empty());
  CHECK(bed.a.Call<Ping>("B").ok());
  CHECK(bed.b.Call<Ping>("A").ok());
  const HostStatus of_a = OnlyHost(bed.a, "B");
  CHECK(of_a.link.connection == HostConnection::kConnected);
  CHECK(of_a.link.since == bed.clock.Now());
  // B cannot dial A, and calls it over the link that A opened.
  CHECK(OnlyHost(bed.b, "A").host == "link:A-host");
  CHECK(OnlyHost(bed.b, "A").link.connection == HostConnection::kConnected);
  CHECK(events.lines() == Lines{"added", "connected"});

  bed.clock.Advance(absl::Seconds(3));
  bed.SetTrouble(Trouble::kDown);
  while (OnlyHost(bed.a, "B").link.connection == HostConnection::kConnected) {
    std::this_thread::yield();
  }
  const HostStatus lost = OnlyHost(bed.a, "B");
  CHECK(lost.link.connection == HostConnection::kDisconnected);
  CHECK(lost.link.since == bed.clock.Now());
  CHECK_FALSE(lost.link.reason.empty());
  CHECK(lost.state == HostState::kUp);
  while (events.lines().size() < 3) std::this_thread::yield();
  CHECK(events.lines() == Lines{"added", "connected", "disconnected"});
  // It is called all the same, for there is no other one.
  const absl::Status status = bed.a.Call<Ping>("B").status();
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  CHECK(OnlyHost(bed.a, "B").failures > 0);
}

TEST_CASE("Where no connection is kept none is known", "[conduit][hosts][link]") {
  InProcessBed bed;
  CHECK(bed.a.Call<Ping>("B").ok());
  CHECK(OnlyHost(bed.a, "B").link.connection == HostConnection::kNotKept);
}

}  // namespace podkit::conduit
