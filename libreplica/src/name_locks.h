// One at a time for each name.
//
// Thread-safe.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace podkit::replica {

class NameLocks {
 public:
  class Held {
   public:
    Held(NameLocks* locks, std::string name) : locks_(locks), name_(std::move(name)) {}
    Held(Held&& other) noexcept
        : locks_(std::exchange(other.locks_, nullptr)), name_(std::move(other.name_)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (locks_ != nullptr) locks_->Release(name_);
    }

   private:
    NameLocks* locks_;
    std::string name_;
  };

  // kUnavailable if others hold the name until `deadline` (of the real clock).
  absl::StatusOr<Held> Take(const std::string& name, absl::Time deadline) {
    MutexLock lock(&mutex_);
    while (held_.contains(name)) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return absl::UnavailableError("others work on the same chunk: try again later");
      }
      released_.WaitFor(&mutex_, left);
    }
    held_.insert(name);
    return Held(this, name);
  }

 private:
  void Release(const std::string& name) {
    MutexLock lock(&mutex_);
    held_.erase(name);
    released_.SignalAll();
  }

  Mutex mutex_;
  CondVar released_;
  std::set<std::string> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::replica
