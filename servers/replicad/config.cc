#include "servers/replicad/config.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "podkit/replica/chunk.h"
#include "servers/common/files.h"
#include "servers/common/settings.h"
#include "servers/common/version.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kDescription =
    "replicad serves one chunk gateway: signed requests put, delete and rename, anybody gets.\n"
    "Its chunks are kept by a driver, in worker processes.\n"
    "\n"
    "With no configuration at all it is gateway g1 on 127.0.0.1:8301, keeps its chunks in\n"
    "./podkit-chunks, and lets nobody write.\n";

constexpr std::string_view kFooter = R"(Configuration file:
  One JSON object whose members are named like the flags, with '_' for '-':
    {"gateway": "g1", "listen": "127.0.0.1:8301", "data": "data",
     "writers_file": "writers.json", "driver_file": "driver.json"}
  Its paths are relative to its folder. A flag goes before the file.

Writers file, who may do what:
    {"writers": [{"id": "ann", "keys": ["<public key>"],
                  "grants": [{"volume": "photos", "may": ["put", "delete", "rename", "read"]}]}],
     "private_volumes": ["photos"]}
  'podctl chunk keygen' makes a key. Chunks of private volumes are for writers who may read.

Driver file, who keeps the chunks and how:
    {"storage": {"driver": "disk", "config": {"folder": "/srv/chunks"}, "writable": ["/srv/chunks"]},
     "stage": {"driver": "seal", "secrets_file": "seal.json"}}
  A driver is a name (disk, s3, seal) or the path of a shared object or of a Python 3 file.

Signals:
  SIGTERM, SIGINT   finish the requests in work and stop; a second one stops at once
  SIGHUP            read the writers file and the driver file again; new driver code takes over
                    without a failed request, and if it does not start the old one stays

Paths that it serves:
  POST /            signed requests: docs/replica-protocol.md
  /DATA/...         chunks
  /status           who it is and what it did, as JSON
  /healthz /readyz  alive; ready, or what is wrong
  /metrics          for Prometheus

Exit status:
  0 stopped as asked, 1 cannot start or go on, 2 a flag or the configuration file is wrong

Examples:
  replicad
  replicad --writers-file writers.json --data /var/lib/replicad
  replicad --config /etc/replicad.json --check-config
)";

void AddFlags(CLI::App* app, ReplicadCommandLine* line) {
  ReplicadSettings& to = line->settings;
  const auto text = [&](const char* flag, auto& value, const char* help, const char* type) {
    app->add_option(flag, value, help)->type_name(type);
  };
  text("--config", line->config_file, "Read this JSON file first", "FILE");
  app->add_flag("--check-config", line->check_config,
                "Check everything that is read at the start, say what is wrong, and end");
  text("--gateway", to.gateway, "Id of this gateway, as requests name it [g1]", "ID");
  text("--listen", to.listen, "Where to listen [127.0.0.1:8301]; [::1]:8301 for IPv6",
       "ADDRESS:PORT");
  text("--data", to.data, "Folder of catalog, cache and key, made if missing [podkit-chunks]",
       "FOLDER");
  text("--writers-file", to.writers_file, "Who may do what in which volume [nobody]", "FILE");
  text("--driver-file", to.driver_file, "Who keeps the chunks [disk, in the data folder]", "FILE");
  text("--key-file", to.key_file,
       "Signs replies [gateway.key in the data folder, where it is made]", "FILE");
  text("--tls-certificate-file", to.tls_certificate_file,
       "PEM: speak https with this certificate and its chain", "FILE");
  text("--tls-key-file", to.tls_key_file, "PEM: the key of the certificate", "FILE");
  text("--log-level", to.log_level, "debug, info, warning or error [info]", "LEVEL");
  text("--max-connections", to.max_connections, "Connections at a time [4096]", "N");
  text("--max-chunk-bytes", to.max_chunk_bytes, "Size of a chunk [67108864]", "N");
  text("--memory-bytes", to.memory_bytes, "For chunks on their way; beyond it 503 [268435456]",
       "N");
  text("--cache-bytes", to.cache_bytes, "Of files in the cache; 0: no cache [1073741824]", "N");
  text("--driver-timeout-seconds", to.driver_timeout_seconds, "For one call of the driver [30]",
       "N");
  text("--driver-check-seconds", to.driver_check_seconds,
       "How often the driver is asked whether it works, for /readyz [10]", "N");
  text("--threads", to.threads, "Requests in work at a time [16]", "N");
  text("--io-threads", to.io_threads, "Threads that send, receive and hash [2]", "N");
}

