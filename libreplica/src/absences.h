// Which chunks the driver did not have when it was asked, for a short time: whoever asks again is
// answered without it.
//
// Thread-safe. Keeps a bounded number of names, the newest.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace podkit::replica {

class Absences {
 public:
  explicit Absences(absl::Duration kept_for) : kept_for_(kept_for) {}

  void Note(const std::string& key, absl::Time now) {
    if (kept_for_ <= absl::ZeroDuration()) return;
    MutexLock lock(&mutex_);
    until_[key] = now + kept_for_;
    order_.emplace_back(now + kept_for_, key);
    while (order_.size() > kMaxNames || order_.front().first <= now) {
      const auto noted = until_.find(order_.front().second);
      // Else it was forgotten, or noted again since.
      if (noted != until_.end() && noted->second == order_.front().first) until_.erase(noted);
      order_.pop_front();
    }
  }
  bool Has(const std::string& key, absl::Time now) const {
    MutexLock lock(&mutex_);
    const auto noted = until_.find(key);
    return noted != until_.end() && now < noted->second;
  }
  void Forget(const std::string& key) {
    MutexLock lock(&mutex_);
    until_.erase(key);
  }

 private:
  static constexpr size_t kMaxNames = 65'536;

  const absl::Duration kept_for_;
  mutable Mutex mutex_;
  std::map<std::string, absl::Time> until_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<absl::Time, std::string>> order_ ABSL_GUARDED_BY(mutex_);  // Oldest first.
};

}  // namespace podkit::replica
