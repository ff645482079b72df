#include "podkit/replica/worker.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "confine.h"
#include "files.h"
#include "fmt/format.h"
#include "loaded_driver.h"
#include "python_worker.h"
#include "worker_channel.h"
#include "worker_messages.h"

namespace podkit::replica {
namespace {

constexpr size_t kMaxSettings = 1 << 20;

// The bytes of a file in memory, without a copy.
class Mapping {
 public:
  static absl::StatusOr<Mapping> Of(int fd, uint64_t offset, uint64_t size) {
    Mapping mapping;
    if (size == 0) return mapping;
    PODKIT_ASSIGN_OR_RETURN(const uint64_t file_size, SizeOf(fd, "the chunk"));
    if (offset > file_size || size > file_size - offset) {
      return absl::InvalidArgumentError("a chunk that lies beyond its file");
    }
    const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const uint64_t begin = offset / page * page;
    mapping.mapped_ = offset - begin + size;
    mapping.address_ =
        mmap(nullptr, mapping.mapped_, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(begin));
    if (mapping.address_ == MAP_FAILED) {
      mapping.address_ = nullptr;
      return FromErrno(errno, "map", "the chunk");
    }
    mapping.bytes_ = {static_cast<const char*>(mapping.address_) + (offset - begin), size};
    return mapping;
  }
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)),
        mapped_(other.mapped_),
        bytes_(other.bytes_) {}
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (address_ != nullptr) munmap(address_, mapped_);
  }

  std::string_view bytes() const { return bytes_; }

 private:
  Mapping() = default;

  void* address_ = nullptr;
  size_t mapped_ = 0;
  std::string_view bytes_ = "";
};

struct Start {
  HelloMessage hello;
  UniqueFd settings;
};

absl::StatusOr<Start> ReceiveHello(const WorkerChannel& channel, DriverMethod method) {
  PODKIT_ASSIGN_OR_RETURN(auto received, channel.Receive(absl::InfiniteFuture()));
  if (received.frame.type != FrameType::kHello || received.fds.size() != 1) {
    return absl::InvalidArgumentError("the gateway did not begin with a hello");
  }
  PODKIT_ASSIGN_OR_RETURN(HelloMessage hello, ParseHello(received.frame.payload));
  if (hello.method != method) return absl::InvalidArgumentError("a hello for another method");
  return Start{std::move(hello), std::move(received.fds[0])};
}

absl::StatusOr<DriverSettings> ReadSettings(int fd) {
  PODKIT_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(fd, "the driver's settings"));
  if (size > kMaxSettings) return absl::InvalidArgumentError("the driver's settings are too large");
  std::string text(size, '\0');
  PODKIT_RETURN_IF_ERROR(ReadExactly(fd, 0, text, "the driver's settings"));
  auto settings = ParseSettings(text);
  explicit_bzero(text.data(), text.size());
  return settings;
}

// Answers one call. Only a failure of the protocol is an error.
absl::Status Serve(const WorkerChannel& channel, DriverMethod method, LoadedDriver* driver,
                   const WorkerChannel::Received& received) {
  if (received.frame.type != FrameType::kCall ||
      received.fds.size() != size_t{TakesChunk(method)} + size_t{GivesChunk(method)}) {
    return absl::InvalidArgumentError("the gateway sent no call");
  }
  PODKIT_ASSIGN_OR_RETURN(const CallMessage call, ParseCall(received.frame.payload));
  const int input = TakesChunk(method) ? received.fds.front().get() : -1;
  PODKIT_ASSIGN_OR_RETURN(const Mapping chunk,
                          Mapping::Of(input, call.offset, TakesChunk(method) ? call.size : 0));
  const int output = GivesChunk(method) ? received.fds.back().get() : -1;
  const AnswerMessage answer = {driver->Call(method, call.request, chunk.bytes(), output)};
  return channel.Send({FrameType::kAnswer, received.frame.id, Encode(answer)}, {});
}

int Refuse(const WorkerChannel& channel, const absl::Status& why) {
  const std::string text(why.message());
  static_cast<void>(channel.Send({FrameType::kReady, 0, Encode(ReadyMessage{.error = text})}, {}));
  fmt::print(stderr, "{}\n", text);
  return 2;
}

int ServeUntilTheEnd(const WorkerChannel& channel, DriverMethod method, LoadedDriver* driver) {
  for (;;) {
    const auto received = channel.Receive(absl::InfiniteFuture());
    if (absl::IsUnavailable(received.status())) return 0;  // The gateway is gone.
    const absl::Status served =
        received.ok() ? Serve(channel, method, driver, *received) : received.status();
    if (!served.ok()) {
      fmt::print(stderr, "{}\n", served.ToString());
      return absl::IsUnavailable(served) ? 0 : 3;
    }
  }
}

}  // namespace

int RunWorker(int argc, char** argv) {
  const auto method = argc == 2 ? MethodNamed(argv[1]) : std::nullopt;
  if (!method) {
    fmt::print(stderr,
               "usage: rg-driver <read|write|delete|rename|serialize|deserialize>\n"
               "Started by a gateway, with a socket to it as descriptor {}.\n",
               kWorkerSocket);
    return 1;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const WorkerChannel channel((UniqueFd(kWorkerSocket)));
  const auto start = ReceiveHello(channel, *method);
  if (!start.ok()) {
    fmt::print(stderr, "{}\n", start.status().ToString());
    return 3;
  }
  const std::string& path = start->hello.driver;
  const absl::Status confined = ConfineProcess(start->hello.confinement, path);
  if (!confined.ok()) return Refuse(channel, confined);
  if (path.ends_with(".py")) {
    return Refuse(channel, BecomePythonWorker(*method, path, channel.fd(), start->settings.get()));
  }
  auto settings = ReadSettings(start->settings.get());
  if (!settings.ok()) return Refuse(channel, settings.status());
  const auto driver = LoadedDriver::Load(path, *settings);
  explicit_bzero(settings->secrets.data(), settings->secrets.size());
  if (!driver.ok()) return Refuse(channel, driver.status());
  const ReadyMessage ready = {.implemented = (*driver)->Has(*method),
                              .name = std::string((*driver)->name())};
  if (!channel.Send({FrameType::kReady, 0, Encode(ready)}, {}).ok() || !ready.implemented) return 0;
  return ServeUntilTheEnd(channel, *method, driver->get());
}

}  // namespace podkit::replica
