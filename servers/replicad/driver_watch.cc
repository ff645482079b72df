#include "servers/replicad/driver_watch.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/time/clock.h"

namespace podkit::servers {
namespace {

// Reads a chunk that nobody has: a driver that works says so.
std::string AskOnce(replica::ChunkDriver* driver, absl::Duration timeout) {
  const int fd = memfd_create("check", MFD_CLOEXEC);
  if (fd < 0) return fmt::format("no file in memory can be made: errno {}", errno);
  const replica::DriverRequest request = {.name = {.volume = "podkit-check", .file = "none"},
                                          .path = "/"};
  const auto answer =
      driver->Call(replica::DriverMethod::kRead, request, {}, fd, absl::Now() + timeout);
  close(fd);
  if (!answer.ok()) return fmt::format("the driver: {}", std::string(answer.status().message()));
  if (*answer == 0 || *answer == -ENOENT) return "";
  return fmt::format("the driver answers a read with errno {}", -*answer);
}

}  // namespace

DriverWatch::DriverWatch(DriverWatchOptions options) : options_(std::move(options)) {
  Ask();
  thread_ = std::thread([this] { Run(); });
}

DriverWatch::~DriverWatch() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
  }
  changed_.SignalAll();
  thread_.join();
}

std::string DriverWatch::Problem() const {
  MutexLock lock(&mutex_);
  return problem_;
}

void DriverWatch::Ask() {
  const auto driver = options_.driver();
  std::string problem = AskOnce(driver.get(), options_.timeout);
  MutexLock lock(&mutex_);
  problem_.swap(problem);
}

void DriverWatch::Run() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      const absl::Time next = absl::Now() + options_.interval;
      for (absl::Time now = absl::Now(); !stop_ && now < next; now = absl::Now()) {
        changed_.WaitFor(&mutex_, next - now);
      }
      if (stop_) return;
    }
    Ask();
  }
}

}  // namespace podkit::servers
