#include "servers/podctl/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace podkit::podctl {
namespace {

constexpr int kCannotRun = 127;

// In the child, where only async-signal-safe calls are allowed.
[[noreturn]] void Become(char* const* arguments, int log, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setpgid(0, 0);  // Ctrl-C is for the parent, which then stops its children in order.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(kCannotRun);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments);
  _exit(kCannotRun);
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(std::vector<std::string> arguments,
                                                 const std::string& log_file) {
  if (access(arguments.front().c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        fmt::format("there is no program '{}': build it", arguments.front()));
  }
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) {
    return absl::UnavailableError(
        fmt::format("cannot write '{}': {}", log_file, std::strerror(errno)));
  }
  std::vector<char*> raw;
  raw.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) raw.push_back(argument.data());
  raw.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(raw.data(), log, parent);
  close(log);
  if (pid < 0) {
    return absl::ResourceExhaustedError(
        fmt::format("cannot start '{}': {}", arguments.front(), std::strerror(errno)));
  }
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), wait_status_(other.wait_status_) {}

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &wait_status_, 0);
}

bool ChildProcess::Running() {
  if (pid_ != 0 && waitpid(pid_, &wait_status_, WNOHANG) == pid_) pid_ = 0;
  return pid_ != 0;
}

std::string ChildProcess::End() const {
  if (WIFSIGNALED(wait_status_)) return fmt::format("signal {}", WTERMSIG(wait_status_));
  return fmt::format("exit status {}", WEXITSTATUS(wait_status_));
}

void ChildProcess::Signal(int signal) {
  if (pid_ != 0) kill(pid_, signal);
}

}  // namespace podkit::podctl
