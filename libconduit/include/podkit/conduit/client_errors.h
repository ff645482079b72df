// The errors of a caller that found no host to call. None of them executed anything (OutcomeOf
// says kNotExecuted), so the call may be repeated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "podkit/conduit/error.h"

namespace podkit::conduit {

// The pod has no host that could be reached now. Try again later, or wait for one.
struct NoConnectionsAvailable {
  static constexpr std::string_view kClass = "NoConnectionsAvailable";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
  std::string pod;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("pod", &NoConnectionsAvailable::pod));
  }
};

// Every host of the pod has as many calls in flight as it may have. Call less, or later.
struct AllConnectionsBusy {
  static constexpr std::string_view kClass = "AllConnectionsBusy";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  std::string pod;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("pod", &AllConnectionsBusy::pod));
  }
};

// As many connections to the pod are open as may be, and none of them is free.
struct MaxConnectionsOpen {
  static constexpr std::string_view kClass = "MaxConnectionsOpen";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  std::string pod;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("pod", &MaxConnectionsOpen::pod));
  }
};

}  // namespace podkit::conduit
