// replicad: serves one chunk gateway until it is told to stop.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/status_macros.h"
#include "servers/common/log.h"
#include "servers/common/run_server.h"
#include "servers/common/settings.h"
#include "servers/common/version.h"
#include "servers/replicad/config.h"
#include "servers/replicad/gateway_server.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kProgram = "replicad";
constexpr absl::Duration kGrace = absl::Seconds(10);
absl::StatusOr<ReplicadConfig> Configure(const ReplicadCommandLine& line) {
  ReplicadSettings settings = line.settings;
  if (!line.config_file.empty()) {
    PODKIT_ASSIGN_OR_RETURN(const ReplicadSettings file, ReadReplicadSettings(line.config_file));
    settings = MergeSettings(settings, file);
  }
  return CheckReplicadSettings(settings);
}

int Serve(const ReplicadConfig& config) {
  PrepareProcess();
  const auto log = MakeLog("gateway " + config.gateway, config.log_level);
  ReplicadConfig serving = config;
  auto server = GatewayServer::Start(config, log);
  if (!server.ok()) return FailProcess(kProgram, server.status(), kCannotRun);
  serving.port = (*server)->port();
  log->info("public key {}", (*server)->public_key());
  if (config.writers_file.empty()) {
    log->info("nobody may write: name a file with --writers-file; replicad --help shows its form");
  }
  log->info("replicad {} listening on {}, data in '{}'", kVersion, serving.url(), config.data);
  RunUntilStopped(
      log, [&] { (*server)->Reload(); },
      [&] {
        (*server)->Stop(kGrace);
        server->reset();
      });
  return 0;
}

int Main(const std::vector<std::string>& arguments) {
  const auto line = ParseReplicadFlags(arguments);
  if (!line.ok()) return FailProcess(kProgram, line.status(), kWrongUsage);
  if (const auto& answer = line->answer; answer.has_value()) {
    fmt::print("{}", *answer);
    return 0;
  }
  const auto config = Configure(*line);
  if (!config.ok()) return FailProcess(kProgram, config.status(), kWrongUsage);
  if (!line->check_config) return Serve(*config);
  const absl::Status status = GatewayServer::Check(*config);
  if (!status.ok()) return FailProcess(kProgram, status, kCannotRun);
  fmt::print("the configuration is good: gateway {} on {}, data in '{}'\n", config->gateway,
             config->url(), config->data);
  return 0;
}

}  // namespace
}  // namespace podkit::servers

int main(int argc, char** argv) {
  return podkit::servers::RunMain("replicad", argc, argv, podkit::servers::Main);
}