absl::Status TakeNumbers(const ReplicadSettings& settings, ReplicadConfig* config) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("max-connections", settings.max_connections, 1, &config->max_connections));
  PODKIT_RETURN_IF_ERROR(TakeNumber("max-chunk-bytes", settings.max_chunk_bytes, 1024,
                                    &config->max_chunk_bytes, int64_t{1} << 30));
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("memory-bytes", settings.memory_bytes, 1 << 20, &config->memory_bytes, kMost));
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("cache-bytes", settings.cache_bytes, 0, &config->cache_bytes, kMost));
  PODKIT_RETURN_IF_ERROR(TakeNumber("driver-timeout-seconds", settings.driver_timeout_seconds, 1,
                                    &config->driver_timeout_seconds, 3600));
  PODKIT_RETURN_IF_ERROR(TakeNumber("driver-check-seconds", settings.driver_check_seconds, 1,
                                    &config->driver_check_seconds, 86400));
  PODKIT_RETURN_IF_ERROR(TakeNumber("threads", settings.threads, 1, &config->threads, 1024));
  PODKIT_RETURN_IF_ERROR(TakeNumber("io-threads", settings.io_threads, 1, &config->io_threads, 64));
  if (config->max_chunk_bytes > config->memory_bytes) {
    return WrongFlag("memory-bytes", "must have room for a chunk of --max-chunk-bytes");
  }
  return absl::OkStatus();
}

}  // namespace

std::string ReplicadConfig::url() const {
  return ListenAddress{.address = address, .port = port}.Url(!tls_key_file.empty());
}

absl::StatusOr<ReplicadCommandLine> ParseReplicadFlags(const std::vector<std::string>& arguments) {
  ReplicadCommandLine line;
  CLI::App app{std::string(kDescription), "replicad"};
  app.footer(std::string(kFooter));
  app.set_version_flag("--version", fmt::format("replicad {}", kVersion));
  AddFlags(&app, &line);
  try {
    std::vector<std::string> backwards(arguments.rbegin(), arguments.rend());
    app.parse(std::move(backwards));
  } catch (const CLI::CallForHelp&) {
    line.answer = app.help();
  } catch (const CLI::CallForVersion& call) {
    line.answer = fmt::format("{}\n", call.what());
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}; replicad --help lists the flags", error.what()));
  }
  return line;
}

absl::StatusOr<ReplicadSettings> ReadReplicadSettings(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(auto settings, ReadSettingsFile<ReplicadSettings>(path, "replicad"));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  for (auto* file : {&settings.data, &settings.writers_file, &settings.driver_file,
                     &settings.key_file, &settings.tls_certificate_file, &settings.tls_key_file}) {
    if (*file) *file = ResolvePath(folder, **file);
  }
  return settings;
}

absl::StatusOr<ReplicadConfig> CheckReplicadSettings(const ReplicadSettings& settings) {
  ReplicadConfig config;
  config.gateway = settings.gateway.value_or(config.gateway);
  if (!replica::ValidateChunkName({.volume = config.gateway, .file = "f"}).ok()) {
    return WrongFlag(
        "gateway", fmt::format("'{}' is not 1 to 64 letters, digits, '-' and '_'", config.gateway));
  }
  if (settings.listen) {
    PODKIT_ASSIGN_OR_RETURN(const ListenAddress listen, ParseListen(*settings.listen));
    config.address = listen.address;
    config.port = listen.port;
  }
  config.data = settings.data.value_or(config.data);
  if (config.data.empty()) return WrongFlag("data", "name a folder");
  config.writers_file = settings.writers_file.value_or("");
  config.driver_file = settings.driver_file.value_or("");
  config.key_file = settings.key_file.value_or(ResolvePath(config.data, "gateway.key"));
  config.tls_certificate_file = settings.tls_certificate_file.value_or("");
  config.tls_key_file = settings.tls_key_file.value_or("");
  if (config.tls_certificate_file.empty() != config.tls_key_file.empty()) {
    return WrongFlag("tls-certificate-file",
                     "goes together with --tls-key-file: give both or none");
  }
  config.log_level = settings.log_level.value_or(config.log_level);
  PODKIT_RETURN_IF_ERROR(CheckLogLevel(config.log_level));
  PODKIT_RETURN_IF_ERROR(TakeNumbers(settings, &config));
  return config;
}

}  // namespace podkit::servers
