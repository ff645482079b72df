#include "servers/podctl/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>

#include "common/certificates.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "servers/common/files.h"
#include "servers/common/known_members.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
constexpr size_t kMaxPemBytes = size_t{8} << 20;
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

// Nothing may follow the port: paths are put behind it as they are.
bool IsServerUrl(std::string_view url) {
  const size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  std::string_view rest = url.substr(scheme);
  if (scheme == 0 || rest.find_first_of("/?#@ ") != std::string_view::npos) return false;
  const size_t host_end = rest.starts_with('[') ? rest.find(']') : 0;
  if (host_end == std::string_view::npos) return false;
  const size_t colon = rest.find(':', host_end);
  if (colon == std::string_view::npos) return !rest.empty();
  return colon > 0 && ParseNumber<uint16_t>(rest.substr(colon + 1)).value_or(0) > 0;
}

absl::StatusOr<Settings> ParseSettings(const std::string& text, const std::string& folder) {
  PODKIT_ASSIGN_OR_RETURN(Settings settings, conduit::FromJson<Settings>(text));
  PODKIT_ASSIGN_OR_RETURN(const auto document, conduit::JsonDocument::Parse(text));
  PODKIT_RETURN_IF_ERROR(servers::CheckMembers<Settings>(document.root()));
  for (PodAddress& pod : settings.pods) {
    if (!IsServerUrl(pod.url)) {
      return absl::InvalidArgumentError(
          fmt::format("pod '{}': url: '{}' is not scheme://host:port", pod.id, pod.url));
    }
    pod.token_file = servers::ResolvePath(folder, pod.token_file);
    pod.ca_file = servers::ResolvePath(folder, pod.ca_file);
  }
  for (GatewayAddress& gateway : settings.gateways) {
    gateway.key_file = servers::ResolvePath(folder, gateway.key_file);
    gateway.ca_file = servers::ResolvePath(folder, gateway.ca_file);
  }
  return settings;
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
  auto settings = ParseSettings(*text, std::filesystem::path(path).parent_path().string());
  if (!settings.ok()) {
    return Usage(
        fmt::format("configuration '{}': {}", path, std::string(settings.status().message())));
  }
  if (settings->pods.empty() && settings->gateways.empty()) {
    return Usage(fmt::format("configuration '{}' names no pods and no gateways", path));
  }
  return settings;
}

absl::Status CheckCaFile(std::string_view kind, const std::string& id, const std::string& file) {
  if (file.empty()) return absl::OkStatus();
  absl::Status status = servers::ReadFile(file, kMaxPemBytes).status();
  if (status.ok()) status = CheckCertificates(file);
  if (status.ok()) return status;
  return Usage(fmt::format("{} '{}': ca_file: {}", kind, id, std::string(status.message())));
}

absl::StatusOr<PodAddress> ChoosePod(const Settings& settings, const std::string& id) {
  return Choose(settings.pods, "pod", id);
}

absl::StatusOr<GatewayAddress> ChooseGateway(const Settings& settings, const std::string& id) {
  return Choose(settings.gateways, "gateway", id);
}

}  // namespace podkit::podctl
