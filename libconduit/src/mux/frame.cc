#include "mux/frame.h"

#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kNumberBytes = 4;
constexpr size_t kStatusBytes = 2;

struct Layout {
  bool known = false;
  bool has_status = false;
  bool has_number = false;
  bool has_body = false;
  uint8_t max_code = 0;
  bool needs_id = false;  // An id of 0 makes no sense.
};

// By the number of the type.
constexpr Layout kLayouts[] = {
    {},
    {.known = true, .has_number = true, .has_body = true, .max_code = 2, .needs_id = true},
    {.known = true,
     .has_status = true,
     .has_number = true,
     .has_body = true,
     .max_code = 2,
     .needs_id = true},
    {.known = true, .has_body = true, .needs_id = true},
    {.known = true, .has_number = true, .max_code = 1, .needs_id = true},
    {.known = true, .needs_id = true},
    {.known = true, .max_code = 1, .needs_id = true},
    {.known = true, .has_number = true},
    {.known = true},
    {.known = true},
    {.known = true, .has_number = true, .max_code = 255},
};

Layout LayoutOf(uint8_t type) { return type < std::size(kLayouts) ? kLayouts[type] : Layout{}; }

size_t FixedBytes(const Layout& layout) {
  return (layout.has_status ? kStatusBytes : 0) + (layout.has_number ? kNumberBytes : 0);
}

absl::Status Bad(std::string_view what, uint8_t type) {
  return absl::InvalidArgumentError(fmt::format("frame of type {}: {}", type, what));
}

absl::Status CheckBody(const Frame& frame) {
  const auto type = static_cast<uint8_t>(frame.type);
  if (frame.type == FrameType::kChunk) {
    const bool good = !frame.body.empty() && frame.body.size() <= kMaxChunkBytes;
    return good ? absl::OkStatus() : Bad("bad length of a chunk", type);
  }
  const size_t expected = frame.number <= kMaxChunkBytes ? frame.number : 0;
  return frame.body.size() == expected ? absl::OkStatus() : Bad("bad length of a body", type);
}

}  // namespace

std::string_view ContentName(Content content) {
  if (content == Content::kJson) return "application/json";
  if (content == Content::kPayload) return "application/vnd.podkit.call";
  return "";
}

std::optional<Content> ContentOf(std::string_view media_type) {
  for (const Content content : {Content::kJson, Content::kPayload, Content::kNone}) {
    if (media_type == ContentName(content)) return content;
  }
  return std::nullopt;
}

void WriteBigEndian(uint64_t value, size_t bytes, char* out) {
  for (size_t i = bytes; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
}

void AppendBigEndian(uint64_t value, size_t bytes, std::string* out) {
  char digits[8];
  WriteBigEndian(value, bytes, digits);
  out->append(digits, bytes);
}

uint64_t ReadBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

void AppendFrame(const Frame& frame, std::string* out) {
  const auto type = static_cast<uint8_t>(frame.type);
  const Layout layout = LayoutOf(type);
  char head[kFrameHeaderBytes + kStatusBytes + kNumberBytes];
  WriteBigEndian(FixedBytes(layout) + frame.body.size(), 2, head);
  head[2] = static_cast<char>(type);
  head[3] = static_cast<char>(frame.code);
  WriteBigEndian(frame.id, 8, head + 4);
  char* next = head + kFrameHeaderBytes;
  if (layout.has_status) {
    WriteBigEndian(frame.status, kStatusBytes, next);
    next += kStatusBytes;
  }
  if (layout.has_number) {
    WriteBigEndian(frame.number, kNumberBytes, next);
    next += kNumberBytes;
  }
  out->append(head, static_cast<size_t>(next - head));
  out->append(frame.body);
}

absl::Status ReadFrame(std::string_view* input, Frame* frame) {
  if (input->size() < kFrameHeaderBytes) {
    return absl::InvalidArgumentError("a frame is cut off in its header");
  }
  const size_t length = ReadBigEndian(input->substr(0, 2));
  const auto type = static_cast<uint8_t>((*input)[2]);
  const Layout layout = LayoutOf(type);
  if (!layout.known) return Bad("unknown type", type);
  frame->type = static_cast<FrameType>(type);
  frame->code = static_cast<uint8_t>((*input)[3]);
  frame->id = ReadBigEndian(input->substr(4, 8));
  if (frame->code > layout.max_code) return Bad("bad code", type);
  if (frame->id == 0 && layout.needs_id) return Bad("no id", type);
  input->remove_prefix(kFrameHeaderBytes);
  const size_t fixed = FixedBytes(layout);
  if (length > input->size()) return Bad("cut off", type);
  if (length < fixed || (!layout.has_body && length != fixed)) return Bad("bad length", type);
  std::string_view rest = input->substr(0, length);
  input->remove_prefix(length);
  frame->status = 0;
  frame->number = 0;
  if (layout.has_status) {
    frame->status = static_cast<uint16_t>(ReadBigEndian(rest.substr(0, kStatusBytes)));
    rest.remove_prefix(kStatusBytes);
    if (frame->status < 100 || frame->status > 599) return Bad("bad status", type);
  }
  if (layout.has_number) {
    frame->number = static_cast<uint32_t>(ReadBigEndian(rest.substr(0, kNumberBytes)));
    rest.remove_prefix(kNumberBytes);
  }
  frame->body = rest;
  return layout.has_body ? CheckBody(*frame) : absl::OkStatus();
}

}  // namespace podkit::conduit::internal
