// What podd is told: by flags, by a JSON file, or not at all.
//
//   {"pod": "A", "listen": "127.0.0.1:8201", "data": "data", "pods_file": "pods.json"}
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "podkit/store/store.h"
#include "servers/common/program.h"
#include "servers/common/serving.h"

namespace podkit::servers {

struct PoddSettings : ServingSettings {
  std::optional<std::string> pod;
  std::optional<std::string> pods_file;
  std::optional<std::string> hosts_from;
  std::optional<std::string> users_file;
  std::optional<std::string> token_file;
  std::optional<std::string> transport;
  std::optional<std::string> record;
  std::optional<int64_t> max_body_bytes;
  std::optional<std::string> attachment_uri;
  std::optional<int64_t> max_attachment_bytes;
  std::optional<int64_t> max_attachments;
  std::optional<int64_t> attachment_quota;
};

// The settings with defaults, checked.
struct PoddConfig : ServingConfig {
  PoddConfig() : ServingConfig{.listen = {.port = 8201}, .data = "podkit-data", .threads = 8} {}

  std::string pod = "A";
  std::string pods_file;   // Empty: this pod is alone.
  std::string hosts_from;  // A file or a URL; empty: the hosts are those of the pods file.
  std::string users_file;  // Empty: nobody lives here.
  std::string token_file;  // By default operator.token in the data folder.
  std::string record;      // A file; empty: nothing is recorded.
  // At least one; with both, each host over links if it knows them. Both are answered anyway.
  bool calls_over_links = false;
  bool calls_over_http = true;
  size_t max_body_bytes = size_t{32} << 20;
  store::StoreOptions store;  // What the flags say of it, without the folder.
};

extern const Program<PoddSettings, PoddConfig> kPodd;

}  // namespace podkit::servers
