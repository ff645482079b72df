#include "servers/podd/host_discovery.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "servers/common/files.h"
#include "servers/common/log.h"

namespace podkit::servers {
namespace {

absl::StatusOr<std::unique_ptr<conduit::HostListSource>> MakeSource(const PoddConfig& config) {
  if (config.hosts_from.find("://") == std::string::npos) {
    return conduit::HostListFile(config.hosts_from);
  }
  auto source = conduit::HostListUrl(config.hosts_from);
  if (source.ok()) return source;
  return absl::Status(source.status().code(),
                      fmt::format("--hosts-from: {}", std::string(source.status().message())));
}

}  // namespace

absl::Status CheckHostsFrom(const PoddConfig& config) { return MakeSource(config).status(); }

absl::StatusOr<std::unique_ptr<conduit::Discovery>> MakeHostDiscovery(
    const PoddConfig& config, std::shared_ptr<conduit::Pods> pods,
    std::shared_ptr<spdlog::logger> log) {
  if (config.hosts_from.empty()) return nullptr;
  std::vector<std::unique_ptr<conduit::HostListSource>> sources(1);
  PODKIT_ASSIGN_OR_RETURN(sources[0], MakeSource(config));
  conduit::DiscoveryOptions options;
  options.saved_file = ResolvePath(config.data, "hosts.json");
  options.on_failure = [log = std::move(log)](const absl::Status& status) {
    log->warn("{}; the hosts stay as they are", OneLine(std::string(status.message())));
  };
  return std::make_unique<conduit::Discovery>(std::move(pods), std::move(sources),
                                              std::move(options));
}

std::shared_ptr<void> LogPodsChanges(const conduit::Pods& pods,
                                     std::shared_ptr<spdlog::logger> log) {
  return pods.Watch([log = std::move(log)](const std::vector<conduit::PodsEvent>& events) {
    for (const conduit::PodsEvent& event : events) {
      log->info("pod '{}': {}{}: {}", event.pod, conduit::PodsEventName(event.kind),
                event.host.empty() ? "" : fmt::format(" '{}'", event.host), OneLine(event.reason));
    }
  });
}

std::string HostsFrom(const conduit::Discovery& discovery) {
  const conduit::DiscoveryStatus status = discovery.Status();
  return status.saved ? fmt::format("{} (saved before the last start)", status.source)
                      : status.source;
}

}  // namespace podkit::servers
