// Remembers the requests of the last minutes, so that a copy of one is refused.
//
// What it has forgotten it refuses by time: nothing from before its start, and nothing older than
// the window.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "podkit/replica/chunk.h"

namespace podkit::replica {

class ReplayWindow {
 public:
  static constexpr size_t kMaxRequests = 1 << 20;  // About 100 MiB.

  ReplayWindow(absl::Duration max_clock_skew, absl::Time start, size_t max_requests = kMaxRequests);

  // `request` is the hash of the signed bytes, whose signature is good. kUnauthenticated if it was
  // taken before, or may have been; kUnavailable if there are more in the window than can be
  // remembered: later.
  absl::Status Take(const ChunkHash& request, absl::Time sent, absl::Time now);

 private:
  void Forget(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration max_clock_skew_;
  const absl::Time start_;
  const size_t max_requests_;
  Mutex mutex_;
  std::set<std::pair<absl::Time, ChunkHash>> taken_ ABSL_GUARDED_BY(mutex_);  // By time of sending.
};

}  // namespace podkit::replica
