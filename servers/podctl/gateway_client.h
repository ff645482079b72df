// A client of a chunk gateway of podctl's configuration.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "podkit/replica/client.h"
#include "servers/podctl/settings.h"

namespace podkit::podctl {

// For the gateway called `id`, or the first one if it is empty. Reads the writer's key; UsageError
// says what is wrong with the configuration.
absl::StatusOr<std::unique_ptr<replica::ReplicaClient>> ConnectGateway(const Settings& settings,
                                                                       const std::string& id);

}  // namespace podkit::podctl
