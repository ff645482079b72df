// podd: serves one pod until it is told to stop.

#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "servers/common/version.h"
#include "servers/podd/config.h"
#include "servers/podd/log.h"
#include "servers/podd/pod_server.h"

namespace podkit::servers {
namespace {

constexpr absl::Duration kGrace = absl::Seconds(10);
constexpr absl::Duration kLongestStop = absl::Seconds(25);

constexpr int kCannotRun = 1;
constexpr int kWrongUsage = 2;

int Fail(const absl::Status& status, int exit_code) {
  fmt::print(stderr, "podd: {}\n", OneLine(std::string(status.message())));
  return exit_code;
}

absl::StatusOr<PoddConfig> Configure(const PoddCommandLine& line) {
  PoddSettings settings = line.settings;
  if (!line.config_file.empty()) {
    PODKIT_ASSIGN_OR_RETURN(const PoddSettings file, ReadSettings(line.config_file));
    settings = Merge(settings, file);
  }
  return CheckSettings(settings);
}

// Waits for the signals that all threads block, until one asks to stop.
void ServeUntilStopped(const sigset_t& signals, PodServer* server, spdlog::logger* log) {
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGHUP) {
      log->info("stopping: {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
      return;
    }
    server->Reload();
  }
}

// Should the stop hang, the process ends all the same: every acknowledged write is on the disk.
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

void LogHints(const PoddConfig& config, spdlog::logger* log) {
  log->info("the operator's token is in '{}'", config.token_file);
  if (config.users_file.empty()) {
    log->info(
        "no user lives here: write {{\"users\": [{{\"uid\": \"ann\", \"name\": \"Ann\", "
        "\"pod\": \"{}\"}}]}} to users.json and start with --users-file users.json",
        config.pod);
  }
}

int Serve(const PoddConfig& config) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  umask(077);

  const auto log = MakeLog(config.pod, config.log_level);
  PoddConfig serving = config;
  auto server = PodServer::Start(config, log);
  if (!server.ok()) return Fail(server.status(), kCannotRun);
  serving.port = (*server)->port();
  log->info("podd {} listening on {}, data in '{}'", kVersion, serving.url(), config.data);
  LogHints(config, log.get());
  ServeUntilStopped(signals, server->get(), log.get());
  BoundStop(signals, log);
  (*server)->Stop(kGrace);
  server->reset();
  log->info("stopped");
  return 0;
}

int Main(const std::vector<std::string>& arguments) {
  const auto line = ParseCommandLine(arguments);
  if (!line.ok()) return Fail(line.status(), kWrongUsage);
  if (const auto& answer = line->answer; answer.has_value()) {
    fmt::print("{}", *answer);
    return 0;
  }
  const auto config = Configure(*line);
  if (!config.ok()) return Fail(config.status(), kWrongUsage);
  if (!line->check_config) return Serve(*config);
  const absl::Status status = PodServer::Check(*config);
  if (!status.ok()) return Fail(status, kCannotRun);
  fmt::print("the configuration is good: pod {} on {}, data in '{}'\n", config->pod, config->url(),
             config->data);
  return 0;
}

}  // namespace
}  // namespace podkit::servers

int main(int argc, char** argv) {
  try {
    return podkit::servers::Main(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "podd: %s\n", error.what());
    return 1;
  }
}
