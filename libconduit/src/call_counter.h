// Counts the calls of one command in one direction.
//
// Thread-safe; a reader may see the numbers of a call apart for a moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <numeric>

#include "absl/time/time.h"
#include "common/duration_counter.h"
#include "podkit/conduit/call_stats.h"

namespace podkit::conduit::internal {

class CallCounter {
 public:
  void Add(bool ok, absl::Duration took) {
    if (!ok) failed_.fetch_add(1, std::memory_order_relaxed);
    durations_.Add(took);
  }

  CallStats Get() const {
    CallStats stats;
    stats.failed = failed_.load(std::memory_order_relaxed);
    stats.seconds = durations_.seconds();
    stats.latencies = durations_.counts();
    stats.calls = std::accumulate(stats.latencies.begin(), stats.latencies.end(), int64_t{0});
    return stats;
  }

 private:
  std::atomic<int64_t> failed_{0};
  DurationCounter<kLatencyBounds> durations_;
};

}  // namespace podkit::conduit::internal
