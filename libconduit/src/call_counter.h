// Counts the calls of one command in one direction.
//
// Thread-safe; a reader may see the three numbers of a call apart for a moment.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace podkit::conduit::internal {

class CallCounter {
 public:
  void Add(bool ok, absl::Duration took) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    if (!ok) failed_.fetch_add(1, std::memory_order_relaxed);
    nanoseconds_.fetch_add(absl::ToInt64Nanoseconds(took), std::memory_order_relaxed);
  }

  int64_t calls() const { return calls_.load(std::memory_order_relaxed); }
  int64_t failed() const { return failed_.load(std::memory_order_relaxed); }
  double seconds() const {
    return static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
  }

 private:
  std::atomic<int64_t> calls_{0};
  std::atomic<int64_t> failed_{0};
  std::atomic<int64_t> nanoseconds_{0};
};

}  // namespace podkit::conduit::internal
