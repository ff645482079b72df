// What replicad is told: by flags, by a JSON file, or not at all.
//
//   {"gateway": "g1", "listen": "127.0.0.1:8401", "data": "data", "writers_file": "writers.json"}
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "servers/common/program.h"
#include "servers/common/serving.h"

namespace podkit::servers {

struct ReplicadSettings : ServingSettings {
  std::optional<std::string> gateway;
  std::optional<std::string> writers_file;
  std::optional<std::string> driver_file;
  std::optional<std::string> key_file;
  std::optional<std::string> peers_file;
  std::optional<int64_t> max_chunk_bytes;
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> cache_bytes;
  std::optional<int64_t> driver_timeout_seconds;
  std::optional<int64_t> driver_check_seconds;
  std::optional<int64_t> scrub_bytes_per_second;
  std::optional<int64_t> scrub_interval_hours;
  std::optional<int64_t> io_threads;
};

// The settings with defaults, checked.
struct ReplicadConfig : ServingConfig {
  ReplicadConfig()
      : ServingConfig{.listen = {.port = 8401}, .data = "podkit-chunks", .threads = 16} {}

  std::string gateway = "g1";
  std::string writers_file;  // Empty: nobody writes.
  std::string driver_file;   // Empty: the disk driver, with its chunks in the data folder.
  std::string key_file;      // By default gateway.key in the data folder.
  std::string peers_file;    // Empty: there are none.
  uint64_t max_chunk_bytes = uint64_t{64} << 20;
  uint64_t memory_bytes = uint64_t{256} << 20;
  uint64_t cache_bytes = uint64_t{1} << 30;
  int driver_timeout_seconds = 30;
  int driver_check_seconds = 10;
  uint64_t scrub_bytes_per_second = uint64_t{4} << 20;  // 0: never.
  int scrub_interval_hours = 30 * 24;
  int io_threads = 2;
};

extern const Program<ReplicadSettings, ReplicadConfig> kReplicad;

}  // namespace podkit::servers
