#include "podkit/replica/driver_processes.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "files.h"
#include "fmt/format.h"
#include "method_workers.h"

namespace podkit::replica {

class DriverProcesses::Impl {
 public:
  explicit Impl(DriverProcessesOptions options) : options_(std::move(options)) {}

  ~Impl() {
    stopping_ = true;
    Wake();
    if (minder_.joinable()) minder_.join();
  }

  absl::Status Start() {
    wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return FromErrno(errno, "make", "an event descriptor");
    for (int i = 0; i < kDriverMethods; ++i) {
      PODKIT_RETURN_IF_ERROR(Prepare(static_cast<DriverMethod>(i)));
    }
    minder_ = std::thread([this] { Mind(); });
    const absl::Time deadline = absl::Now() + options_.limits.start_timeout;
    for (size_t i = 0; i < methods_.size(); ++i) {
      PODKIT_ASSIGN_OR_RETURN(has_[i], methods_[i]->Start(deadline));
    }
    return CheckWhole();
  }

  bool Has(DriverMethod method) const { return has_[static_cast<size_t>(method)]; }

  MethodWorkers& WorkersOf(DriverMethod method) const {
    return *methods_[static_cast<size_t>(method)];
  }

 private:
  absl::Status Prepare(DriverMethod method) {
    const bool stage = method == DriverMethod::kSerialize || method == DriverMethod::kDeserialize;
    const DriverSource& source =
        stage && !options_.stage.path.empty() ? options_.stage : options_.storage;
    const WorkerLimits& limits = options_.limits;
    HelloMessage hello = {.method = method,
                          .driver = source.path,
                          .confinement = {.readable_paths = source.readable_paths,
                                          .writable_paths = source.writable_paths,
                                          .network = source.network,
                                          .memory_bytes = limits.memory_bytes,
                                          .file_bytes = limits.file_bytes,
                                          .user = limits.user,
                                          .group = limits.group}};
    PODKIT_ASSIGN_OR_RETURN(UniqueFd settings, SettingsFile({source.config, source.secrets}));
    methods_[static_cast<size_t>(method)] = std::make_unique<MethodWorkers>(
        options_.worker_program, std::move(hello), std::move(settings), limits, [this] { Wake(); });
    return absl::OkStatus();
  }

  absl::Status CheckWhole() const {
    for (const auto method : {DriverMethod::kRead, DriverMethod::kWrite, DriverMethod::kDelete}) {
      if (!Has(method)) {
        return absl::InvalidArgumentError(fmt::format("driver {}: it has no method for '{}'",
                                                      options_.storage.path, NameOf(method)));
      }
    }
    if (Has(DriverMethod::kSerialize) != Has(DriverMethod::kDeserialize)) {
      return absl::InvalidArgumentError(
          fmt::format("driver {}: it has one of 'serialize' and 'deserialize', and needs both",
                      options_.stage.path.empty() ? options_.storage.path : options_.stage.path));
    }
    return absl::OkStatus();
  }

  void Wake() {
    const uint64_t one = 1;
    static_cast<void>(!write(wake_.get(), &one, sizeof(one)));  // Full: it will wake anyway.
  }

  void Mind() {
    std::vector<int> fds;
    std::vector<pollfd> waiting;
    while (!stopping_) {
      fds.assign(1, wake_.get());
      absl::Time next = absl::InfiniteFuture();
      for (const auto& method : methods_) next = std::min(next, method->Mind(&fds, options_.log));
      waiting.clear();
      for (const int fd : fds) waiting.push_back({fd, POLLIN, 0});
      const absl::Duration left =
          std::clamp(next - absl::Now(), absl::ZeroDuration(), absl::Seconds(10));
      static_cast<void>(poll(
          waiting.data(), waiting.size(),
          static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))))));
      uint64_t ignored = 0;
      static_cast<void>(!read(wake_.get(), &ignored, sizeof(ignored)));
    }
  }

  const DriverProcessesOptions options_;
  UniqueFd wake_;
  std::array<std::unique_ptr<MethodWorkers>, kDriverMethods> methods_;
  std::array<bool, kDriverMethods> has_ = {};
  std::atomic<bool> stopping_ = false;
  std::thread minder_;
};

DriverProcesses::DriverProcesses(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DriverProcesses::~DriverProcesses() = default;

absl::StatusOr<std::unique_ptr<DriverProcesses>> DriverProcesses::Start(
    DriverProcessesOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  PODKIT_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<DriverProcesses>(new DriverProcesses(std::move(impl)));
}

bool DriverProcesses::Has(DriverMethod method) const { return impl_->Has(method); }

absl::StatusOr<int> DriverProcesses::Call(DriverMethod method, const DriverRequest& request,
                                          const FileBytes& input, int output_fd,
                                          absl::Time deadline) {
  if (!Has(method)) {
    return absl::UnimplementedError(fmt::format("the driver has no '{}'", NameOf(method)));
  }
  return impl_->WorkersOf(method).Call(request, input, output_fd, deadline);
}

WorkerCounters DriverProcesses::counters(DriverMethod method) const {
  return impl_->WorkersOf(method).counters();
}

}  // namespace podkit::replica
