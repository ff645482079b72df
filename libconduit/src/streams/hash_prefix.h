// Hashes the beginning of a payload that is there already.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "sha256.h"

namespace podkit::conduit::internal {

// The first `length` bytes that `read(offset, max)` gives. kFailedPrecondition: it has fewer.
template <typename Read>
absl::Status HashPrefix(Read read, uint64_t length, Sha256& hash) {
  constexpr uint64_t kStep = uint64_t{1} << 20;
  for (uint64_t offset = 0; offset < length;) {
    const auto want = static_cast<size_t>(std::min(kStep, length - offset));
    const auto bytes = read(offset, want);
    if (!bytes.ok()) return bytes.status();
    if (bytes->size() != want) {
      return absl::FailedPreconditionError(
          fmt::format("the stream is to go on at {}, but the payload ends at {}: begin it anew",
                      length, offset + bytes->size()));
    }
    hash.Update(*bytes);
    offset += want;
  }
  return absl::OkStatus();
}

}  // namespace podkit::conduit::internal
