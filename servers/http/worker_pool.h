// A few threads that run tasks from a bounded queue, in order of arrival.
//
// Thread-safe, except that a task must not destroy the pool.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::servers {

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

}  // namespace podkit::servers
