// podctl's configuration: the pods, where each one listens, and the file with its operator's token.
//
//   {"pods": [{"id": "A", "url": "http://127.0.0.1:8201", "token_file": "A/data/operator.token"}]}
//
// Paths are relative to the file's folder. `ca_file`, for https, is a PEM file to trust instead of
// the system's. The first pod is the one that is asked unless another is named.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/conduit/message.h"

namespace podkit::podctl {

struct PodAddress {
  std::string id;
  std::string url;
  std::string token_file;
  std::string ca_file;

  static constexpr auto Fields() {
    using conduit::Optional;
    using conduit::Required;
    return std::make_tuple(Required("id", &PodAddress::id), Required("url", &PodAddress::url),
                           Required("token_file", &PodAddress::token_file),
                           Optional("ca_file", &PodAddress::ca_file));
  }
};

struct Settings {
  std::vector<PodAddress> pods;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("pods", &Settings::pods));
  }
};

// Where the configuration is: `given`, else $PODCTL_CONFIG, else ./var/demo/podctl.json if there is
// one, else ~/.config/podkit/podctl.json.
std::string SettingsPath(const std::string& given);

// UsageError names the file and what is wrong with it.
absl::StatusOr<Settings> LoadSettings(const std::string& path);

// The pod called `id`; the first one if it is empty.
absl::StatusOr<PodAddress> ChoosePod(const Settings& settings, const std::string& id);

}  // namespace podkit::podctl
