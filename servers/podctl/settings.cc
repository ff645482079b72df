#include "servers/podctl/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>

#include "common/status_macros.h"
#include "servers/common/files.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
constexpr const char* kDemoPath = "var/demo/podctl.json";

template <typename Address>
absl::StatusOr<Address> Choose(const std::vector<Address>& addresses, std::string_view kind,
                               const std::string& id) {
  if (addresses.empty()) return Usage(fmt::format("the configuration names no {}", kind));
  if (id.empty()) return addresses.front();
  std::vector<std::string> known;
  for (const Address& address : addresses) {
    if (address.id == id) return address;
    known.push_back(address.id);
  }
  return Usage(
      fmt::format("the configuration has no {} '{}', only {}", kind, id, fmt::join(known, ", ")));
}

}  // namespace

std::string SettingsPath(const std::string& given) {
  if (!given.empty()) return given;
  if (const char* named = std::getenv("PODCTL_CONFIG"); named != nullptr && *named != '\0') {
    return named;
  }
  std::error_code ignored;
  if (std::filesystem::exists(kDemoPath, ignored)) return kDemoPath;
  const char* home = std::getenv("HOME");
  return fmt::format("{}/.config/podkit/podctl.json", home == nullptr ? "" : home);
}

absl::StatusOr<Settings> LoadSettings(const std::string& path) {
  auto text = servers::ReadFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) {
    return Usage(
        fmt::format("there is no configuration '{}': start the demo with script/server, or "
                    "write the file as 'podctl --help' shows",
                    path));
  }
  if (!text.ok()) return Usage(std::string(text.status().message()));
  auto settings = conduit::FromJson<Settings>(*std::move(text));
  if (!settings.ok()) {
    return Usage(
        fmt::format("configuration '{}': {}", path, std::string(settings.status().message())));
  }
  if (settings->pods.empty() && settings->gateways.empty()) {
    return Usage(fmt::format("configuration '{}' names no pods and no gateways", path));
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  for (PodAddress& pod : settings->pods) {
    pod.token_file = servers::ResolvePath(folder, pod.token_file);
    pod.ca_file = servers::ResolvePath(folder, pod.ca_file);
  }
  for (GatewayAddress& gateway : settings->gateways) {
    gateway.key_file = servers::ResolvePath(folder, gateway.key_file);
    gateway.ca_file = servers::ResolvePath(folder, gateway.ca_file);
  }
  return settings;
}

absl::StatusOr<PodAddress> ChoosePod(const Settings& settings, const std::string& id) {
  return Choose(settings.pods, "pod", id);
}

absl::StatusOr<GatewayAddress> ChooseGateway(const Settings& settings, const std::string& id) {
  return Choose(settings.gateways, "gateway", id);
}

}  // namespace podkit::podctl
