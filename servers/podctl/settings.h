// podctl's configuration: the pods, where each one listens, and the file with its operator's token;
// and chunk gateways, what their replies are signed with, and who writes there with which key.
//
//   {"pods": [{"id": "A", "url": "http://127.0.0.1:8201", "token_file": "A/data/operator.token"}],
//    "gateways": [{"id": "g1", "url": "http://127.0.0.1:8401", "public_key": "<64 digits>",
//                  "writer": "ann", "key_file": "ann.key"}]}
//
// Paths are relative to the file's folder. `ca_file`, for https, is a PEM file to trust instead of
// the system's. The first pod, or gateway, is the one that is asked unless another is named.
#pragma once

#include <string>
#include <string_view>
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

struct GatewayAddress {
  std::string id;
  std::string url;
  std::string public_key;
  std::string writer;
  std::string key_file;
  std::string ca_file;
  bool sign_reads = false;  // For private volumes.

  static constexpr auto Fields() {
    using conduit::Optional;
    using conduit::Required;
    using G = GatewayAddress;
    return std::make_tuple(Required("id", &G::id), Required("url", &G::url),
                           Required("public_key", &G::public_key), Required("writer", &G::writer),
                           Required("key_file", &G::key_file), Optional("ca_file", &G::ca_file),
                           Optional("sign_reads", &G::sign_reads));
  }
};

struct Settings {
  std::vector<PodAddress> pods;
  std::vector<GatewayAddress> gateways;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("pods", &Settings::pods),
                           conduit::Optional("gateways", &Settings::gateways));
  }
};

// Where the configuration is: `given`, else $PODCTL_CONFIG, else ./var/demo/podctl.json if there is
// one, else ~/.config/podkit/podctl.json.
std::string SettingsPath(const std::string& given);

// UsageError names the file and what is wrong with it.
absl::StatusOr<Settings> LoadSettings(const std::string& path);

// UsageError if the `ca_file` of the pod or gateway called `id`, which may be empty, cannot be
// read, or holds no certificate.
absl::Status CheckCaFile(std::string_view kind, const std::string& id, const std::string& file);

// The pod called `id`; the first one if it is empty.
absl::StatusOr<PodAddress> ChoosePod(const Settings& settings, const std::string& id);
// The same for gateways.
absl::StatusOr<GatewayAddress> ChooseGateway(const Settings& settings, const std::string& id);

}  // namespace podkit::podctl
