// What is known of the hosts of another pod, and what happens to them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace podkit::conduit {

// Whether a host is given calls.
enum class HostState {
  kUp,
  kEjected,  // Put aside because calls to it failed; tried again after some time.
  kProbing,  // One call is trying whether it is well again.
};

// Whether a transport that keeps a connection to the host has one.
enum class HostConnection { kNotKept, kConnected, kDisconnected };

struct HostStatus {
  std::string host;
  HostState state = HostState::kUp;
  HostConnection connection = HostConnection::kNotKept;
  absl::Time since;        // The host is up, or not; or connected, or not: what changed last.
  int64_t in_flight = 0;   // Calls now.
  int64_t calls = 0;       // Calls that ended, and of these:
  int64_t failures = 0;    // that did not get an answer.
  absl::Duration latency;  // Of late, weighted towards slow answers; 0 before the first answer.
};

struct HostEvent {
  enum class Kind {
    kAdded,         // The pod has this host now.
    kRemoved,       // It has not any more.
    kConnected,     // `downtime`: since it was disconnected, 0 if it never was.
    kDisconnected,  // `reason` says why.
    kEjected,       // `reason` says why.
    kProbed,        // An ejected host is given one call.
    kBack,          // An ejected host answered. `downtime`: since it was ejected.
  };
  Kind kind = Kind::kAdded;
  std::string pod;
  std::string host;
  absl::Time at;
  std::string reason = {};
  absl::Duration downtime = absl::ZeroDuration();
};

std::string_view HostEventName(HostEvent::Kind kind);

}  // namespace podkit::conduit
