#include "envelope.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"
#include "outcome.h"
#include "payload_body.h"
#include "utf8.h"

namespace podkit::conduit::internal {
namespace {

// Parameters such as a charset may follow; JSON is UTF-8 whatever they say.
bool IsType(std::string_view content_type, std::string_view type) {
  return EqualsIgnoreCase(TrimSpace(content_type.substr(0, content_type.find(';'))), type);
}

absl::Status InvalidMember(std::string_view name, std::string_view expected) {
  return MakeError(InvalidArguments{}, fmt::format("$.{}: must be {}", name, expected));
}

constexpr size_t kMaxStoreBytes = 256;

struct WireStoreToken : StoreToken {
  static constexpr auto Fields() {
    return std::make_tuple(Required("store", &WireStoreToken::store),
                           Required("token", &WireStoreToken::token),
                           Optional("transaction", &WireStoreToken::transaction));
  }
};

// An optional text of the envelope; "" if it is absent.
absl::StatusOr<std::string_view> ShortText(const JsonValue& request, std::string_view name,
                                           size_t limit) {
  const auto member = request.Member(name);
  if (!member) return std::string_view();
  const auto text = member->AsString();
  if (text && text->size() <= limit) return *text;
  return InvalidMember(name, fmt::format("a string of at most {} bytes", limit));
}

std::string_view StringMember(const JsonValue& object, std::string_view name) {
  const auto member = object.Member(name);
  return member ? member->AsString().value_or(std::string_view()) : std::string_view();
}

absl::Status NotUnderstood(std::string_view pod, const CommandInfo& info, std::string_view why) {
  return TransportError(Outcome::kUnknown,
                        fmt::format("the answer of pod '{}' to '{}' is {}", pod, info.name, why));
}

// The error in a reply whose result is "exception".
absl::Status ReadException(std::string_view pod, const CommandInfo& info, const JsonValue& reply) {
  const std::string_view error_class = StringMember(reply, "class");
  if (error_class.empty() || error_class.find('\n') != std::string_view::npos) {
    return NotUnderstood(pod, info, "an exception without a class");
  }
  const auto fields = reply.Member("fields");
  const bool has_fields = fields && fields->kind() == JsonValue::Kind::kObject;
  absl::Status error =
      MakeError(CodeFromName(StringMember(reply, "code")), error_class,
                has_fields ? fields->ToText() : "{}", StringMember(reply, "details"));
  if (const auto unknown = GetError<UnknownAction>(error)) {
    return conduit::MakeError(
        *unknown, fmt::format("pod '{}' (version {}) does not know '{}', which exists since "
                              "version {}: update that pod",
                              pod, unknown->version, info.name, info.since));
  }
  // Requests that are too large are refused before they are read, without a signature: this one
  // was executed and its answer is too large.
  if (error_class == BodyTooLarge::kClass) return WithOutcome(std::move(error), Outcome::kUnknown);
  return error;
}

}  // namespace

absl::StatusOr<JsonDocument> ParseRequest(const WireRequest& request, const JsonLimits& limits,
                                          std::string_view* payload) {
  PayloadBody parts{.json = request.body, .payload = {}};
  if (IsType(request.content_type, kPayloadType)) {
    auto split = SplitPayload(request.body);
    if (!split.ok()) {
      return conduit::MakeError(BadJson{}, std::string(split.status().message()));
    }
    parts = *split;
  } else if (!IsType(request.content_type, kJsonType)) {
    return conduit::MakeError(
        WrongMediaType{}, fmt::format("the request is of type '{}', neither {} nor {}",
                                      ForLog(request.content_type, 100), kJsonType, kPayloadType));
  }
  *payload = parts.payload;
  auto document = JsonDocument::Parse(std::string(parts.json), limits);
  if (!document.ok()) {
    return conduit::MakeError(BadJson{}, std::string(document.status().message()));
  }
  if (document->root().kind() != JsonValue::Kind::kObject) {
    return conduit::MakeError(BadJson{}, "the request is not a JSON object");
  }
  return document;
}

absl::Status CheckOptions(const CommandInfo& info, const CallOptions& options) {
  const auto check = [&](std::string_view name, const std::string& value, size_t limit) {
    if (value.size() <= limit) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("the {} of '{}' has more than {} bytes", name, info.name, limit));
  };
  PODKIT_RETURN_IF_ERROR(check("actor", options.actor, kMaxActorBytes));
  PODKIT_RETURN_IF_ERROR(check("key", options.key, kMaxKeyBytes));
  PODKIT_RETURN_IF_ERROR(check("trace", options.trace, kMaxTraceBytes));
  if (!options.store_token) return absl::OkStatus();
  return check("store_token", options.store_token->store, kMaxStoreBytes);
}

