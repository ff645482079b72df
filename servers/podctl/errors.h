// The errors of podctl itself, beside those that a pod answers; and what the process ends with.
#pragma once

#include <string>
#include <string_view>
#include <tuple>

#include "absl/status/status.h"
#include "podkit/conduit/error.h"

namespace podkit::podctl {

// The command line or podctl's own configuration makes no sense.
struct UsageError {
  static constexpr std::string_view kClass = "UsageError";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// Nobody answers at the pod's address, or not in time.
struct PodUnreachable {
  static constexpr std::string_view kClass = "PodUnreachable";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
  std::string pod;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("pod", &PodUnreachable::pod));
  }
};

// The error was reported where it happened; it only decides how the process ends.
struct AlreadyReported {
  static constexpr std::string_view kClass = "AlreadyReported";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnknown;
  static constexpr auto Fields() { return std::make_tuple(); }
};

absl::Status Usage(std::string_view text);

// 0 done; 1 refused or failed; 2 wrong usage; 3 a pod cannot be reached.
int ExitCode(const absl::Status& status);

// The error that a pod answered with HTTP status `http_status` and this body.
absl::Status ErrorFromReply(int http_status, const std::string& body);

}  // namespace podkit::podctl
