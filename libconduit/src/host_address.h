// The address of one host of a pod: scheme://host:port.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace podkit::conduit::internal {

// `text` with scheme and host in lower case and the port written out (80 or 443 if it has none).
// kInvalidArgument says what is wrong with it.
absl::StatusOr<std::string> NormalHostAddress(std::string_view text);

}  // namespace podkit::conduit::internal
