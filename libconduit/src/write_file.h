// Replaces a small file at once.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace podkit::conduit::internal {

// A reader sees the old text or the new one, also after a crash. The file is for its owner only.
// Errors name it: kNotFound (no such folder), kPermissionDenied, kUnavailable (the disk).
absl::Status WriteFile(const std::string& path, std::string_view text);

}  // namespace podkit::conduit::internal
