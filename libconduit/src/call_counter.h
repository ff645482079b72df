// Counts the calls of one command in one direction.
//
// Thread-safe; a reader may see the numbers of a call apart for a moment.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "podkit/conduit/call_stats.h"

namespace podkit::conduit::internal {

class CallCounter {
 public:
  void Add(bool ok, absl::Duration took) {
    if (!ok) failed_.fetch_add(1, std::memory_order_relaxed);
    nanoseconds_.fetch_add(absl::ToInt64Nanoseconds(took), std::memory_order_relaxed);
    const auto end =
        std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), absl::ToDoubleSeconds(took));
    latencies_[static_cast<size_t>(end - kLatencyBounds.begin())].fetch_add(
        1, std::memory_order_relaxed);
  }

  CallStats Get() const {
    CallStats stats;
    stats.failed = failed_.load(std::memory_order_relaxed);
    stats.seconds = static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
    for (size_t i = 0; i < latencies_.size(); ++i) {
      stats.latencies[i] = latencies_[i].load(std::memory_order_relaxed);
      stats.calls += stats.latencies[i];
    }
    return stats;
  }

 private:
  std::atomic<int64_t> failed_{0};
  std::atomic<int64_t> nanoseconds_{0};
  std::array<std::atomic<int64_t>, kLatencyBounds.size() + 1> latencies_{};
};

}  // namespace podkit::conduit::internal
