#include <deque>
#include <random>

#include "hosts/backoff.h"
#include "hosts/random.h"
#include "hosts/retry_budget.h"
#include "hosts/window_count.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST_CASE("Random repeats itself from its seed and fills its range", "[conduit][hosts]") {
  Random a(7);
  Random b(7);
  Random c(8);
  CHECK(a.Next() == b.Next());
  CHECK(a.Next() != c.Next());
  double sum = 0;
  std::array<int, 5> seen{};
  for (int i = 0; i < 10'000; ++i) {
    const double unit = a.Unit();
    REQUIRE((unit >= 0 && unit < 1));
    sum += unit;
    ++seen.at(a.Below(5));
  }
  CHECK(sum / 10'000 == Approx(0.5).margin(0.02));
  for (const int count : seen) CHECK(count == Approx(2000).margin(250));
}

TEST_CASE("Backoff doubles to its maximum and starts again after a reset", "[conduit][hosts]") {
  Backoff backoff({.first = absl::Seconds(1), .max = absl::Seconds(5)});
  Random random(1);
  for (const int step : {1, 2, 4, 5, 5}) {
    CHECK(backoff.step() == absl::Seconds(step));
    backoff.Next(random);
  }
  backoff.Reset();
  CHECK(backoff.step() == absl::Seconds(1));
}

TEST_CASE("Backoff spreads its waits over the whole step, or over the upper half",
          "[conduit][hosts]") {
  const auto [jitter, lowest] = GENERATE(
      table<Jitter, double>({std::pair{Jitter::kFull, 0.0}, std::pair{Jitter::kEqual, 0.5}}));
  Random random(2);
  double least = 1;
  double most = 0;
  for (int i = 0; i < 1000; ++i) {
    Backoff backoff({.first = absl::Seconds(1), .max = absl::Seconds(1), .jitter = jitter});
    const double wait = absl::ToDoubleSeconds(backoff.Next(random));
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  CHECK(least >= lowest);
  CHECK(least < lowest + 0.02);
  CHECK(most < 1);
  CHECK(most > 0.98);
}

// The true number within the window that ends at `now`.
int64_t Within(const std::deque<absl::Time>& times, absl::Time now, absl::Duration window) {
  return std::count_if(times.begin(), times.end(),
                       [&](absl::Time time) { return time > now - window && time <= now; });
}

TEST_CASE("WindowCount holds the true number between its two bounds", "[conduit][hosts]") {
  const auto seed = GENERATE(take(20, random(0u, ~0u)));
  CAPTURE(seed);
  Random random(seed);
  const absl::Duration window = absl::Seconds(10);
  WindowCount count(window);
  std::deque<absl::Time> times;
  absl::Time now = kStart;
  for (int i = 0; i < 500; ++i) {
    now += absl::Seconds(random.Below(30) == 0 ? 40 * random.Unit() : random.Unit() / 2);
    if (random.Below(2) == 0) {
      count.Add(now);
      times.push_back(now);
    }
    const int64_t truth = Within(times, now, window);
    REQUIRE(count.AtLeast(now) <= truth);
    REQUIRE(count.AtMost(now) >= truth);
    REQUIRE(count.AtMost(now) <= Within(times, now, window * 1.1 + absl::Nanoseconds(1)));
  }
  count.Clear();
  CHECK(count.AtMost(now) == 0);
}

TEST_CASE("WindowCount goes on after its clock was set back", "[conduit][hosts]") {
  WindowCount count(absl::Seconds(10));
  count.Add(kStart);
  CHECK(count.AtMost(kStart - absl::Seconds(3)) == 1);
  CHECK(count.AtMost(kStart - absl::Hours(1)) == 0);
  count.Add(kStart - absl::Hours(1));
  CHECK(count.AtMost(kStart - absl::Hours(1)) == 1);
  CHECK(count.AtMost(kStart - absl::Hours(1) + absl::Seconds(12)) == 0);
}

TEST_CASE("RetryBudget is never exceeded, whatever the calls and repeats", "[conduit][hosts]") {
  const auto seed = GENERATE(take(40, random(0u, ~0u)));
  CAPTURE(seed);
  Random random(seed);
  const RetryBudgetOptions options{.share = random.Unit() / 2,
                                   .floor_per_second = static_cast<double>(random.Below(4))};
  RetryBudget budget(options);
  std::deque<absl::Time> calls;
  std::deque<absl::Time> repeats;
  absl::Time now = kStart;
  for (int i = 0; i < 2000; ++i) {
    now += absl::Seconds(random.Below(100) == 0 ? 15 * random.Unit() : random.Unit() / 20);
    if (random.Below(3) == 0) {
      budget.Call(now);
      calls.push_back(now);
    } else if (budget.TakeRepeat(now)) {
      repeats.push_back(now);
    }
    const double allowed = options.share * static_cast<double>(Within(calls, now, options.window)) +
                           options.floor_per_second * absl::ToDoubleSeconds(options.window);
    // Only a granted repeat may not exceed it; what is allowed sinks again as calls grow old.
    if (!repeats.empty() && repeats.back() == now) {
      REQUIRE(static_cast<double>(Within(repeats, now, options.window)) <= allowed);
    }
  }
}

TEST_CASE(
    "RetryBudget grants the floor to a pod that makes no calls, and the share to one that "
    "makes many",
    "[conduit][hosts]") {
  RetryBudget idle({.share = 0.2, .floor_per_second = 1});
  int granted = 0;
  while (idle.TakeRepeat(kStart)) ++granted;
  CHECK(granted == 10);
  CHECK_FALSE(idle.TakeRepeat(kStart + absl::Seconds(9)));
  CHECK(idle.TakeRepeat(kStart + absl::Seconds(11)));

  RetryBudget busy({.share = 0.2, .floor_per_second = 0});
  CHECK_FALSE(busy.TakeRepeat(kStart));
  for (int i = 0; i < 50; ++i) busy.Call(kStart);
  granted = 0;
  while (busy.TakeRepeat(kStart)) ++granted;
  CHECK(granted == 10);
}

}  // namespace
}  // namespace podkit::conduit::internal
