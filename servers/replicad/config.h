// What replicad is told: by flags, by a JSON file, or not at all.
//
//   {"gateway": "g1", "listen": "127.0.0.1:8301", "data": "data", "writers_file": "writers.json"}
//
// A flag goes before the member of the same name. Paths in the file are relative to the file's
// folder; paths in flags to the working directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/conduit/message.h"

namespace podkit::servers {

// The members of the file. For each one there is a flag: "writers_file" is --writers-file.
struct ReplicadSettings {
  std::optional<std::string> gateway;
  std::optional<std::string> listen;
  std::optional<std::string> data;
  std::optional<std::string> writers_file;
  std::optional<std::string> driver_file;
  std::optional<std::string> key_file;
  std::optional<std::string> tls_certificate_file;
  std::optional<std::string> tls_key_file;
  std::optional<std::string> log_level;
  std::optional<int64_t> max_connections;
  std::optional<int64_t> max_chunk_bytes;
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> cache_bytes;
  std::optional<int64_t> driver_timeout_seconds;
  std::optional<int64_t> driver_check_seconds;
  std::optional<int64_t> threads;
  std::optional<int64_t> io_threads;

  static constexpr auto Fields() {
    using conduit::Optional;
    using S = ReplicadSettings;
    return std::make_tuple(
        Optional("gateway", &S::gateway), Optional("listen", &S::listen),
        Optional("data", &S::data), Optional("writers_file", &S::writers_file),
        Optional("driver_file", &S::driver_file), Optional("key_file", &S::key_file),
        Optional("tls_certificate_file", &S::tls_certificate_file),
        Optional("tls_key_file", &S::tls_key_file), Optional("log_level", &S::log_level),
        Optional("max_connections", &S::max_connections),
        Optional("max_chunk_bytes", &S::max_chunk_bytes),
        Optional("memory_bytes", &S::memory_bytes), Optional("cache_bytes", &S::cache_bytes),
        Optional("driver_timeout_seconds", &S::driver_timeout_seconds),
        Optional("driver_check_seconds", &S::driver_check_seconds),
        Optional("threads", &S::threads), Optional("io_threads", &S::io_threads));
  }
};

// The settings with defaults, checked.
struct ReplicadConfig {
  std::string gateway = "g1";
  std::string address = "127.0.0.1";
  uint16_t port = 8301;
  std::string data = "podkit-chunks";
  std::string writers_file;  // Empty: nobody writes.
  std::string driver_file;   // Empty: the disk driver, with its chunks in the data folder.
  std::string key_file;      // By default gateway.key in the data folder.
  std::string tls_certificate_file;
  std::string tls_key_file;
  std::string log_level = "info";
  size_t max_connections = 4096;
  uint64_t max_chunk_bytes = uint64_t{64} << 20;
  uint64_t memory_bytes = uint64_t{256} << 20;
  uint64_t cache_bytes = uint64_t{1} << 30;
  int driver_timeout_seconds = 30;
  int driver_check_seconds = 10;
  int threads = 16;
  int io_threads = 2;

  std::string url() const;
};

// What the command line says.
struct ReplicadCommandLine {
  ReplicadSettings settings;
  std::string config_file;
  bool check_config = false;
  std::optional<std::string> answer;  // To print and end with: --help or --version.
};

// kInvalidArgument for a flag that does not exist or lacks its value.
absl::StatusOr<ReplicadCommandLine> ParseReplicadFlags(const std::vector<std::string>& arguments);

absl::StatusOr<ReplicadSettings> ReadReplicadSettings(const std::string& path);

// Errors name the flag at fault and what it takes.
absl::StatusOr<ReplicadConfig> CheckReplicadSettings(const ReplicadSettings& settings);

}  // namespace podkit::servers
