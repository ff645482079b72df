// How many calls of each pod are being answered, so that none can take all there is.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

class Admission {
 public:
  explicit Admission(size_t max_per_pod) : max_per_pod_(max_per_pod) {}

  bool Enter(const std::string& pod) {
    MutexLock lock(&mutex_);
    size_t& calls = calls_[pod];
    if (calls >= max_per_pod_) return false;
    ++calls;
    return true;
  }

  void Leave(const std::string& pod) {
    MutexLock lock(&mutex_);
    const auto calls = calls_.find(pod);
    if (--calls->second == 0) calls_.erase(calls);
  }

 private:
  const size_t max_per_pod_;
  Mutex mutex_;
  std::map<std::string, size_t> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
