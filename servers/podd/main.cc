// podd: serves one pod until it is told to stop.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "servers/common/log.h"
#include "servers/common/program.h"
#include "servers/common/version.h"
#include "servers/podd/config.h"
#include "servers/podd/pod_server.h"

namespace podkit::servers {
namespace {

std::string Name(const PoddConfig& config) { return "pod " + config.pod; }

void LogHints(const PoddConfig& config, spdlog::logger* log) {
  log->info("the operator's token is in '{}'", config.token_file);
  if (config.users_file.empty()) {
    log->info(
        "no user lives here: write {{\"users\": [{{\"uid\": \"ann\", \"name\": \"Ann\", "
        "\"pod\": \"{}\"}}]}} to users.json and start with --users-file users.json",
        config.pod);
  }
}

absl::Status Serve(const PoddConfig& config) {
  PrepareProcess();
  const auto log = MakeLog(Name(config), config.log_level);
  PODKIT_ASSIGN_OR_RETURN(auto server, PodServer::Start(config, log));
  PoddConfig serving = config;
  serving.listen.port = server->port();
  log->info("podd {} listening on {}, data in '{}'", kVersion, serving.url(), config.data);
  LogHints(config, log.get());
  RunUntilStopped(log, std::move(server));
  return absl::OkStatus();
}

constexpr Work<PoddConfig> kWork = {.check = PodServer::Check, .name = Name, .serve = Serve};

}  // namespace
}  // namespace podkit::servers

int main(int argc, char** argv) {
  return podkit::servers::RunProgram(podkit::servers::kPodd, podkit::servers::kWork, argc, argv);
}
