// A few threads that run tasks from a bounded queue, in order of arrival.
//
// Thread-safe, except that a task must not destroy the pool.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit {

class WorkerPool {
 public:
  // Throws std::system_error if the system gives no thread.
  WorkerPool(int threads, size_t queue_limit);
  ~WorkerPool() { Stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, at once, if `queue_limit` tasks wait or the pool is stopped. Tasks must not throw.
  bool Submit(std::function<void()> task);
  // How many tasks wait.
  size_t Depth() const;
  // Drops the tasks that wait and returns when those that run are done. Not from a task.
  void Stop();

  // True in a task.
  bool OnWorkerThread() const;

 private:
  void Work();

  const size_t queue_limit_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
  std::vector<std::thread::id> ids_;  // Constant from the first task on.
};

inline WorkerPool::WorkerPool(int threads, size_t queue_limit) : queue_limit_(queue_limit) {
  threads_.reserve(static_cast<size_t>(threads));
  ids_.reserve(static_cast<size_t>(threads));
  try {
    for (int i = 0; i < threads; ++i) {
      ids_.push_back(threads_.emplace_back([this] { Work(); }).get_id());
    }
  } catch (...) {
    Stop();
    throw;
  }
}

inline bool WorkerPool::Submit(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    if (stopped_ || queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(task));
  }
  changed_.Signal();
  return true;
}

inline size_t WorkerPool::Depth() const {
  MutexLock lock(&mutex_);
  return queue_.size();
}

inline void WorkerPool::Stop() {
  std::deque<std::function<void()>> dropped;
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    dropped.swap(queue_);
  }
  changed_.SignalAll();
  dropped.clear();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

inline void WorkerPool::Work() {
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(&mutex_);
      while (queue_.empty() && !stopped_) changed_.Wait(&mutex_);
      if (stopped_) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

inline bool WorkerPool::OnWorkerThread() const {
  return std::find(ids_.begin(), ids_.end(), std::this_thread::get_id()) != ids_.end();
}

}  // namespace podkit
