#include "tests/support/process_under_test.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "common/mutex.h"

namespace podkit::testing {

// Collects what comes out of a pipe.
class ProcessUnderTest::Output {
 public:
  Output() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
  }
  ~Output() {
    if (ends_[1] >= 0) close(ends_[1]);
    if (thread_.joinable()) thread_.join();
    close(ends_[0]);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  int write_end() const { return ends_[1]; }

  // Only the program has the write end from now on.
  void Start() {
    close(std::exchange(ends_[1], -1));
    thread_ = std::thread([this] { Read(); });
  }

  std::string Text() const {
    MutexLock lock(&mutex_);
    return text_;
  }

  // False if the time is over or nothing more can come.
  bool WaitFor(std::string_view wanted, absl::Duration limit) {
    const absl::Time end = absl::Now() + limit;
    MutexLock lock(&mutex_);
    while (text_.find(wanted) == std::string::npos) {
      const absl::Duration left = end - absl::Now();
      if (ended_ || left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(&mutex_, left);
    }
    return true;
  }

  // Waits for everything that the program printed before its end.
  void WaitForEnd() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Read() {
    std::array<char, 4096> buffer;
    for (;;) {
      const ssize_t got = read(ends_[0], buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      MutexLock lock(&mutex_);
      if (got <= 0) ended_ = true;
      if (got > 0) text_.append(buffer.data(), static_cast<size_t>(got));
      changed_.SignalAll();
      if (ended_) return;
    }
  }

  std::array<int, 2> ends_{-1, -1};
  std::thread thread_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

namespace {

// What exec takes: the texts must outlive it.
std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::vector<std::string>& settings) {
  std::vector<std::string> environment = settings;
  for (char** inherited = environ; *inherited != nullptr; ++inherited) {
    const std::string_view text = *inherited;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool replaced =
        std::any_of(settings.begin(), settings.end(),
                    [&](const std::string& own) { return own.starts_with(name); });
    if (!replaced) environment.emplace_back(text);
  }
  return environment;
}

// In the child, where after the fork only async-signal-safe calls are allowed.
[[noreturn]] void Become(char* const* arguments, char* const* environment,
                         const ProcessOptions& options, int out, int err, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int in = open(options.input_file.c_str(), O_RDONLY);
  if (in < 0 || dup2(in, STDIN_FILENO) < 0) _exit(126);
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(126);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execve(arguments[0], arguments, environment);
  _exit(127);
}

}  // namespace

ProcessUnderTest::ProcessUnderTest(std::vector<std::string> arguments,
                                   const ProcessOptions& options)
    : name_(arguments.front()), out_(std::make_unique<Output>()), err_(std::make_unique<Output>()) {
  std::vector<std::string> environment = Environment(options.environment);
  const auto argv = Pointers(&arguments);
  const auto envp = Pointers(&environment);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    Become(argv.data(), envp.data(), options, out_->write_end(), err_->write_end(), parent);
  }
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));  // Not extern "C" in glibc 2.36.
  out_->Start();
  err_->Start();
  if (pid_fd_ < 0) throw std::system_error(errno, std::generic_category(), "pidfd_open");
}

ProcessUnderTest::~ProcessUnderTest() {
  if (pid_fd_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(pid_fd_);
}

std::string ProcessUnderTest::Out() const { return out_->Text(); }
std::string ProcessUnderTest::Err() const { return err_->Text(); }

void ProcessUnderTest::WaitForErr(std::string_view text, absl::Duration limit) {
  if (!err_->WaitFor(text, limit)) Fail(fmt::format("does not say '{}'", text));
}

void ProcessUnderTest::WaitForOut(std::string_view text, absl::Duration limit) {
  if (!out_->WaitFor(text, limit)) Fail(fmt::format("does not say '{}'", text));
}

void ProcessUnderTest::Signal(int signal) {
  if (pid_fd_ >= 0) kill(pid_, signal);
}

int ProcessUnderTest::Wait(absl::Duration limit) {
  if (pid_fd_ < 0) return result_;
  pollfd ended{.fd = pid_fd_, .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(limit))) != 1) {
    Fail("does not end");
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  close(std::exchange(pid_fd_, -1));
  out_->WaitForEnd();
  err_->WaitForEnd();
  result_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return result_;
}

void ProcessUnderTest::Kill() {
  Signal(SIGKILL);
  Wait();
}

void ProcessUnderTest::Fail(std::string_view what) const {
  throw std::runtime_error(
      fmt::format("{} {}\nstandard output:\n{}\nstandard error:\n{}", name_, what, Out(), Err()));
}

ProcessResult RunProcess(std::vector<std::string> arguments, const ProcessOptions& options,
                         absl::Duration limit) {
  ProcessUnderTest process(std::move(arguments), options);
  const int exit_code = process.Wait(limit);
  return {.exit_code = exit_code, .out = process.Out(), .err = process.Err()};
}

}  // namespace podkit::testing
