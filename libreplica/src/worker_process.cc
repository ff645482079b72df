#include "worker_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "files.h"
#include "fmt/format.h"
#include "podkit/replica/worker.h"

namespace podkit::replica {
namespace {

constexpr size_t kMaxLine = 4096;
constexpr size_t kLargestReserved = 16;  // Descriptors below are dup2 targets in the child.

// Moves a descriptor above those that the child gives a meaning.
absl::StatusOr<UniqueFd> Above(UniqueFd fd) {
  UniqueFd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, kLargestReserved));
  if (!moved) return FromErrno(errno, "keep", "a descriptor");
  return moved;
}

struct Ends {
  UniqueFd mine;
  UniqueFd childs;
};

absl::StatusOr<Ends> SocketPair() {
  std::array<int, 2> fds;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return FromErrno(errno, "make", "a socket to a worker");
  }
  Ends ends = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  PODKIT_ASSIGN_OR_RETURN(ends.childs, Above(std::move(ends.childs)));
  return ends;
}

absl::StatusOr<Ends> OutputPipe() {
  std::array<int, 2> fds;
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return FromErrno(errno, "make", "a pipe");
  Ends ends = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  fcntl(ends.mine.get(), F_SETFL, O_NONBLOCK);
  PODKIT_ASSIGN_OR_RETURN(ends.childs, Above(std::move(ends.childs)));
  return ends;
}

// posix_spawn, because a fork of a process with many threads and much memory is slow and fragile.
absl::StatusOr<pid_t> Spawn(const std::string& program, DriverMethod method, int socket,
                            int output) {
  std::string name = program;
  std::string argument(NameOf(method));
  std::string path = "PATH=/usr/bin:/bin";
  std::string locale = "LC_ALL=C.UTF-8";
  const std::array<char*, 3> arguments = {name.data(), argument.data(), nullptr};
  const std::array<char*, 3> environment = {path.data(), locale.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, kWorkerSocket);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments.data(),
                                environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return FromErrno(error, "start", program);
  return pid;
}

}  // namespace

absl::StatusOr<UniqueFd> SettingsFile(const DriverSettings& settings) {
  PODKIT_RETURN_IF_ERROR(ParseSettings(Encode(settings)).status());
  UniqueFd file(memfd_create("settings", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return FromErrno(errno, "make", "a file in memory");
  PODKIT_RETURN_IF_ERROR(WriteAll(file.get(), Encode(settings), "a file in memory"));
  if (fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return FromErrno(errno, "seal", "a file in memory");
  }
  return file;
}

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(const std::string& program,
                                                                    const HelloMessage& hello,
                                                                    int settings) {
  PODKIT_ASSIGN_OR_RETURN(Ends socket, SocketPair());
  PODKIT_ASSIGN_OR_RETURN(Ends output, OutputPipe());
  PODKIT_ASSIGN_OR_RETURN(const pid_t pid,
                          Spawn(program, hello.method, socket.childs.get(), output.childs.get()));
  std::unique_ptr<WorkerProcess> process(
      new WorkerProcess(pid, std::move(socket.mine), std::move(output.mine)));
  socket.childs.Reset();
  PODKIT_RETURN_IF_ERROR(
      process->channel_.Send({FrameType::kHello, 0, Encode(hello)}, {{settings}}));
  return process;
}

WorkerProcess::WorkerProcess(pid_t pid, UniqueFd socket, UniqueFd output)
    : pid_(pid), channel_(std::move(socket)), output_(std::move(output)) {}

WorkerProcess::~WorkerProcess() {
  Kill();
  while (!reaped_ && waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool WorkerProcess::HasEnded() {
  if (!reaped_) reaped_ = waitpid(pid_, nullptr, WNOHANG) == pid_;
  return reaped_;
}

absl::StatusOr<ReadyMessage> WorkerProcess::ReceiveReady(absl::Time deadline) const {
  PODKIT_ASSIGN_OR_RETURN(const auto received, channel_.Receive(deadline));
  if (received.frame.type != FrameType::kReady) {
    return absl::InvalidArgumentError("a worker did not answer the hello");
  }
  return ParseReady(received.frame.payload);
}

WorkerProcess::Exchanged WorkerProcess::Exchange(DriverMethod method, const CallMessage& call,
                                                 int input, int output, absl::Time deadline) {
  std::array<int, kMaxFrameFds> fds = {};
  size_t count = 0;
  if (TakesChunk(method)) fds[count++] = input;
  if (GivesChunk(method)) fds[count++] = output;
  const uint32_t id = next_call_++;
  if (!channel_.Send({FrameType::kCall, id, Encode(call)}, {fds.data(), count}).ok()) {
    return {Outcome::kNotSent};
  }
  const auto received = channel_.Receive(deadline);
  if (absl::IsDeadlineExceeded(received.status())) return {Outcome::kHung};
  if (absl::IsUnavailable(received.status())) return {Outcome::kCrashed};
  if (!received.ok() || received->frame.type != FrameType::kAnswer || received->frame.id != id ||
      !received->fds.empty()) {
    return {Outcome::kGarbage};
  }
  const auto answer = ParseAnswer(received->frame.payload);
  if (!answer.ok()) return {Outcome::kGarbage};
  return {Outcome::kAnswered, answer->error};
}

bool WorkerProcess::ReadOutput(std::string* lines) {
  if (!output_) return false;
  std::array<char, 4096> buffer;
  const ssize_t n = read(output_.get(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n > 0) partial_line_.append(buffer.data(), static_cast<size_t>(n));
  const bool ended = n <= 0;
  const size_t end = partial_line_.rfind('\n');
  const bool flush = ended || partial_line_.size() > kMaxLine;
  const size_t take = flush ? partial_line_.size() : end == std::string::npos ? 0 : end + 1;
  lines->append(partial_line_, 0, take);
  partial_line_.erase(0, take);
  if (ended) output_.Reset();
  return !ended;
}

void WorkerProcess::Kill() const { kill(-pid_, SIGKILL); }

}  // namespace podkit::replica
