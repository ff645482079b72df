// The JSON objects that travel: docs/conduit-protocol.md describes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/call.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::internal {

inline constexpr std::string_view kJsonType = "application/json";
// JSON and bytes beside it: payload_body.h.
inline constexpr std::string_view kPayloadType = "application/vnd.podkit.call";
inline constexpr size_t kMaxActorBytes = 256;
inline constexpr size_t kMaxKeyBytes = 128;
inline constexpr size_t kMaxAnswersBytes = 64;
inline constexpr size_t kMaxTraceBytes = 128;
inline constexpr size_t kMaxCallIdBytes = 64;
inline constexpr absl::Duration kMaxTimeout = absl::Minutes(5);

// What a request says about itself; points into its document.
struct RequestHead {
  std::string_view action;
  std::string_view actor;
  absl::Duration timeout = kMaxTimeout;
  std::string_view call;  // By which the caller can cancel it; may be empty.
  std::string_view key;
  std::string_view answers;  // The id of those that the caller counts on; may be empty.
  std::string_view trace;
  std::optional<StoreToken> store_token;
};

// kInvalidArgument: an option is longer than a receiver takes.
absl::Status CheckOptions(const CommandInfo& info, const CallOptions& options);

// What differs between the requests of one call, or between calls of the same options.
struct RequestParts {
  absl::Duration timeout;
  std::string_view call;     // RequestHead::call.
  std::string_view answers;  // RequestHead::answers.
};

// The request with that head; `members` is the object with the others.
std::string EncodeRequest(const CommandInfo& info, const CallOptions& options,
                          const RequestParts& parts, std::string_view members);

// WrongMediaType, BadJson, and as the limits say. `payload` gets the bytes beside the JSON; it
// points into the request.
absl::StatusOr<JsonDocument> ParseRequest(const WireRequest& request, const JsonLimits& limits,
                                          std::string_view* payload);

// MissingAction; InvalidArguments for a member of the envelope that is not what it must be.
absl::StatusOr<RequestHead> ReadRequestHead(const JsonValue& request);

// The reply to a call that went well, and to one that did not.
WireReply OkReply(std::string_view value, std::string_view payload = {});
WireReply ExceptionReply(const absl::Status& error);

// The document of an authentic reply whose result is "ok", or the error that it holds. kUnknown:
// not a reply that the protocol knows. `payload` gets the bytes beside the JSON; null refuses them.
absl::StatusOr<JsonDocument> ReadReply(std::string_view pod, const CommandInfo& info,
                                       WireReply reply, const JsonLimits& limits,
                                       std::string* payload = nullptr);

}  // namespace podkit::conduit::internal
