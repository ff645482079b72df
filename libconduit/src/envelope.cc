#include "envelope.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"
#include "outcome.h"
#include "utf8.h"

namespace podkit::conduit::internal {
namespace {

// Parameters such as a charset may follow; JSON is UTF-8 whatever they say.
bool IsJsonType(std::string_view content_type) {
  return EqualsIgnoreCase(TrimSpace(content_type.substr(0, content_type.find(';'))), kJsonType);
}

absl::Status InvalidMember(std::string_view name, std::string_view expected) {
  return MakeError(InvalidArguments{}, fmt::format("$.{}: must be {}", name, expected));
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

absl::StatusOr<JsonDocument> ParseRequest(const WireRequest& request, const JsonLimits& limits) {
  if (!IsJsonType(request.content_type)) {
    return conduit::MakeError(WrongMediaType{},
                              fmt::format("the request is of type '{}', not {}",
                                          ForLog(request.content_type, 100), kJsonType));
  }
  auto document = JsonDocument::Parse(request.body, limits);
  if (!document.ok()) {
    return conduit::MakeError(BadJson{}, std::string(document.status().message()));
  }
  if (document->root().kind() != JsonValue::Kind::kObject) {
    return conduit::MakeError(BadJson{}, "the request is not a JSON object");
  }
  return document;
}

absl::StatusOr<RequestHead> ReadRequestHead(const JsonValue& request) {
  RequestHead head;
  head.action = StringMember(request, "action");
  if (head.action.empty()) {
    return conduit::MakeError(MissingAction{}, "the request has no string member 'action'");
  }
  if (const auto actor = request.Member("actor")) {
    const auto text = actor->AsString();
    if (!text || text->size() > kMaxActorBytes) {
      return InvalidMember("actor", fmt::format("a string of at most {} bytes", kMaxActorBytes));
    }
    head.actor = *text;
  }
  if (const auto timeout = request.Member("timeout_ms")) {
    const auto milliseconds = timeout->AsInteger();
    if (!milliseconds || *milliseconds <= 0) {
      return InvalidMember("timeout_ms", "an integer above 0");
    }
    head.timeout = std::min(absl::Milliseconds(*milliseconds), kMaxTimeout);
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

WireReply OkReply(std::string_view value) {
  WireReply reply;
  reply.status = 200;
  reply.content_type = kJsonType;
  reply.body = value.empty() ? std::string(R"({"result":"ok"})")
                             : fmt::format(R"({{"result":"ok","value":{}}})", value);
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
                                       WireReply reply, const JsonLimits& limits) {
  if (!IsJsonType(reply.content_type)) return NotUnderstood(pod, info, "not JSON");
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
