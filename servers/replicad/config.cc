#include "servers/replicad/config.h"

#include <fmt/format.h>

#include <limits>
#include <string_view>
#include <vector>

#include "common/status_macros.h"
#include "podkit/replica/chunk.h"
#include "servers/common/files.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kDescription =
    "replicad serves one chunk gateway: signed requests put, delete and rename, anybody gets.\n"
    "Its chunks are kept by a driver, in worker processes.\n"
    "\n"
    "With no configuration at all it is gateway g1 on 127.0.0.1:8401, keeps its chunks in\n"
    "./podkit-chunks, and lets nobody write.\n";

constexpr std::string_view kFooter = R"(Configuration file:
  One JSON object whose members are named like the flags, with '_' for '-':
    {"gateway": "g1", "listen": "127.0.0.1:8401", "data": "data",
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

Peers file, from whom damaged chunks are fetched; they must let this gateway read private volumes:
    {"peers": [{"id": "g2", "url": "http://10.0.0.2:8401", "public_key": "<public key>"}]}

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

std::vector<Flag> Flags(ReplicadSettings* settings) {
  return ServingFlags(
      {"gateway", &settings->gateway, "ID", "Id of this gateway, as requests name it [g1]"},
      settings, ReplicadConfig(),
      {
          {"writers-file", &settings->writers_file, kFile,
           "Who may do what in which volume [nobody]"},
          {"driver-file", &settings->driver_file, kFile,
           "Who keeps the chunks [disk, in the data folder]"},
          {"key-file", &settings->key_file, kFile,
           "Signs replies [gateway.key in the data folder, where it is made]"},
          {"peers-file", &settings->peers_file, kFile,
           "Gateways that keep the same chunks, to mend damaged ones from [none]"},
          {"max-chunk-bytes", &settings->max_chunk_bytes, kNumber, "Size of a chunk [67108864]"},
          {"memory-bytes", &settings->memory_bytes, kNumber,
           "For chunks on their way; beyond it 503 [268435456]"},
          {"cache-bytes", &settings->cache_bytes, kNumber,
           "Of files in the cache; 0: no cache [1073741824]"},
          {"driver-timeout-seconds", &settings->driver_timeout_seconds, kNumber,
           "For one call of the driver [30]"},
          {"driver-check-seconds", &settings->driver_check_seconds, kNumber,
           "How often the driver is asked whether it works, for /readyz [10]"},
          {"scrub-bytes-per-second", &settings->scrub_bytes_per_second, kNumber,
           "How fast chunks are read back and verified; 0: never [4194304]"},
          {"scrub-interval-hours", &settings->scrub_interval_hours, kNumber,
           "From one scrub of all chunks to the next [720]"},
          {"io-threads", &settings->io_threads, kNumber, "Threads that send, receive and hash [2]"},
      });
}

absl::Status TakeNumbers(const ReplicadSettings& settings, ReplicadConfig* config) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
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
  PODKIT_RETURN_IF_ERROR(TakeNumber("scrub-bytes-per-second", settings.scrub_bytes_per_second, 0,
                                    &config->scrub_bytes_per_second, kMost));
  PODKIT_RETURN_IF_ERROR(TakeNumber("scrub-interval-hours", settings.scrub_interval_hours, 1,
                                    &config->scrub_interval_hours, int64_t{24} * 366));
  PODKIT_RETURN_IF_ERROR(TakeNumber("io-threads", settings.io_threads, 1, &config->io_threads, 64));
  if (config->max_chunk_bytes > config->memory_bytes) {
    return WrongFlag("memory-bytes", "must have room for a chunk of --max-chunk-bytes");
  }
  return absl::OkStatus();
}

absl::StatusOr<ReplicadConfig> Check(const ReplicadSettings& settings) {
  ReplicadConfig config;
  PODKIT_RETURN_IF_ERROR(CheckServing(settings, &config));
  config.gateway = settings.gateway.value_or(config.gateway);
  if (!replica::ValidateChunkName({.volume = config.gateway, .file = "f"}).ok()) {
    return WrongFlag(
        "gateway", fmt::format("'{}' is not 1 to 64 letters, digits, '-' and '_'", config.gateway));
  }
  config.writers_file = settings.writers_file.value_or("");
  config.driver_file = settings.driver_file.value_or("");
  config.peers_file = settings.peers_file.value_or("");
  config.key_file = settings.key_file.value_or(ResolvePath(config.data, "gateway.key"));
  PODKIT_RETURN_IF_ERROR(TakeNumbers(settings, &config));
  return config;
}

}  // namespace

const Program<ReplicadSettings, ReplicadConfig> kReplicad = {
    .text = {.name = "replicad", .description = kDescription, .footer = kFooter},
    .flags = Flags,
    .check = Check};

}  // namespace podkit::servers
