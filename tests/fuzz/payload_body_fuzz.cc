// Bodies with bytes beside their JSON: no input is read beyond its end, and what was taken apart
// makes the same body again. Also as requests, through the reader of envelopes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "envelope.h"
#include "payload_body.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using podkit::conduit::internal::SplitPayload;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto parts = SplitPayload(body);
  if (parts.ok()) {
    Require(podkit::conduit::internal::JoinPayload(parts->json, parts->payload) == body);
  }
  const podkit::conduit::WireRequest request{
      .content_type = std::string(podkit::conduit::internal::kPayloadType),
      .authorization = {},
      .body = std::string(body)};
  std::string_view payload;
  const auto document = podkit::conduit::internal::ParseRequest(request, {}, &payload);
  Require(parts.ok() || !document.ok());
  if (document.ok()) {
    Require(payload == parts->payload);
    static_cast<void>(podkit::conduit::internal::ReadRequestHead(document->root()));
  }
  return 0;
}
