// The JSON objects that travel: docs/conduit-protocol.md describes them.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::internal {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr size_t kMaxActorBytes = 256;
inline constexpr absl::Duration kMaxTimeout = absl::Minutes(5);

// What a request says about itself; points into its document.
struct RequestHead {
  std::string_view action;
  std::string_view actor;
  absl::Duration timeout = kMaxTimeout;
};

// WrongMediaType, BadJson, and as the limits say.
absl::StatusOr<JsonDocument> ParseRequest(const WireRequest& request, const JsonLimits& limits);

// MissingAction; InvalidArguments for a member of the envelope that is not what it must be.
absl::StatusOr<RequestHead> ReadRequestHead(const JsonValue& request);

// The reply to a call that went well, and to one that did not.
WireReply OkReply(std::string_view value);
WireReply ExceptionReply(const absl::Status& error);

// The document of an authentic reply whose result is "ok", or the error that it holds. kUnknown:
// not a reply that the protocol knows.
absl::StatusOr<JsonDocument> ReadReply(std::string_view pod, const CommandInfo& info,
                                       WireReply reply, const JsonLimits& limits);

}  // namespace podkit::conduit::internal
