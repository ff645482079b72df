// What --hosts-from sets: where podd finds the hosts of the other pods while it runs.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/discovery.h"
#include "podkit/conduit/pods.h"
#include "servers/podd/config.h"

namespace podkit::servers {

// kInvalidArgument names the flag.
absl::Status CheckHostsFrom(const PoddConfig& config);

// Null if the configuration names no place. Keeps what it finds in the data folder. Not started.
absl::StatusOr<std::unique_ptr<conduit::Discovery>> MakeHostDiscovery(
    const PoddConfig& config, std::shared_ptr<conduit::Pods> pods,
    std::shared_ptr<spdlog::logger> log);

// Logs every change of the pods until what is returned is let go of.
std::shared_ptr<void> LogPodsChanges(const conduit::Pods& pods,
                                     std::shared_ptr<spdlog::logger> log);

// Where the hosts in use come from, for the operator; "" if from the pods file.
std::string HostsFrom(const conduit::Discovery& discovery);

}  // namespace podkit::servers
