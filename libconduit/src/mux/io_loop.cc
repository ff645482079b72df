#include "mux/io_loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kScratchBytes = size_t{256} << 10;
constexpr int kEventsPerRound = 128;

epoll_event EventFor(void* handler, bool reads, bool writes) {
  epoll_event event{};
  event.events = (reads ? uint32_t{EPOLLIN} : 0) | (writes ? uint32_t{EPOLLOUT} : 0);
  event.data.ptr = handler;
  return event;
}

}  // namespace

absl::StatusOr<std::shared_ptr<IoLoop>> IoLoop::Create() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int error = errno;
  // Owns both, also on failure.
  std::shared_ptr<IoLoop> loop(new IoLoop(epoll, event));
  if (epoll < 0 || event < 0) {
    return absl::ResourceExhaustedError(
        fmt::format("cannot wait for sockets: {}", std::generic_category().message(error)));
  }
  if (!loop->Watch(event, nullptr, true, false)) {
    return absl::ResourceExhaustedError("cannot wait for sockets: no memory");
  }
  return loop;
}

IoLoop::IoLoop(int epoll, int event) : epoll_(epoll), event_(event), scratch_(kScratchBytes) {}

IoLoop::~IoLoop() {
  if (event_ >= 0) close(event_);
  if (epoll_ >= 0) close(epoll_);
}

void IoLoop::Run() {
  // A TLS write to a closed socket must be an error, not the end of the process.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  thread_ = std::this_thread::get_id();
  std::array<epoll_event, kEventsPerRound> events;
  while (!Stopped()) {
    const int count = epoll_wait(epoll_, events.data(), kEventsPerRound, -1);
    bool posted = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.ptr == nullptr) {
        posted = true;
        continue;
      }
      static_cast<Handler*>(event.data.ptr)
          ->OnReady((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                    (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0);
    }
    if (posted) RunPosted();
    removed_.clear();
  }
}

// True when the loop has ended; until then it tells the handlers each time that they must.
bool IoLoop::Stopped() {
  {
    MutexLock lock(&mutex_);
    if (!stopping_) return false;
  }
  std::vector<std::shared_ptr<Handler>> all;
  all.reserve(handlers_.size());
  for (const auto& [raw, handler] : handlers_) all.push_back(handler);
  for (const auto& handler : all) handler->OnStop();
  if (!handlers_.empty()) return false;
  std::vector<std::function<void()>> dropped;
  {
    MutexLock lock(&mutex_);
    ended_ = true;
    dropped.swap(posted_);
  }
  removed_.clear();
  return true;
}

void IoLoop::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Post([] {});
}

void IoLoop::Post(std::function<void()> work) {
  {
    MutexLock lock(&mutex_);
    if (ended_) return;
    posted_.push_back(std::move(work));
    if (posted_.size() > 1) return;  // Told already.
  }
  const uint64_t one = 1;
  static_cast<void>(!write(event_, &one, sizeof(one)));  // Full means that it is readable.
}

void IoLoop::RunPosted() {
  uint64_t count = 0;
  static_cast<void>(!read(event_, &count, sizeof(count)));
  std::vector<std::function<void()>> posted;
  {
    MutexLock lock(&mutex_);
    posted.swap(posted_);
  }
  for (const auto& work : posted) work();
}

void IoLoop::Add(std::shared_ptr<Handler> handler) {
  const Handler* const raw = handler.get();
  handlers_.emplace(raw, std::move(handler));
}

void IoLoop::Remove(const Handler* handler) {
  const auto found = handlers_.find(handler);
  if (found == handlers_.end()) return;
  removed_.push_back(std::move(found->second));
  handlers_.erase(found);
}

bool IoLoop::Watch(int fd, Handler* handler, bool reads, bool writes) {
  epoll_event event = EventFor(handler, reads, writes);
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void IoLoop::Rewatch(int fd, Handler* handler, bool reads, bool writes) {
  epoll_event event = EventFor(handler, reads, writes);
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void IoLoop::Unwatch(int fd) {
  epoll_event event{};
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &event);
}

}  // namespace podkit::conduit::internal
