#include "podkit/conduit/scheduler.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "common/mutex.h"
#include "timer_queue.h"

namespace podkit::conduit {
namespace {

// What the thread works with; it may outlive the scheduler.
class TimerThread {
 public:
  void Stop() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    changed_.SignalAll();
  }

  uint64_t Add(absl::Time when, std::function<void()> work) {
    bool is_next = false;
    uint64_t id = 0;
    {
      MutexLock lock(&mutex_);
      is_next = when < sleeps_until_;
      id = queue_.Add(when, std::move(work));
    }
    if (is_next) changed_.SignalAll();
    return id;
  }

  bool Remove(uint64_t id) {
    MutexLock lock(&mutex_);
    return queue_.Remove(id);
  }

  void Run() {
    while (const auto work = NextDue()) work();
  }

 private:
  // Waits for the next piece of work; nothing when the scheduler ends.
  internal::TimerQueue::Work NextDue() {
    MutexLock lock(&mutex_);
    while (!stopping_) {
      const absl::Time now = absl::Now();
      if (auto work = queue_.TakeDue(now)) return work;
      // The wall clock can be set: look again at least once a minute.
      sleeps_until_ = std::min(queue_.next(), now + absl::Minutes(1));
      changed_.WaitFor(&mutex_, sleeps_until_ - now);
      sleeps_until_ = absl::InfinitePast();
    }
    return {};
  }

  Mutex mutex_;
  CondVar changed_;
  internal::TimerQueue queue_ ABSL_GUARDED_BY(mutex_);
  // Work that comes later need not wake the thread, also if what it sleeps for was cancelled.
  absl::Time sleeps_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

class SystemScheduler final : public Scheduler {
 public:
  SystemScheduler() : thread_([timers = timers_] { timers->Run(); }) {}
  ~SystemScheduler() override {
    timers_->Stop();
    // Work that holds the last reference to what holds the scheduler ends it from its own thread.
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

  absl::Time Now() const override { return absl::Now(); }
  uint64_t At(absl::Time when, std::function<void()> work) override {
    return timers_->Add(when, std::move(work));
  }
  bool Cancel(uint64_t id) override { return timers_->Remove(id); }

 private:
  const std::shared_ptr<TimerThread> timers_ = std::make_shared<TimerThread>();
  std::thread thread_;
};

}  // namespace

std::shared_ptr<Scheduler> MakeSystemScheduler() { return std::make_shared<SystemScheduler>(); }

}  // namespace podkit::conduit
