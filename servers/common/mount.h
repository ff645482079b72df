// What every server mounts and passes on: the conduit on HTTP and on links, and the libraries'
// logs.
#pragma once

#include <spdlog/logger.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/conduit/recorder.h"
#include "servers/http/http_options.h"
#include "servers/http/router.h"

namespace podkit::servers {

std::function<void(conduit::LogLevel, std::string_view)> ConduitLog(
    std::shared_ptr<spdlog::logger> log);
std::function<void(HttpLogLevel, std::string_view)> HttpLog(std::shared_ptr<spdlog::logger> log);
std::function<void(const conduit::HostEvent&)> LinkLog(std::shared_ptr<spdlog::logger> log);

// Adds POST /conduit and the upgrade to a link. Both outlive the router, and so does the recorder,
// if there is one.
absl::Status MountConduit(conduit::Conduit* conduit, conduit::MuxTransport* links, Router* router,
                          conduit::Recorder* recorder = nullptr);

// Adds /healthz; /readyz, which is 503 while `problems` are not empty; and /metrics.
absl::Status MountHealth(std::function<std::vector<std::string>()> problems, HttpHandler metrics,
                         Router* router);

}  // namespace podkit::servers
