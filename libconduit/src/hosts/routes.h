// Which host of a pod holds what a key stands for, as the hosts said. A guess: a host that does not
// hold it says so, and who does.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

class Routes {
 public:
  // Beyond that all are forgotten, and learned anew.
  static constexpr size_t kMost = 65'536;

  // Empty: not known.
  std::string Find(std::string_view key) const {
    MutexLock lock(&mutex_);
    const auto found = hosts_.find(key);
    return found == hosts_.end() ? std::string() : found->second;
  }

  void Set(std::string_view key, std::string host) {
    MutexLock lock(&mutex_);
    if (hosts_.size() >= kMost) hosts_.clear();
    hosts_.insert_or_assign(std::string(key), std::move(host));
  }

  // Only if it is still this host.
  void Forget(std::string_view key, std::string_view host) {
    MutexLock lock(&mutex_);
    const auto found = hosts_.find(key);
    if (found != hosts_.end() && found->second == host) hosts_.erase(found);
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::string, std::less<>> hosts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
