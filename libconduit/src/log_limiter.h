// Keeps a flood of the same event from filling the log.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

class LogLimiter {
 public:
  LogLimiter(int64_t lines, absl::Duration period) : lines_(lines), period_(period) {}

  // How many lines were left out since the last one, if this one may be written.
  std::optional<int64_t> Admit(absl::Time now) {
    MutexLock lock(&mutex_);
    if (now >= period_start_ + period_ || now < period_start_) {
      period_start_ = now;
      written_ = 0;
    }
    if (written_ >= lines_) {
      ++left_out_;
      return std::nullopt;
    }
    ++written_;
    return std::exchange(left_out_, 0);
  }

 private:
  const int64_t lines_;
  const absl::Duration period_;
  Mutex mutex_;
  absl::Time period_start_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int64_t written_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace podkit::conduit::internal
