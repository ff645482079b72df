#include "servers/http/worker_pool.h"

#include <algorithm>
#include <utility>

namespace podkit::servers {

WorkerPool::WorkerPool(int threads, size_t queue_limit) : queue_limit_(queue_limit) {
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

bool WorkerPool::Submit(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    if (stopped_ || queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(task));
  }
  changed_.Signal();
  return true;
}

size_t WorkerPool::Depth() const {
  MutexLock lock(&mutex_);
  return queue_.size();
}

void WorkerPool::Stop() {
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

void WorkerPool::Work() {
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

bool WorkerPool::OnWorkerThread() const {
  return std::find(ids_.begin(), ids_.end(), std::this_thread::get_id()) != ids_.end();
}

}  // namespace podkit::servers
