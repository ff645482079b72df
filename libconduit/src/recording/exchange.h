// A request and its reply as a recording has them: docs/conduit-recordings.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/message.h"
#include "podkit/conduit/raw_json.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::internal {

// A body. Without `json` it is not recorded whole.
struct RecordedBody {
  int64_t bytes = 0;
  std::string sha256;               // Empty where something was left out.
  std::optional<RawJson> json;      // The object.
  std::optional<Bytes> payload;     // Beside it.
  std::vector<RecordedBody> calls;  // In the bytes beside it, if it is that of a batch.
  bool batch = false;               // Then `calls` counts, also when it is empty.
  bool redacted = false;            // A secret was left out.
  static constexpr auto Fields() {
    return std::make_tuple(
        Required("bytes", &RecordedBody::bytes), Optional("sha256", &RecordedBody::sha256),
        Optional("json", &RecordedBody::json), Optional("payload", &RecordedBody::payload),
        Optional("calls", &RecordedBody::calls), Optional("batch", &RecordedBody::batch),
        Optional("redacted", &RecordedBody::redacted));
  }
};

struct RecordedExchange {
  absl::Time at;
  absl::Duration took;
  std::string caller;  // The pod.
  RecordedBody request;
  int status = 0;
  RecordedBody reply;
  static constexpr auto Fields() {
    return std::make_tuple(
        Required("at", &RecordedExchange::at), Required("took_ms", &RecordedExchange::took),
        Required("caller", &RecordedExchange::caller),
        Required("request", &RecordedExchange::request),
        Required("status", &RecordedExchange::status), Required("reply", &RecordedExchange::reply));
  }
};

// What is kept of bodies.
struct RecordingRules {
  size_t max_body_bytes = 0;
  std::vector<std::string> secrets;
  int max_json_depth = 512;

  bool IsSecret(std::string_view name) const;
};

RecordedBody RecordRequest(const WireRequest& request, const RecordingRules& rules);
// `batch` if the request was one.
RecordedBody RecordReply(const WireReply& reply, const RecordingRules& rules, bool batch);

// The request without what authenticated it; nothing if it was not recorded whole.
std::optional<WireRequest> RequestOf(const RecordedBody& body);

// The command that a request is for; "" if that cannot be told.
std::string CommandOf(const RecordedBody& request);

}  // namespace podkit::conduit::internal
