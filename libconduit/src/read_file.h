// Reads small files that a person wrote.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace podkit::conduit::internal {

struct ReadFileOptions {
  size_t max_bytes = size_t{1} << 20;
  bool owner_only = false;  // Refuse a file that the group or others may touch.
};

// The whole file. Errors name it: kNotFound, kPermissionDenied, kInvalidArgument (not a regular
// file, or too large).
absl::StatusOr<std::string> ReadFile(const std::string& path, const ReadFileOptions& options);

}  // namespace podkit::conduit::internal
