// Waits for many sockets with epoll, on one thread, and runs what other threads post to it.
//
// "Loop thread" is the one in Run. Post, Stop and OnThread are for any thread, all else is for the
// loop thread. Shared by those who may still post when the loop has ended.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

class IoLoop {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // `readable` also when the socket failed or the other side ended.
    virtual void OnReady(bool readable, bool writable) = 0;
    // The loop ends: finish and call Remove, at once or soon. May be called again.
    virtual void OnStop() = 0;
  };

  // kResourceExhausted if the process has no more descriptors.
  static absl::StatusOr<std::shared_ptr<IoLoop>> Create();
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // Until Stop was called and all handlers are removed.
  void Run();
  void Stop();

  // Runs `work` soon, on the loop thread and not inside this call. Dropped when the loop has ended.
  void Post(std::function<void()> work);
  bool OnThread() const { return thread_.load() == std::this_thread::get_id(); }

  // Keeps `handler` until Remove; the handler of a running call stays until after it.
  void Add(std::shared_ptr<Handler> handler);
  void Remove(const Handler* handler);

  // Waits for reads, writes, or both, level-triggered. `fd` is the caller's, who unwatches it
  // before it closes it. False: the system has no memory.
  [[nodiscard]] bool Watch(int fd, Handler* handler, bool reads, bool writes);
  // Of a watched `fd`; with another handler too.
  void Rewatch(int fd, Handler* handler, bool reads, bool writes);
  void Unwatch(int fd);

  // Any handler may read into it during its call.
  std::span<char> scratch() { return scratch_; }
  size_t handlers() const { return handlers_.size(); }

 private:
  IoLoop(int epoll, int event);

  void RunPosted();
  bool Stopped();

  const int epoll_;
  const int event_;  // Readable when something was posted.
  std::atomic<std::thread::id> thread_;

  Mutex mutex_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;

  std::unordered_map<const Handler*, std::shared_ptr<Handler>> handlers_;
  std::vector<std::shared_ptr<Handler>> removed_;  // In this round: its events may name them.
  std::vector<char> scratch_;
};

}  // namespace podkit::conduit::internal
