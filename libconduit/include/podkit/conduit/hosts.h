// What is known of the hosts of another pod, and what happens to them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "podkit/conduit/enum_names.h"

namespace podkit::conduit {

// Whether a host is given calls.
enum class HostState {
  kUp,
  kEjected,  // Put aside because calls to it failed; tried again after some time.
  kProbing,  // One call is trying whether it is well again.
};

// Whether calls to the host find a connection that is kept.
enum class HostConnection {
  kNotKept,       // The transport keeps none, or was not asked for one yet.
  kConnected,     // There is one that takes calls.
  kDisconnected,  // It was lost, or could not be made.
};

// The connection to a host.
struct HostLink {
  HostConnection connection = HostConnection::kNotKept;
  absl::Time since = absl::InfinitePast();
  std::string reason = {};  // Why it is disconnected.
};

struct HostStatus {
  std::string host;
  HostState state = HostState::kUp;
  absl::Time since;  // It is in that state.
  HostLink link = {};
  int64_t in_flight = 0;   // Calls now.
  int64_t calls = 0;       // Calls that ended, and of these:
  int64_t failures = 0;    // that did not get an answer.
  absl::Duration latency;  // Of late, weighted towards slow answers; 0 before the first answer.
};

struct HostEvent {
  enum class Kind {
    kAdded,    // The pod has this host now.
    kRemoved,  // It has not any more.
    // There is a connection to it that takes calls, when there was none; `downtime`: since it was
    // disconnected, 0 if it never was; `reason`: who dialled, and the version that it runs.
    kConnected,
    kDisconnected,  // There is none any more, or the first one failed; `reason` says why.
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

template <>
struct podkit::conduit::EnumNames<podkit::conduit::HostState> {
  static constexpr std::array kNames = {std::pair{HostState::kUp, "up"},
                                        std::pair{HostState::kEjected, "ejected"},
                                        std::pair{HostState::kProbing, "probing"}};
};

template <>
struct podkit::conduit::EnumNames<podkit::conduit::HostConnection> {
  static constexpr std::array kNames = {std::pair{HostConnection::kNotKept, "not kept"},
                                        std::pair{HostConnection::kConnected, "connected"},
                                        std::pair{HostConnection::kDisconnected, "disconnected"}};
};
