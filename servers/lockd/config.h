// What lockd is told: by flags, by a JSON file, or not at all.
//
//   {"pod": "locks", "listen": "127.0.0.1:8301", "data": "data", "pods_file": "pods.json"}
//
// A flag goes before the member of the same name. Paths in the file are relative to the file's
// folder; paths in flags to the working directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/conduit/message.h"
#include "servers/common/settings.h"

namespace podkit::servers {

// The members of the file. For each one there is a flag: "pods_file" is --pods-file.
struct LockdSettings {
  std::optional<std::string> pod;
  std::optional<std::string> listen;
  std::optional<std::string> data;
  std::optional<std::string> pods_file;
  std::optional<std::string> token_file;
  std::optional<std::string> tls_certificate_file;
  std::optional<std::string> tls_key_file;
  std::optional<std::string> log_level;
  std::optional<int64_t> max_connections;
  std::optional<int64_t> max_waiting;
  std::optional<int64_t> threads;

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(
        Optional("pod", &LockdSettings::pod), Optional("listen", &LockdSettings::listen),
        Optional("data", &LockdSettings::data), Optional("pods_file", &LockdSettings::pods_file),
        Optional("token_file", &LockdSettings::token_file),
        Optional("tls_certificate_file", &LockdSettings::tls_certificate_file),
        Optional("tls_key_file", &LockdSettings::tls_key_file),
        Optional("log_level", &LockdSettings::log_level),
        Optional("max_connections", &LockdSettings::max_connections),
        Optional("max_waiting", &LockdSettings::max_waiting),
        Optional("threads", &LockdSettings::threads));
  }
};

// The settings with defaults, checked.
struct LockdConfig {
  std::string pod = "locks";
  ListenAddress listen = {.port = 8301};
  std::string data = "lockd-data";
  std::string pods_file;   // Empty: nobody may ask.
  std::string token_file;  // By default operator.token in the data folder.
  std::string tls_certificate_file;
  std::string tls_key_file;
  std::string log_level = "info";
  size_t max_connections = 4096;
  size_t max_waiting = 256;
  int threads = 16;

  // Where it answers.
  std::string url() const { return listen.Url(!tls_key_file.empty()); }
};

// What the command line says.
struct LockdCommandLine {
  LockdSettings settings;
  std::string config_file;
  bool check_config = false;
  std::optional<std::string> answer;  // To print and end with: --help or --version.
};

// kInvalidArgument for a flag that does not exist or lacks its value.
absl::StatusOr<LockdCommandLine> ParseLockdCommandLine(const std::vector<std::string>& arguments);

// The configuration file, if one is named, under the flags; checked. Errors name the flag or the
// member at fault and what it takes.
absl::StatusOr<LockdConfig> MakeLockdConfig(const LockdCommandLine& line);

}  // namespace podkit::servers
