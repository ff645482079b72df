// replicad: serves one chunk gateway until it is told to stop.

#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "servers/common/log.h"
#include "servers/common/program.h"
#include "servers/common/version.h"
#include "servers/replicad/config.h"
#include "servers/replicad/gateway_server.h"

namespace podkit::servers {
namespace {

std::string Name(const ReplicadConfig& config) { return "gateway " + config.gateway; }

absl::Status Serve(const ReplicadConfig& config) {
  PrepareProcess();
  const auto log = MakeLog(Name(config), config.log_level);
  PODKIT_ASSIGN_OR_RETURN(auto server, GatewayServer::Start(config, log));
  log->info("public key {}", server->public_key());
  if (config.writers_file.empty()) {
    log->info("nobody may write: name a file with --writers-file; replicad --help shows its form");
  }
  ReplicadConfig serving = config;
  serving.listen.port = server->port();
  log->info("replicad {} listening on {}, data in '{}'", kVersion, serving.url(), config.data);
  RunUntilStopped(log, std::move(server));
  return absl::OkStatus();
}

constexpr Work<ReplicadConfig> kWork = {
    .check = GatewayServer::Check, .name = Name, .serve = Serve};

}  // namespace
}  // namespace podkit::servers

int main(int argc, char** argv) {
  return podkit::servers::RunProgram(podkit::servers::kReplicad, podkit::servers::kWork, argc,
                                     argv);
}
