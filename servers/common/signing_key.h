// Files with the signing key of a gateway or of a writer: the seed, 64 hexadecimal digits, mode
// 600.
//
// EnsureSecret makes one.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "podkit/replica/keys.h"

namespace podkit::servers {

// Errors name the path and what to do.
absl::StatusOr<replica::SigningKey> ReadSigningKey(const std::string& path);

}  // namespace podkit::servers