std::string EncodeRequest(const CommandInfo& info, const CallOptions& options,
                          const RequestParts& parts, std::string_view members) {
  JsonWriter writer;
  const auto text = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    writer.Key(name);
    writer.String(value);
  };
  writer.BeginObject();
  text("action", info.name);
  text("actor", options.actor);
  writer.Key("timeout_ms");
  writer.Integer(
      absl::ToInt64Milliseconds(std::clamp(parts.timeout, absl::Milliseconds(1), kMaxTimeout)));
  text("call", parts.call);
  text("key", options.key);
  text("answers", parts.answers);
  text("trace", options.trace);
  if (options.store_token) {
    writer.Key("store_token");
    Codec<WireStoreToken>::Encode(writer, WireStoreToken{*options.store_token});
  }
  writer.EndObject();
  std::string request = writer.Take();
  // Both are objects, and the first one is not empty: join them.
  request.back() = ',';
  request.append(members.substr(1));
  if (members == "{}") request.erase(request.size() - 2, 1);
  return request;
}

absl::StatusOr<RequestHead> ReadRequestHead(const JsonValue& request) {
  RequestHead head;
  head.action = StringMember(request, "action");
  if (head.action.empty()) {
    return conduit::MakeError(MissingAction{}, "the request has no string member 'action'");
  }
  PODKIT_ASSIGN_OR_RETURN(head.actor, ShortText(request, "actor", kMaxActorBytes));
  PODKIT_ASSIGN_OR_RETURN(head.call, ShortText(request, "call", kMaxCallIdBytes));
  PODKIT_ASSIGN_OR_RETURN(head.key, ShortText(request, "key", kMaxKeyBytes));
  PODKIT_ASSIGN_OR_RETURN(head.answers, ShortText(request, "answers", kMaxAnswersBytes));
  PODKIT_ASSIGN_OR_RETURN(head.trace, ShortText(request, "trace", kMaxTraceBytes));
  if (const auto timeout = request.Member("timeout_ms")) {
    const auto milliseconds = timeout->AsInteger();
    if (!milliseconds || *milliseconds <= 0) {
      return InvalidMember("timeout_ms", "an integer above 0");
    }
    head.timeout = std::min(absl::Milliseconds(*milliseconds), kMaxTimeout);
  }
  if (const auto token = request.Member("store_token")) {
    WireStoreToken wire;
    const absl::Status status = Codec<WireStoreToken>::Decode(*token, &wire);
    if (!status.ok() || wire.store.size() > kMaxStoreBytes) {
      return InvalidMember("store_token",
                           "an object with 'store', a string of at most 256 bytes, "
                           "and the integers 'token' and 'transaction'");
    }
    head.store_token = std::move(wire);
  }
  const auto arguments = request.Member("arguments");
  if (arguments && arguments->kind() != JsonValue::Kind::kArray) {
    return InvalidMember("arguments", "an array");
  }
  const auto keywords = request.Member("keywords");
  if (keywords && keywords->kind() != JsonValue::Kind::kObject) {
    return InvalidMember("keywords", "an object");
  }
  return head;
}

WireReply OkReply(std::string_view value, std::string_view payload) {
  WireReply reply;
  reply.status = 200;
  reply.content_type = kJsonType;
  reply.body = value.empty() ? std::string(R"({"result":"ok"})")
                             : fmt::format(R"({{"result":"ok","value":{}}})", value);
  if (!payload.empty()) {
    reply.content_type = kPayloadType;
    reply.body = JoinPayload(reply.body, payload);
  }
  return reply;
}

WireReply ExceptionReply(const absl::Status& error) {
  const std::string error_class = ErrorClass(error);
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("result");
  writer.String("exception");
  writer.Key("class");
  writer.String(error_class);
  writer.Key("details");
  writer.String(RepairUtf8(std::string(error.message())));
  writer.Key("code");
  writer.String(CodeName(error.code()));
  writer.Key("fields");
  writer.Raw(ErrorFieldsJson(error));
  writer.EndObject();
  WireReply reply;
  reply.status = error_class == BodyTooLarge::kClass ? 413 : 400;
  reply.content_type = kJsonType;
  reply.body = writer.Take();
  return reply;
}

absl::StatusOr<JsonDocument> ReadReply(std::string_view pod, const CommandInfo& info,
                                       WireReply reply, const JsonLimits& limits,
                                       std::string* payload) {
  if (payload != nullptr && IsType(reply.content_type, kPayloadType)) {
    const auto parts = SplitPayload(reply.body);
    if (!parts.ok()) {
      return NotUnderstood(pod, info, std::string(parts.status().message()));
    }
    *payload = parts->payload;
    reply.body.resize(kPayloadHeadBytes + parts->json.size());
    reply.body.erase(0, kPayloadHeadBytes);
  } else if (!IsType(reply.content_type, kJsonType)) {
    return NotUnderstood(pod, info, "not JSON");
  }
  auto document = JsonDocument::Parse(std::move(reply.body), limits);
  if (!document.ok()) {
    return NotUnderstood(pod, info, std::string(document.status().message()));
  }
  const std::string_view result = StringMember(document->root(), "result");
  if (result == "ok") return document;
  if (result == "exception") return ReadException(pod, info, document->root());
  return NotUnderstood(pod, info, "neither 'ok' nor 'exception'");
}

}  // namespace podkit::conduit::internal
