// lockd: a lock directory that serves until it is told to stop.

#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "servers/common/log.h"
#include "servers/common/program.h"
#include "servers/common/version.h"
#include "servers/lockd/config.h"
#include "servers/lockd/lock_server.h"

namespace podkit::servers {
namespace {

absl::Status Serve(const LockdConfig& config) {
  PrepareProcess();
  const auto log = MakeLog("lockd " + config.pod, config.log_level);
  PODKIT_ASSIGN_OR_RETURN(auto server, LockServer::Start(config, log));
  LockdConfig serving = config;
  serving.listen.port = server->port();
  log->info("lockd {} listening on {}, data in '{}'", kVersion, serving.url(), config.data);
  log->info("the operator's token is in '{}'", config.token_file);
  if (config.pods_file.empty()) {
    log->info("no pod may ask for locks: name the pods and their keys with --pods-file");
  }
  RunUntilStopped(log, std::move(server));
  return absl::OkStatus();
}

std::string Name(const LockdConfig& config) { return "pod " + config.pod; }

constexpr Work<LockdConfig> kWork = {.check = LockServer::Check, .name = Name, .serve = Serve};

}  // namespace
}  // namespace podkit::servers

int main(int argc, char** argv) {
  return podkit::servers::RunProgram(podkit::servers::kLockd, podkit::servers::kWork, argc, argv);
}
