#include "batch/frames.h"

#include <cstdint>

#include "envelope.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

absl::Status BadBatchFrame(size_t index, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("call {} of the batch {}", index, why));
}

absl::StatusOr<BatchFrame> SplitBatchFrame(size_t index, std::string_view bytes) {
  if (bytes.size() < kBatchFrameHeadBytes) return BadBatchFrame(index, "ends within its head");
  const auto kind = static_cast<unsigned char>(bytes[0]);
  if (kind > static_cast<unsigned char>(BatchFrame::Kind::kPayload)) {
    return BadBatchFrame(index, fmt::format("is of kind {}, which does not exist", kind));
  }
  uint32_t length = 0;
  for (size_t i = 1; i < kBatchFrameHeadBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(bytes[i]);
  }
  if (length > bytes.size() - kBatchFrameHeadBytes) {
    return BadBatchFrame(index, fmt::format("has {} bytes, more than the {} that follow", length,
                                            bytes.size() - kBatchFrameHeadBytes));
  }
  if (kind == static_cast<unsigned char>(BatchFrame::Kind::kLeftOut) && length > 0) {
    return BadBatchFrame(index, "is left out and has a body");
  }
  return BatchFrame{.kind = static_cast<BatchFrame::Kind>(kind),
                    .body = bytes.substr(kBatchFrameHeadBytes, length)};
}

}  // namespace

std::string_view BatchFrame::content_type() const {
  return kind == Kind::kPayload ? kPayloadType : kJsonType;
}

BatchFrame::Kind BatchFrame::KindOf(std::string_view content_type) {
  return content_type == kPayloadType ? Kind::kPayload : Kind::kJson;
}

void AppendBatchFrame(const BatchFrame& frame, std::string* bytes) {
  bytes->push_back(static_cast<char>(frame.kind));
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes->push_back(static_cast<char>((frame.body.size() >> shift) & 0xff));
  }
  bytes->append(frame.body);
}

absl::StatusOr<std::vector<BatchFrame>> SplitBatchFrames(std::string_view bytes, size_t most) {
  std::vector<BatchFrame> frames;
  while (!bytes.empty()) {
    if (frames.size() == most) {
      return absl::InvalidArgumentError(
          fmt::format("the batch has more than the {} calls that are taken at a time", most));
    }
    auto frame = SplitBatchFrame(frames.size(), bytes);
    if (!frame.ok()) return std::move(frame).status();
    bytes.remove_prefix(kBatchFrameHeadBytes + frame->body.size());
    frames.push_back(*frame);
  }
  return frames;
}

}  // namespace podkit::conduit::internal
