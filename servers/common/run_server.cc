#include "servers/common/run_server.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "absl/time/clock.h"
#include "servers/common/log.h"

namespace podkit::servers {
namespace {

constexpr absl::Duration kLongestStop = absl::Seconds(25);

sigset_t OwnSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

void BoundStop(const sigset_t& signals, const std::shared_ptr<spdlog::logger>& log) {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGHUP, SIG_IGN);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  std::thread([log] {
    absl::SleepFor(kLongestStop);
    log->error("the stop took longer than {} s: ended without it",
               absl::ToInt64Seconds(kLongestStop));
    std::_Exit(kCannotRun);
  }).detach();
}

}  // namespace

int FailProcess(std::string_view program, const absl::Status& status, int exit_code) {
  fmt::print(stderr, "{}: {}\n", program, OneLine(std::string(status.message())));
  return exit_code;
}

int PrintAnswer(std::string_view text) {
  fmt::print("{}", text);
  return 0;
}

void PrepareProcess() {
  const sigset_t signals = OwnSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  umask(077);
}

void RunUntilStopped(const std::shared_ptr<spdlog::logger>& log,
                     const std::function<void()>& reload, const std::function<void()>& stop) {
  const sigset_t signals = OwnSignals();
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGHUP) {
      reload();
      continue;
    }
    log->info("stopping: {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    break;
  }
  BoundStop(signals, log);
  stop();
  log->info("stopped");
}

int RunMain(std::string_view program, int argc, char** argv,
            const std::function<int(const std::vector<std::string>&)>& main) {
  try {
    return main(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    return kCannotRun;
  }
}

}  // namespace podkit::servers
