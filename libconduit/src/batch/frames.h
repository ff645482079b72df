// The calls of a batch and the answers to them as one run of bytes. Each frame is
//
//   u8 kind | u32 length of the body, big-endian | body
//
// and the body is that of a request or a reply which travels by itself. docs/conduit-batches.md.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace podkit::conduit::internal {

inline constexpr size_t kBatchFrameHeadBytes = 5;

struct BatchFrame {
  enum class Kind : unsigned char {
    kLeftOut = 0,  // A call that is not made, and the answer to it: an empty body.
    kJson = 1,
    kPayload = 2,  // JSON and bytes beside it: payload_body.h.
  };
  Kind kind = Kind::kLeftOut;
  std::string_view body;

  // Of the media type that a body by itself has.
  std::string_view content_type() const;
  static Kind KindOf(std::string_view content_type);
};

// Requires a body of less than 4 GiB.
void AppendBatchFrame(const BatchFrame& frame, std::string* bytes);

// kInvalidArgument: more than `most` frames, or bytes that are no frame. The bodies point into
// `bytes`.
absl::StatusOr<std::vector<BatchFrame>> SplitBatchFrames(std::string_view bytes, size_t most);

}  // namespace podkit::conduit::internal
