// What podd is told: by flags, by a JSON file, or not at all.
//
//   {"pod": "A", "listen": "127.0.0.1:8201", "data": "data", "pods_file": "pods.json"}
//
// A flag goes before the member of the same name. Paths in the file are relative to the file's
// folder; paths in flags to the working directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/message.h"

namespace podkit::servers {

// The members of the file. For each one there is a flag: "pods_file" is --pods-file.
struct PoddSettings {
  std::optional<std::string> pod;
  std::optional<std::string> listen;
  std::optional<std::string> data;
  std::optional<std::string> pods_file;
  std::optional<std::string> hosts_from;
  std::optional<std::string> users_file;
  std::optional<std::string> token_file;
  std::optional<std::string> tls_certificate_file;
  std::optional<std::string> tls_key_file;
  std::optional<std::string> log_level;
  std::optional<std::string> transport;
  std::optional<int64_t> max_connections;
  std::optional<int64_t> max_body_bytes;
  std::optional<int64_t> threads;

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(
        Optional("pod", &PoddSettings::pod), Optional("listen", &PoddSettings::listen),
        Optional("data", &PoddSettings::data), Optional("pods_file", &PoddSettings::pods_file),
        Optional("hosts_from", &PoddSettings::hosts_from),
        Optional("users_file", &PoddSettings::users_file),
        Optional("token_file", &PoddSettings::token_file),
        Optional("tls_certificate_file", &PoddSettings::tls_certificate_file),
        Optional("tls_key_file", &PoddSettings::tls_key_file),
        Optional("log_level", &PoddSettings::log_level),
        Optional("transport", &PoddSettings::transport),
        Optional("max_connections", &PoddSettings::max_connections),
        Optional("max_body_bytes", &PoddSettings::max_body_bytes),
        Optional("threads", &PoddSettings::threads));
  }
};

// The settings with defaults, checked.
struct PoddConfig {
  std::string pod = "A";
  std::string address = "127.0.0.1";
  uint16_t port = 8201;
  std::string data = "podkit-data";
  std::string pods_file;   // Empty: this pod is alone.
  std::string hosts_from;  // A file or a URL; empty: the hosts are those of the pods file.
  std::string users_file;  // Empty: nobody lives here.
  std::string token_file;  // By default operator.token in the data folder.
  std::string tls_certificate_file;
  std::string tls_key_file;
  std::string log_level = "info";
  bool calls_over_links = false;  // Else over HTTP. Both are answered.
  size_t max_connections = 4096;
  size_t max_body_bytes = size_t{32} << 20;
  int threads = 8;

  // Where this pod answers, as another one would call it.
  std::string url() const;
};

// What the command line says.
struct PoddCommandLine {
  PoddSettings settings;
  std::string config_file;
  bool check_config = false;
  std::optional<std::string> answer;  // To print and end with: --help or --version.
};

// kInvalidArgument for a flag that does not exist or lacks its value.
absl::StatusOr<PoddCommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

// Reads the file at `path`; a member that does not exist is refused by name.
absl::StatusOr<PoddSettings> ReadSettings(const std::string& path);

// Errors name the flag at fault and what it takes.
absl::StatusOr<PoddConfig> CheckSettings(const PoddSettings& settings);

}  // namespace podkit::servers
