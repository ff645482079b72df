// lockd: a lock directory that serves until it is told to stop.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "servers/common/log.h"
#include "servers/common/run_server.h"
#include "servers/common/version.h"
#include "servers/lockd/config.h"
#include "servers/lockd/lock_server.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kProgram = "lockd";
constexpr absl::Duration kGrace = absl::Seconds(10);

int Serve(const LockdConfig& config) {
  PrepareProcess();
  const auto log = MakeLog("lockd " + config.pod, config.log_level);
  auto server = LockServer::Start(config, log);
  if (!server.ok()) return FailProcess(kProgram, server.status(), kCannotRun);
  LockdConfig serving = config;
  serving.listen.port = (*server)->port();
  log->info("lockd {} listening on {}, data in '{}'", kVersion, serving.url(), config.data);
  log->info("the operator's token is in '{}'", config.token_file);
  if (config.pods_file.empty()) {
    log->info("no pod may ask for locks: name the pods and their keys with --pods-file");
  }
  RunUntilStopped(
      log, [&] { (*server)->Reload(); },
      [&] {
        (*server)->Stop(kGrace);
        server->reset();
      });
  return 0;
}

int Main(const std::vector<std::string>& arguments) {
  const auto line = ParseLockdCommandLine(arguments);
  if (!line.ok()) return FailProcess(kProgram, line.status(), kWrongUsage);
  if (const auto& answer = line->answer; answer.has_value()) {
    fmt::print("{}", *answer);
    return 0;
  }
  const auto config = MakeLockdConfig(*line);
  if (!config.ok()) return FailProcess(kProgram, config.status(), kWrongUsage);
  if (!line->check_config) return Serve(*config);
  const absl::Status status = LockServer::Check(*config);
  if (!status.ok()) return FailProcess(kProgram, status, kCannotRun);
  fmt::print("the configuration is good: pod {} on {}, data in '{}'\n", config->pod, config->url(),
             config->data);
  return 0;
}

}  // namespace
}  // namespace podkit::servers

int main(int argc, char** argv) {
  return podkit::servers::RunMain("lockd", argc, argv, podkit::servers::Main);
}
