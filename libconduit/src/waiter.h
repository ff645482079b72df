// Hands one value from the thread that makes it to the thread that waits for it.
//
// Thread-safe. Shared by both, for the maker may still be in Set when the waiter has gone on.
#pragma once

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

template <typename T>
class Waiter {
 public:
  // Once.
  void Set(T value) {
    {
      MutexLock lock(&mutex_);
      value_.emplace(std::move(value));
    }
    ready_.Signal();
  }

  T Wait() {
    MutexLock lock(&mutex_);
    while (!value_) ready_.Wait(&mutex_);
    return *std::move(value_);
  }

 private:
  Mutex mutex_;
  CondVar ready_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
