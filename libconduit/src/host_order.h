// In which order to try the hosts of a pod: the one that answered last first.
//
// Thread-safe.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

class HostOrder {
 public:
  std::vector<std::string> Order(std::string_view pod, std::vector<std::string> hosts) const {
    MutexLock lock(&mutex_);
    const auto last = answered_last_.find(pod);
    if (last == answered_last_.end()) return hosts;
    const auto found = std::find(hosts.begin(), hosts.end(), last->second);
    if (found != hosts.end()) std::rotate(hosts.begin(), found, found + 1);
    return hosts;
  }

  void Answered(const std::string& pod, const std::string& host) {
    MutexLock lock(&mutex_);
    std::string& last = answered_last_[pod];
    if (last != host) last = host;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::string, std::less<>> answered_last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
