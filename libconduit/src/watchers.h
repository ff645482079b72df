// Those who want to know when something has changed.
//
// Thread-safe. A watcher is called by whoever tells, without locks held.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

template <typename... News>
class Watchers {
 public:
  using Watcher = std::function<void(const News&...)>;

  // Until what is returned is let go of; `changed` may be called one last time while that happens.
  std::shared_ptr<void> Add(Watcher changed) {
    auto watcher = std::make_shared<Watcher>(std::move(changed));
    MutexLock lock(&mutex_);
    watchers_.push_back(watcher);
    return watcher;
  }

  void Tell(const News&... news) {
    std::vector<std::shared_ptr<Watcher>> told;
    {
      MutexLock lock(&mutex_);
      std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
      for (const auto& watcher : watchers_) {
        if (auto one = watcher.lock()) told.push_back(std::move(one));
      }
    }
    for (const auto& watcher : told) (*watcher)(news...);
  }

 private:
  Mutex mutex_;
  std::vector<std::weak_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
