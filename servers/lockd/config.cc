#include "servers/lockd/config.h"

#include <string_view>
#include <vector>

#include "common/status_macros.h"
#include "servers/common/files.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kDescription =
    "lockd is a lock directory: it grants the right to write a store to one host at a time, to\n"
    "the hosts of the pods that share a key with it.\n"
    "\n"
    "With no configuration at all it is pod 'locks' on 127.0.0.1:8301, which no other pod may\n"
    "ask, and keeps its data in ./lockd-data.\n";

constexpr std::string_view kFooter = R"(Configuration file:
  One JSON object whose members are named like the flags, with '_' for '-':
    {"pod": "locks", "listen": "127.0.0.1:8301", "data": "data", "pods_file": "pods.json"}
  Its paths are relative to its folder. A flag goes before the file.

Who may do what:
  A pod opens sessions for hosts called like it, "A" or "A/...". Only the operator, or a pod that
  acts for any user, breaks locks, deletes stores and reads the audit log.

Signals:
  SIGTERM, SIGINT   finish the requests in work and stop; a second one stops at once
  SIGHUP            read the pods file again

Paths that it serves:
  /conduit          other pods, each request signed
  /admin/v1/...     the operator, with the token: docs/operations.md lists all of it
  /healthz /readyz  alive; ready, or what is wrong
  /metrics          for Prometheus

Exit status:
  0 stopped as asked, 1 cannot start or go on, 2 a flag or the configuration file is wrong

Examples:
  lockd --pods-file pods.json
  lockd --config /etc/lockd.json --check-config
)";

std::vector<Flag> Flags(LockdSettings* settings) {
  return ServingFlags(
      {"pod", &settings->pod, "ID", "Id of this pod, as in the pods file [locks]"}, settings,
      LockdConfig(),
      {
          {"pods-file", &settings->pods_file, kFile,
           "The pods that may ask, and their keys [none]"},
          {"token-file", &settings->token_file, kFile,
           "The operator's token [operator.token in the data folder, where it is made]"},
          {"max-waiting", &settings->max_waiting, kNumber,
           "Calls that wait for a lock, a notice or an event at a time, beside --threads [256]"},
      });
}

absl::StatusOr<LockdConfig> Check(const LockdSettings& settings) {
  LockdConfig config;
  PODKIT_RETURN_IF_ERROR(CheckServing(settings, &config));
  config.pod = settings.pod.value_or(config.pod);
  config.pods_file = settings.pods_file.value_or("");
  config.token_file = settings.token_file.value_or(ResolvePath(config.data, "operator.token"));
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("max-waiting", settings.max_waiting, 1, &config.max_waiting, 4096));
  return config;
}

}  // namespace

const Program<LockdSettings, LockdConfig> kLockd = {
    .text = {.name = "lockd", .description = kDescription, .footer = kFooter},
    .flags = Flags,
    .check = Check};

}  // namespace podkit::servers
