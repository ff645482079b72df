#include "payload_body.h"

#include <cstdint>

#include "fmt/format.h"

namespace podkit::conduit::internal {

std::string JoinPayload(std::string_view json, std::string_view payload) {
  std::string body;
  body.reserve(kPayloadHeadBytes + json.size() + payload.size());
  for (int shift = 24; shift >= 0; shift -= 8) {
    body.push_back(static_cast<char>((json.size() >> shift) & 0xff));
  }
  body.append(json).append(payload);
  return body;
}

absl::StatusOr<PayloadBody> SplitPayload(std::string_view body) {
  if (body.size() < kPayloadHeadBytes) {
    return absl::InvalidArgumentError(fmt::format(
        "a body with a payload has at least {} bytes, not {}", kPayloadHeadBytes, body.size()));
  }
  uint32_t length = 0;
  for (size_t i = 0; i < kPayloadHeadBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(body[i]);
  }
  const std::string_view rest = body.substr(kPayloadHeadBytes);
  if (length > rest.size()) {
    return absl::InvalidArgumentError(
        fmt::format("the JSON of {} bytes is longer than the {} that follow", length, rest.size()));
  }
  return PayloadBody{.json = rest.substr(0, length), .payload = rest.substr(length)};
}

}  // namespace podkit::conduit::internal
