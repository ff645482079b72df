#include "podkit/conduit/scheduler.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "common/mutex.h"
#include "timer_queue.h"

namespace podkit::conduit {
namespace {

class SystemScheduler final : public Scheduler {
 public:
  SystemScheduler() : thread_([this] { Run(); }) {}
  ~SystemScheduler() override {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    changed_.SignalAll();
    thread_.join();
  }

  absl::Time Now() const override { return absl::Now(); }

  uint64_t At(absl::Time when, std::function<void()> work) override {
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

  bool Cancel(uint64_t id) override {
    MutexLock lock(&mutex_);
    return queue_.Remove(id);
  }

 private:
  void Run() {
    while (const auto work = NextDue()) work();
  }

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
  std::thread thread_;  // The last member: it uses the others.
};

}  // namespace

std::shared_ptr<Scheduler> MakeSystemScheduler() { return std::make_shared<SystemScheduler>(); }

}  // namespace podkit::conduit
