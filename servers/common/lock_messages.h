// What lockd says of itself in the operator's API: lockd writes it, podctl reads it. Locks, events
// and audit lines travel as podkit/lock/wire_types.h has them.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/message.h"

namespace podkit::servers {

struct LockdStatus {
  std::string pod;
  std::string version;
  absl::Time started;
  int64_t revision = 0;
  int64_t sessions = 0;
  int64_t stores = 0;
  int64_t held = 0;
  int64_t waiting = 0;
  int64_t requests = 0;  // Since the start, that changed something;
  int64_t commits = 0;   // that carried them.
  std::vector<std::string> problems;

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(
        conduit::Required("pod", &LockdStatus::pod), Optional("version", &LockdStatus::version),
        Optional("started", &LockdStatus::started), Optional("revision", &LockdStatus::revision),
        Optional("sessions", &LockdStatus::sessions), Optional("stores", &LockdStatus::stores),
        Optional("held", &LockdStatus::held), Optional("waiting", &LockdStatus::waiting),
        Optional("requests", &LockdStatus::requests), Optional("commits", &LockdStatus::commits),
        Optional("problems", &LockdStatus::problems));
  }
};

// The body of what an operator does to a lock.
struct LockOrder {
  std::string by;
  std::string reason;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("by", &LockOrder::by),
                           conduit::Optional("reason", &LockOrder::reason));
  }
};

}  // namespace podkit::servers
