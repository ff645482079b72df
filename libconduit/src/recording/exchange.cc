#include "recording/exchange.h"

#include <algorithm>
#include <utility>

#include "batch/batch_command.h"
#include "batch/frames.h"
#include "common/text.h"
#include "envelope.h"
#include "payload_body.h"
#include "sha256.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kMostFrames = 65'536;
constexpr std::string_view kLeftOut = "[left out]";

// Writes a value without what its secrets hold.
class Redactor {
 public:
  explicit Redactor(const RecordingRules& rules) : rules_(rules) {}

  void Write(const JsonValue& value) {
    switch (value.kind()) {
      case JsonValue::Kind::kObject:
        return WriteObject(value);
      case JsonValue::Kind::kArray:
        writer_.BeginArray();
        for (size_t i = 0; i < value.size(); ++i) Write(value.Element(i));
        return writer_.EndArray();
      default:
        writer_.Raw(value.ToText());
    }
  }
  std::string Take() { return writer_.Take(); }
  bool redacted() const { return redacted_; }

 private:
  void WriteObject(const JsonValue& object) {
    writer_.BeginObject();
    for (size_t i = 0; i < object.size(); ++i) {
      const auto [name, value] = object.MemberAt(i);
      writer_.Key(name);
      if (rules_.IsSecret(name)) {
        redacted_ = true;
        writer_.String(kLeftOut);
      } else {
        Write(value);
      }
    }
    writer_.EndObject();
  }

  const RecordingRules& rules_;
  JsonWriter writer_;
  bool redacted_ = false;
};

RecordedBody Record(std::string_view content_type, std::string_view body,
                    const RecordingRules& rules, bool batch_reply);

// False: they are no frames.
bool RecordCalls(std::string_view frames, const RecordingRules& rules, RecordedBody* record) {
  const auto split = SplitBatchFrames(frames, kMostFrames);
  if (!split.ok()) return false;
  record->batch = true;
  for (const BatchFrame& frame : *split) {
    RecordedBody& call = record->calls.emplace_back();
    // One that was left out has no bytes.
    if (frame.kind == BatchFrame::Kind::kLeftOut) continue;
    call = Record(frame.content_type(), frame.body, rules, false);
    record->redacted = record->redacted || call.redacted;
  }
  return true;
}

RecordedBody Record(std::string_view content_type, std::string_view body,
                    const RecordingRules& rules, bool batch_reply) {
  RecordedBody record{.bytes = static_cast<int64_t>(body.size())};
  Sha256 hash;
  hash.Update(body);
  record.sha256 = hash.Hex();
  if (body.size() > rules.max_body_bytes) return record;
  PayloadBody parts{.json = body, .payload = {}};
  if (content_type == kPayloadType) {
    const auto split = SplitPayload(body);
    if (!split.ok()) return record;
    parts = *split;
  }
  const auto document =
      JsonDocument::Parse(std::string(parts.json), {rules.max_body_bytes, rules.max_json_depth});
  if (!document.ok() || document->root().kind() != JsonValue::Kind::kObject) return record;
  const auto action = document->root().Member("action");
  const bool batch = batch_reply || (action && action->AsString() == BatchCommand::kInfo.name);
  Redactor redactor(rules);
  redactor.Write(document->root());
  record.redacted = redactor.redacted();
  record.json = RawJson{redactor.Take()};
  if (!batch || !RecordCalls(parts.payload, rules, &record)) {
    if (!parts.payload.empty()) record.payload = Bytes{std::string(parts.payload)};
  }
  // Of few possible texts the digest tells which one it was.
  if (record.redacted) record.sha256.clear();
  return record;
}

bool IsWhole(const RecordedBody& body) {
  const bool left_out = body.bytes == 0 && !body.json;
  return !body.redacted && (left_out || body.json.has_value()) &&
         std::all_of(body.calls.begin(), body.calls.end(), IsWhole);
}

}  // namespace

bool RecordingRules::IsSecret(std::string_view name) const {
  return std::any_of(secrets.begin(), secrets.end(),
                     [&](const std::string& secret) { return EqualsIgnoreCase(secret, name); });
}

RecordedBody RecordRequest(const WireRequest& request, const RecordingRules& rules) {
  return Record(request.content_type, request.body, rules, false);
}

RecordedBody RecordReply(const WireReply& reply, const RecordingRules& rules, bool batch) {
  return Record(reply.content_type, reply.body, rules, batch && reply.content_type == kPayloadType);
}

std::optional<WireRequest> RequestOf(const RecordedBody& body) {
  if (!IsWhole(body) || !body.json) return std::nullopt;
  WireRequest request{.content_type = std::string(kJsonType), .body = body.json->text};
  std::string payload = body.payload ? body.payload->data : std::string();
  for (const RecordedBody& call : body.calls) {
    const auto inner = RequestOf(call);
    BatchFrame frame;
    if (inner) frame = {.kind = BatchFrame::KindOf(inner->content_type), .body = inner->body};
    AppendBatchFrame(frame, &payload);
  }
  if (payload.empty()) return request;
  request.content_type = kPayloadType;
  request.body = JoinPayload(request.body, payload);
  return request;
}

std::string CommandOf(const RecordedBody& request) {
  if (!request.json) return {};
  const auto document = JsonDocument::Parse(request.json->text, {.max_depth = 512});
  if (!document.ok()) return {};
  const auto action = document->root().Member("action");
  return std::string(action ? action->AsString().value_or("") : "");
}

}  // namespace podkit::conduit::internal
