#include <vector>

#include "hosts/host_health.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

using Change = HostHealth::Change;

const HealthOptions kOptions{
    .consecutive_failures = 3,
    .failure_share = 0.5,
    .min_volume = 10,
    .ejection = {.first = absl::Seconds(2), .max = absl::Seconds(16), .jitter = Jitter::kEqual}};

// One host, and a clock that the test moves.
struct Bed {
  HostHealth health{kOptions};
  Random random{1};
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);

  Change Fail() { return health.Failed(health.Begin(now), now, random); }
  Change Succeed() { return health.Succeeded(health.Begin(now), now); }
  void Eject() {
    for (int i = 0; i < 3; ++i) Fail();
    REQUIRE(health.state() == HostState::kEjected);
  }
  // Moves the clock to when a probe may go; how long that was.
  absl::Duration WaitForProbe() {
    absl::Duration waited;
    for (; !health.usable(now); now += absl::Milliseconds(10)) waited += absl::Milliseconds(10);
    return waited;
  }
};

TEST_CASE("HostHealth ejects after failures in a row, and a success between starts the count again",
          "[conduit][hosts]") {
  Bed bed;
  CHECK(bed.Fail() == Change::kNone);
  CHECK(bed.Fail() == Change::kNone);
  CHECK(bed.Succeed() == Change::kNone);
  CHECK(bed.Fail() == Change::kNone);
  CHECK(bed.Fail() == Change::kNone);
  CHECK(bed.health.usable(bed.now));
  CHECK(bed.Fail() == Change::kEjected);
  CHECK(bed.health.reason() == "3 calls in a row failed");
  CHECK_FALSE(bed.health.usable(bed.now));
}

TEST_CASE("HostHealth ejects above a share of failures, but not on few calls", "[conduit][hosts]") {
  Bed bed;
  // Two failures for each success, never three in a row.
  std::vector<Change> changes;
  for (int i = 0; i < 9; ++i) changes.push_back(i % 3 == 2 ? bed.Succeed() : bed.Fail());
  CHECK(std::count(changes.begin(), changes.end(), Change::kNone) == 9);
  CHECK(bed.Fail() == Change::kEjected);
  CHECK(bed.health.reason() == "7 of 10 calls failed");
}

TEST_CASE("HostHealth forgets failures that are older than its window", "[conduit][hosts]") {
  Bed bed;
  for (int i = 0; i < 8; ++i) {
    if (i % 3 == 2) bed.Succeed();
    bed.Fail();
  }
  bed.Succeed();
  bed.now += absl::Seconds(40);
  for (int i = 0; i < 9; ++i) bed.Succeed();
  CHECK(bed.Fail() == Change::kNone);
  CHECK(bed.health.state() == HostState::kUp);
}

TEST_CASE("HostHealth lets one probe through when the ejection ends", "[conduit][hosts]") {
  Bed bed;
  bed.Eject();
  const absl::Duration waited = bed.WaitForProbe();
  CHECK(waited >= absl::Seconds(1));
  CHECK(waited <= absl::Milliseconds(2010));
  const auto probe = bed.health.Begin(bed.now);
  CHECK(probe.probe);
  CHECK(bed.health.state() == HostState::kProbing);
  CHECK_FALSE(bed.health.usable(bed.now + absl::Hours(1)));
  CHECK(bed.health.Succeeded(probe, bed.now) == Change::kBack);
  CHECK(bed.health.usable(bed.now));
  CHECK(bed.health.since() == bed.now);
  // Back with a clean record.
  CHECK(bed.Fail() == Change::kNone);
  CHECK(bed.Fail() == Change::kNone);
}

TEST_CASE("HostHealth doubles the ejection up to its maximum, and a success resets it",
          "[conduit][hosts]") {
  Bed bed;
  bed.Eject();
  for (const int step : {2, 4, 8, 16, 16}) {
    const double waited = absl::ToDoubleSeconds(bed.WaitForProbe());
    CHECK(waited >= step / 2.0);
    CHECK(waited <= step + 0.01);
    CHECK(bed.Fail() == Change::kEjected);
    CHECK(bed.health.reason() == "the probe failed");
  }
  bed.WaitForProbe();
  CHECK(bed.Succeed() == Change::kBack);
  bed.Eject();
  CHECK(bed.WaitForProbe() <= absl::Milliseconds(2010));
}

TEST_CASE("HostHealth probes again after a probe that was dropped", "[conduit][hosts]") {
  Bed bed;
  bed.Eject();
  bed.WaitForProbe();
  const auto probe = bed.health.Begin(bed.now);
  bed.health.Dropped(probe);
  CHECK(bed.health.usable(bed.now));
  const auto next = bed.health.Begin(bed.now);
  CHECK(next.probe);
  CHECK(bed.health.Failed(next, bed.now, bed.random) == Change::kEjected);
}

TEST_CASE("HostHealth takes calls that began before the ejection for old news",
          "[conduit][hosts]") {
  Bed bed;
  const auto early = bed.health.Begin(bed.now);
  const auto early_too = bed.health.Begin(bed.now);
  bed.Eject();
  CHECK(bed.health.Succeeded(early, bed.now) == Change::kNone);
  CHECK(bed.health.Failed(early_too, bed.now, bed.random) == Change::kNone);
  CHECK(bed.health.state() == HostState::kEjected);
  CHECK(bed.WaitForProbe() <= absl::Milliseconds(2010));
}

TEST_CASE("HostHealth is back when a call is answered that went there for want of a better host",
          "[conduit][hosts]") {
  Bed bed;
  bed.Eject();
  const auto failing = bed.health.Begin(bed.now);
  const auto call = bed.health.Begin(bed.now);
  CHECK_FALSE(call.probe);
  CHECK(bed.health.Failed(failing, bed.now, bed.random) == Change::kNone);
  CHECK(bed.health.Succeeded(call, bed.now) == Change::kBack);
}

TEST_CASE("HostHealth keeps no host aside because the clock was set back", "[conduit][hosts]") {
  Bed bed;
  bed.Eject();
  bed.now -= absl::Hours(5);
  CHECK(bed.health.usable(bed.now));
}

TEST_CASE("HostHealth does the same under the same seed", "[conduit][hosts]") {
  Bed one;
  Bed other;
  for (int round = 0; round < 4; ++round) {
    one.Eject();
    other.Eject();
    CHECK(one.WaitForProbe() == other.WaitForProbe());
    one.Succeed();
    other.Succeed();
  }
}

}  // namespace
}  // namespace podkit::conduit::internal
