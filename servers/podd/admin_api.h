// The operator's API of a pod: everything that podctl can do, as JSON over HTTP.
//
// Every request carries "Authorization: Bearer <token>"; without it the answer is 401, whatever the
// rest says. The query parameter `actor` names the user in whose name it is done; without one it is
// the operator. docs/operations.md lists the routes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "servers/http/router.h"
#include "servers/podd/pod_services.h"

namespace podkit::servers {

struct AdminApiOptions {
  std::string token;
  // Told of every request that was let in, when it is answered. May be empty.
  std::function<void(std::string_view line)> log;
};

// Adds the routes. `pod` is copied; what it points to outlives the router.
absl::Status AddAdminApi(const PodServices& pod, const AdminApiOptions& options, Router* router);

}  // namespace podkit::servers
