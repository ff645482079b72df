// How often something happened within the last seconds.
//
// The window is cut into kParts parts and moves by a part at a time. So the true number within
// (now - window, now] lies between AtLeast, which leaves the oldest part out once it is partly too
// old, and AtMost, which keeps it until it is wholly too old. A clock that is set back stands still
// here until it has caught up, but for no longer than a window.
//
// Thread-compatible.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace podkit::conduit::internal {

class WindowCount {
 public:
  static constexpr int64_t kParts = 10;

  explicit WindowCount(absl::Duration window) : part_(window / kParts) {}

  void Add(absl::Time now) {
    MoveTo(now);
    ++counts_[Slot(newest_)];
  }

  int64_t AtLeast(absl::Time now) {
    MoveTo(now);
    return Sum() - counts_[Slot(newest_ - kParts)];
  }

  int64_t AtMost(absl::Time now) {
    MoveTo(now);
    return Sum();
  }

  void Clear() { counts_.fill(0); }

 private:
  static size_t Slot(int64_t part) { return static_cast<size_t>(part % (kParts + 1)); }

  int64_t Sum() const {
    int64_t sum = 0;
    for (const int64_t count : counts_) sum += count;
    return sum;
  }

  void MoveTo(absl::Time now) {
    // Far enough from 0 that no part that is looked at is negative.
    const int64_t part = std::max<int64_t>((now - absl::UnixEpoch()) / part_, 0) + kParts;
    const bool set_back = part < newest_ - kParts;
    if (part - newest_ > kParts || set_back) {
      Clear();
      newest_ = part;
    }
    while (newest_ < part) counts_[Slot(++newest_)] = 0;
  }

  absl::Duration part_;
  int64_t newest_ = kParts;  // The part of time that was seen last.
  std::array<int64_t, kParts + 1> counts_{};
};

}  // namespace podkit::conduit::internal
