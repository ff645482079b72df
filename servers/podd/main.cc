// podd: serves one pod until it is told to stop.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "servers/common/log.h"
#include "servers/common/run_server.h"
#include "servers/common/settings.h"
#include "servers/common/version.h"
#include "servers/podd/config.h"
#include "servers/podd/pod_server.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kProgram = "podd";
constexpr absl::Duration kGrace = absl::Seconds(10);

absl::StatusOr<PoddConfig> Configure(const PoddCommandLine& line) {
  PoddSettings settings = line.settings;
  if (!line.config_file.empty()) {
    PODKIT_ASSIGN_OR_RETURN(const PoddSettings file, ReadSettings(line.config_file));
    settings = MergeSettings(settings, file);
  }
  return CheckSettings(settings);
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
  PrepareProcess();
  const auto log = MakeLog("pod " + config.pod, config.log_level);
  PoddConfig serving = config;
  auto server = PodServer::Start(config, log);
  if (!server.ok()) return FailProcess(kProgram, server.status(), kCannotRun);
  serving.port = (*server)->port();
  log->info("podd {} listening on {}, data in '{}'", kVersion, serving.url(), config.data);
  LogHints(config, log.get());
  RunUntilStopped(
      log, [&] { (*server)->Reload(); },
      [&] {
        (*server)->Stop(kGrace);
        server->reset();
      });
  return 0;
}

int Main(const std::vector<std::string>& arguments) {
  const auto line = ParseCommandLine(arguments);
  if (!line.ok()) return FailProcess(kProgram, line.status(), kWrongUsage);
  if (const auto& answer = line->answer; answer.has_value()) {
    fmt::print("{}", *answer);
    return 0;
  }
  const auto config = Configure(*line);
  if (!config.ok()) return FailProcess(kProgram, config.status(), kWrongUsage);
  if (!line->check_config) return Serve(*config);
  const absl::Status status = PodServer::Check(*config);
  if (!status.ok()) return FailProcess(kProgram, status, kCannotRun);
  fmt::print("the configuration is good: pod {} on {}, data in '{}'\n", config->pod, config->url(),
             config->data);
  return 0;
}

}  // namespace
}  // namespace podkit::servers

int main(int argc, char** argv) {
  return podkit::servers::RunMain("podd", argc, argv, podkit::servers::Main);
}
