// Reads the pods file and the key files that it names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/conduit/pods.h"

namespace podkit::conduit::internal {

// The pods of the file in its order; nothing is checked that can be checked without the file. Keys
// of the own pod are not read, so that two pods can share one file.
absl::StatusOr<std::vector<Pod>> ReadPodsFile(const std::string& path, std::string_view own_id);

}  // namespace podkit::conduit::internal
