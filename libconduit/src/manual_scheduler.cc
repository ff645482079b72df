#include "podkit/conduit/testing/manual_scheduler.h"

#include <algorithm>
#include <utility>

#include "common/mutex.h"
#include "timer_queue.h"

namespace podkit::conduit::testing {

struct ManualScheduler::State {
  mutable Mutex mutex;
  absl::Time now ABSL_GUARDED_BY(mutex);
  internal::TimerQueue queue ABSL_GUARDED_BY(mutex);

  // The next piece of work due by `end`, with the clock moved to it; nothing leaves the clock
  // alone.
  internal::TimerQueue::Work TakeBy(absl::Time end) {
    MutexLock lock(&mutex);
    const absl::Time next = queue.next();
    auto work = queue.TakeDue(end);
    if (work) now = std::max(now, next);
    return work;
  }
};

ManualScheduler::ManualScheduler(absl::Time start) : state_(std::make_unique<State>()) {
  MutexLock lock(&state_->mutex);
  state_->now = start;
}

ManualScheduler::~ManualScheduler() = default;

absl::Time ManualScheduler::Now() const {
  MutexLock lock(&state_->mutex);
  return state_->now;
}

uint64_t ManualScheduler::At(absl::Time when, std::function<void()> work) {
  MutexLock lock(&state_->mutex);
  return state_->queue.Add(when, std::move(work));
}

bool ManualScheduler::Cancel(uint64_t id) {
  MutexLock lock(&state_->mutex);
  return state_->queue.Remove(id);
}

void ManualScheduler::Advance(absl::Duration duration) {
  const absl::Time end = Now() + duration;
  while (const auto work = state_->TakeBy(end)) work();
  MutexLock lock(&state_->mutex);
  state_->now = std::max(state_->now, end);
}

bool ManualScheduler::RunNext() {
  const auto work = state_->TakeBy(absl::InfiniteFuture());
  if (work) work();
  return work != nullptr;
}

size_t ManualScheduler::pending() const {
  MutexLock lock(&state_->mutex);
  return state_->queue.size();
}

}  // namespace podkit::conduit::testing
