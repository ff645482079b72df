// Counts durations in classes and adds them up: what a histogram of metrics is made of.
//
// Thread-safe, without a lock; a reader may see the numbers of one duration apart for a moment.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/time/time.h"

namespace podkit {

// `kBounds`: the upper ends of the classes in seconds, ascending; one more class has no end.
template <const auto& kBounds>
class DurationCounter {
 public:
  using Counts = std::array<int64_t, std::size(kBounds) + 1>;

  // A negative one, of a clock that was set back, counts as none: sums only grow.
  void Add(absl::Duration took) {
    took = std::max(took, absl::ZeroDuration());
    nanoseconds_.fetch_add(absl::ToInt64Nanoseconds(took), std::memory_order_relaxed);
    const auto end = std::lower_bound(kBounds.begin(), kBounds.end(), absl::ToDoubleSeconds(took));
    counts_[static_cast<size_t>(end - kBounds.begin())].fetch_add(1, std::memory_order_relaxed);
  }

  double seconds() const {
    return static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
  }
  // How many are in each class.
  Counts counts() const {
    Counts counts;
    for (size_t i = 0; i < counts.size(); ++i) {
      counts[i] = counts_[i].load(std::memory_order_relaxed);
    }
    return counts;
  }

 private:
  std::atomic<int64_t> nanoseconds_{0};
  std::array<std::atomic<int64_t>, std::size(kBounds) + 1> counts_{};
};

}  // namespace podkit
