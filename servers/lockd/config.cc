#include "servers/lockd/config.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "common/status_macros.h"
#include "servers/common/files.h"
#include "servers/common/version.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kDescription =
    "lockd is a lock directory: it grants the right to write a store to one host at a time, to "
    "the\n"
    "hosts of the pods that share a key with it.\n"
    "\n"
    "With no configuration at all it is pod 'locks' on 127.0.0.1:8301, which no other pod may "
    "ask,\n"
    "and keeps its data in ./lockd-data.\n";

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

void AddFlags(CLI::App* app, LockdCommandLine* line) {
  LockdSettings& to = line->settings;
  app->add_option("--config", line->config_file, "Read this JSON file first")->type_name("FILE");
  app->add_flag("--check-config", line->check_config,
                "Check everything that is read at the start, say what is wrong, and end");
  app->add_option("--pod", to.pod, "Id of this pod, as in the pods file [locks]")->type_name("ID");
  app->add_option("--listen", to.listen, "Where to listen [127.0.0.1:8301]; [::1]:8301 for IPv6")
      ->type_name("ADDRESS:PORT");
  app->add_option("--data", to.data, "Folder of the data, made if missing [lockd-data]")
      ->type_name("FOLDER");
  app->add_option("--pods-file", to.pods_file, "The pods that may ask, and their keys [none]")
      ->type_name("FILE");
  app->add_option("--token-file", to.token_file,
                  "The operator's token [operator.token in the data folder, where it is made]")
      ->type_name("FILE");
  app->add_option("--tls-certificate-file", to.tls_certificate_file,
                  "PEM: speak https with this certificate and its chain")
      ->type_name("FILE");
  app->add_option("--tls-key-file", to.tls_key_file, "PEM: the key of the certificate")
      ->type_name("FILE");
  app->add_option("--log-level", to.log_level, "debug, info, warning or error [info]")
      ->type_name("LEVEL");
  app->add_option("--max-connections", to.max_connections, "Connections at a time [4096]")
      ->type_name("N");
  app->add_option("--max-waiting", to.max_waiting,
                  "Calls that wait for a lock, a notice or an event at a time [256]")
      ->type_name("N");
  app->add_option("--threads", to.threads, "Other requests in work at a time [16]")->type_name("N");
}

absl::StatusOr<LockdSettings> ReadFileSettings(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(LockdSettings settings, ReadSettingsFile<LockdSettings>(path, "lockd"));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  for (auto* file : {&settings.data, &settings.pods_file, &settings.token_file,
                     &settings.tls_certificate_file, &settings.tls_key_file}) {
    if (*file) *file = ResolvePath(folder, **file);
  }
  return settings;
}

absl::StatusOr<LockdConfig> Check(const LockdSettings& settings) {
  LockdConfig config;
  if (settings.pod) config.pod = *settings.pod;
  if (settings.listen) {
    PODKIT_ASSIGN_OR_RETURN(config.listen, ParseListen(*settings.listen));
  }
  if (settings.data) config.data = *settings.data;
  if (config.data.empty()) return WrongFlag("data", "name a folder");
  config.pods_file = settings.pods_file.value_or("");
  config.token_file = settings.token_file.value_or(ResolvePath(config.data, "operator.token"));
  config.tls_certificate_file = settings.tls_certificate_file.value_or("");
  config.tls_key_file = settings.tls_key_file.value_or("");
  if (config.tls_certificate_file.empty() != config.tls_key_file.empty()) {
    return WrongFlag("tls-certificate-file",
                     "goes together with --tls-key-file: give both or none");
  }
  if (settings.log_level) config.log_level = *settings.log_level;
  PODKIT_RETURN_IF_ERROR(CheckLogLevel(config.log_level));
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("max-connections", settings.max_connections, 1, &config.max_connections));
  PODKIT_RETURN_IF_ERROR(TakeNumber("max-waiting", settings.max_waiting, 1, &config.max_waiting));
  PODKIT_RETURN_IF_ERROR(TakeNumber("threads", settings.threads, 1, &config.threads));
  if (config.threads > 1024) return WrongFlag("threads", "at most 1024");
  if (config.max_waiting > 4096) return WrongFlag("max-waiting", "at most 4096");
  return config;
}

}  // namespace

absl::StatusOr<LockdCommandLine> ParseLockdCommandLine(const std::vector<std::string>& arguments) {
  LockdCommandLine line;
  CLI::App app{std::string(kDescription), "lockd"};
  app.footer(std::string(kFooter));
  app.set_version_flag("--version", fmt::format("lockd {}", kVersion));
  AddFlags(&app, &line);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    line.answer = app.help();
  } catch (const CLI::CallForVersion& call) {
    line.answer = fmt::format("{}\n", call.what());
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}; lockd --help lists the flags", error.what()));
  }
  return line;
}

absl::StatusOr<LockdConfig> MakeLockdConfig(const LockdCommandLine& line) {
  LockdSettings settings = line.settings;
  if (!line.config_file.empty()) {
    PODKIT_ASSIGN_OR_RETURN(const LockdSettings file, ReadFileSettings(line.config_file));
    settings = MergeSettings(settings, file);
  }
  return Check(settings);
}

}  // namespace podkit::servers
