#include "common/duration_counter.h"

#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace podkit {
namespace {

constexpr std::array<double, 2> kTestBounds = {0.5, 2};
using TwoBounds = DurationCounter<kTestBounds>;

TEST_CASE("A duration counts in the class that it does not exceed", "[common][duration]") {
  TwoBounds counter;
  CHECK(counter.counts() == TwoBounds::Counts{0, 0, 0});
  CHECK(counter.seconds() == 0);
  for (const double seconds : {0.0, 0.5, 0.75, 2.0, 2.25}) counter.Add(absl::Seconds(seconds));
  CHECK(counter.counts() == TwoBounds::Counts{2, 2, 1});
  CHECK(counter.seconds() == 5.5);
}

TEST_CASE("A duration below zero takes nothing off the sum", "[common][duration]") {
  TwoBounds counter;
  counter.Add(absl::Seconds(1));
  counter.Add(-absl::Seconds(5));
  CHECK(counter.counts() == TwoBounds::Counts{1, 1, 0});
  CHECK(counter.seconds() == 1);
}

TEST_CASE("Durations that several threads add are all counted", "[common][duration]") {
  constexpr int64_t kThreads = 4;
  constexpr int64_t kEach = 10'000;
  TwoBounds counter;
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counter] {
      for (int64_t n = 0; n < kEach; ++n) counter.Add(absl::Milliseconds(1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(counter.counts() == TwoBounds::Counts{kThreads * kEach, 0, 0});
  CHECK(counter.seconds() == Approx(kThreads * kEach / 1000.0));
}

}  // namespace
}  // namespace podkit
