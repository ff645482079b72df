// A body with bytes beside its JSON: the length of the JSON in four bytes, the greatest first, the
// JSON, and the bytes up to the end. docs/conduit-protocol.md.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace podkit::conduit::internal {

inline constexpr size_t kPayloadHeadBytes = 4;

struct PayloadBody {
  std::string_view json;
  std::string_view payload;
};

// Requires JSON of less than 4 GiB.
std::string JoinPayload(std::string_view json, std::string_view payload);

// kInvalidArgument: shorter than its head, or than the JSON that the head announces. The views
// point into `body`.
absl::StatusOr<PayloadBody> SplitPayload(std::string_view body);

}  // namespace podkit::conduit::internal
