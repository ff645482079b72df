// The operator's API of lockd, which podctl lock uses, as JSON over HTTP.
//
// Every request carries "Authorization: Bearer <token>"; without it the answer is 401, whatever the
// rest says. docs/operations.md lists the routes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "podkit/lock/local_directory.h"
#include "servers/common/lock_messages.h"
#include "servers/http/router.h"

namespace podkit::servers {

struct LockApiOptions {
  std::string token;
  std::function<LockdStatus()> status;
  // Told of every request that was let in, when it is answered; `changed`: it did something. May be
  // empty.
  std::function<void(bool changed, std::string_view line)> log;
};

// Adds the routes. The directory outlives the router.
absl::Status AddLockApi(lock::WriteLockDirectory* directory, LockApiOptions options,
                        Router* router);

}  // namespace podkit::servers
