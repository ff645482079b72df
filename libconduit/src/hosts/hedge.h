// When a read that has no answer yet is sent a second time, to another host: after the time within
// which 95 of 100 late reads were answered. (After Dean and Barroso, "The Tail at Scale", 2013.)
//
// Thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

struct HedgeOptions {
  double quantile = 0.95;
  double min_answers = 20;                       // Fewer say nothing about a tail.
  absl::Duration least = absl::Milliseconds(1);  // Never earlier.
  absl::Duration half_life = absl::Seconds(10);  // An answer counts half after this time.
};

class HedgeDelay {
 public:
  explicit HedgeDelay(const HedgeOptions& options) : options_(options) {}

  // A read was answered after `latency`.
  void Answered(absl::Duration latency, absl::Time now) {
    MutexLock lock(&mutex_);
    Decay(now);
    ++counts_.at(BucketOf(latency));
  }

  // How long to wait for the first answer: at least the quantile, and at most a fifth above it.
  // Nothing while too few answers are known.
  std::optional<absl::Duration> Get(absl::Time now) {
    MutexLock lock(&mutex_);
    Decay(now);
    double all = 0;
    for (const double count : counts_) all += count;
    if (all < options_.min_answers) return std::nullopt;
    double below = 0;
    size_t bucket = 0;
    for (; bucket + 1 < kBuckets; ++bucket) {
      below += counts_.at(bucket);
      if (below >= options_.quantile * all) break;
    }
    return std::max(EndOf(bucket), options_.least);
  }

 private:
  // Four to an octave, from 100 microseconds to 100 seconds.
  static constexpr size_t kBuckets = 81;

  static absl::Duration EndOf(size_t bucket) {
    return absl::Microseconds(100) * std::exp2(static_cast<double>(bucket) / 4);
  }
  static size_t BucketOf(absl::Duration latency) {
    size_t bucket = 0;
    while (bucket + 1 < kBuckets && EndOf(bucket) < latency) ++bucket;
    return bucket;
  }

  // A tenth of the half-life at a time: between, nothing needs to be touched.
  void Decay(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const double halvings = absl::FDivDuration(now - decayed_, options_.half_life);
    if (halvings < 0) decayed_ = now;  // The clock was set back.
    if (halvings < 0.1) return;
    for (double& count : counts_) count *= std::exp2(-halvings);
    decayed_ = now;
  }

  const HedgeOptions options_;
  Mutex mutex_;
  std::array<double, kBuckets> counts_ ABSL_GUARDED_BY(mutex_){};
  absl::Time decayed_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace podkit::conduit::internal
