// Work ordered by its time, then by its arrival: the memory of a scheduler.
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

#include "absl/time/time.h"

namespace podkit::conduit::internal {

class TimerQueue {
 public:
  using Work = std::function<void()>;

  uint64_t Add(absl::Time when, Work work) {
    const uint64_t id = ++last_id_;
    times_.emplace(id, when);
    queue_.emplace(Key(when, id), std::move(work));
    return id;
  }

  bool Remove(uint64_t id) {
    const auto time = times_.find(id);
    if (time == times_.end()) return false;
    queue_.erase(Key(time->second, id));
    times_.erase(time);
    return true;
  }

  // When the first piece is due; InfiniteFuture if there is none.
  absl::Time next() const {
    return queue_.empty() ? absl::InfiniteFuture() : queue_.begin()->first.first;
  }

  // Takes the first piece out if it is due; else what it gives is empty.
  Work TakeDue(absl::Time now) {
    if (next() > now || queue_.empty()) return {};
    auto first = queue_.extract(queue_.begin());
    times_.erase(first.key().second);
    return std::move(first.mapped());
  }

  size_t size() const { return queue_.size(); }

 private:
  using Key = std::pair<absl::Time, uint64_t>;

  uint64_t last_id_ = 0;
  std::map<Key, Work> queue_;
  std::unordered_map<uint64_t, absl::Time> times_;
};

}  // namespace podkit::conduit::internal
