// How many calls may be sent a second time: a share of those that are made, so that repeating
// cannot multiply the load of a pod that is in trouble already.
//
// Within any window, repeats are at most share * calls + floor_per_second * window. The floor lets
// a pod that calls rarely repeat at all. (After Finagle's RetryBudget.)
//
// Thread-safe.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "hosts/window_count.h"

namespace podkit::conduit::internal {

struct RetryBudgetOptions {
  double share = 0.2;            // Of the calls; 0 or more.
  double floor_per_second = 10;  // Besides; 0 or more.
  absl::Duration window = absl::Seconds(10);
};

class RetryBudget {
 public:
  explicit RetryBudget(const RetryBudgetOptions& options)
      : options_(options), calls_(options.window), repeats_(options.window) {}

  // A call begins; its repeats do not count as calls.
  void Call(absl::Time now) {
    MutexLock lock(&mutex_);
    calls_.Add(now);
  }

  // True if a call may be repeated now; it is then counted as repeated.
  [[nodiscard]] bool TakeRepeat(absl::Time now) {
    MutexLock lock(&mutex_);
    const double allowed = options_.share * static_cast<double>(calls_.AtLeast(now)) +
                           options_.floor_per_second * absl::ToDoubleSeconds(options_.window);
    if (static_cast<double>(repeats_.AtMost(now) + 1) > allowed) return false;
    repeats_.Add(now);
    return true;
  }

 private:
  const RetryBudgetOptions options_;
  Mutex mutex_;
  WindowCount calls_ ABSL_GUARDED_BY(mutex_);
  WindowCount repeats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
