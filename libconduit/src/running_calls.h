// The calls that this pod is answering and that their callers may cancel by their ids.
//
// Thread-safe.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

class RunningCalls {
 public:
  // Keeps a call for as long as it lives.
  class Entry {
   public:
    Entry(RunningCalls* calls, std::string caller, std::string id)
        : calls_(calls), key_(std::move(caller), std::move(id)), stop_(calls_->Add(key_)) {}
    ~Entry() { calls_->Remove(key_, stop_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    std::stop_token token() const { return stop_.get_token(); }

   private:
    RunningCalls* const calls_;
    const std::pair<std::string, std::string> key_;
    const std::stop_source stop_;
  };

  // Stops a call of `caller`; nothing if it is not running here.
  void Stop(std::string_view caller, std::string_view id) {
    std::optional<std::stop_source> stop;
    {
      MutexLock lock(&mutex_);
      const auto call = calls_.find(Key(caller, id));
      if (call != calls_.end()) stop = call->second;
    }
    if (stop) stop->request_stop();
  }

 private:
  using Key = std::pair<std::string, std::string>;

  // The same id again takes the place of the first one: a caller that repeats ids cannot cancel.
  std::stop_source Add(const Key& key) {
    std::stop_source stop;
    MutexLock lock(&mutex_);
    calls_.insert_or_assign(key, stop);
    return stop;
  }
  void Remove(const Key& key, const std::stop_source& stop) {
    MutexLock lock(&mutex_);
    const auto call = calls_.find(key);
    if (call != calls_.end() && call->second == stop) calls_.erase(call);
  }

  Mutex mutex_;
  std::map<Key, std::stop_source> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
