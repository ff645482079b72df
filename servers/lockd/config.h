// What lockd is told: by flags, by a JSON file, or not at all.
//
//   {"pod": "locks", "listen": "127.0.0.1:8301", "data": "data", "pods_file": "pods.json"}
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "servers/common/program.h"
#include "servers/common/serving.h"

namespace podkit::servers {

struct LockdSettings : ServingSettings {
  std::optional<std::string> pod;
  std::optional<std::string> pods_file;
  std::optional<std::string> token_file;
  std::optional<int64_t> max_waiting;
};

// The settings with defaults, checked.
struct LockdConfig : ServingConfig {
  LockdConfig() : ServingConfig{.listen = {.port = 8301}, .data = "lockd-data", .threads = 16} {}

  std::string pod = "locks";
  std::string pods_file;     // Empty: nobody may ask.
  std::string token_file;    // By default operator.token in the data folder.
  size_t max_waiting = 256;  // Calls that wait, each on a thread besides `threads`.
};

extern const Program<LockdSettings, LockdConfig> kLockd;

}  // namespace podkit::servers
