// Mounts a chunk gateway on our HTTP server.
#pragma once

#include "absl/status/status.h"
#include "podkit/replica/gateway.h"
#include "servers/http/router.h"

namespace podkit::servers {

// Adds the routes: POST / takes signed requests, whose bodies are hashed on the io thread while
// they arrive, and every path that is not another route's is a chunk's. `gateway` outlives the
// router.
absl::Status AddGateway(replica::Gateway* gateway, size_t max_body_bytes, Router* router);

}  // namespace podkit::servers
