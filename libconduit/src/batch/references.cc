#include "batch/references.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "common/status_macros.h"
#include "envelope.h"
#include "fmt/format.h"
#include "payload_body.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/error.h"
#include "utf8.h"

namespace podkit::conduit::internal {
namespace {

// So that the error fits where every call has room for one.
constexpr size_t kMostShown = 64;

std::string Shown(const std::string& pointer) {
  return pointer.size() <= kMostShown ? pointer : std::string();
}

absl::Status Bad(const std::string& at, const Reference& reference, std::string_view why) {
  return conduit::MakeError(
      BadReference{.at = Shown(at), .call = reference.call, .path = Shown(reference.path)},
      fmt::format("'{}' from call {}, '{}': {}; the call was not executed", ForLog(at, kMostShown),
                  reference.call, ForLog(reference.path, kMostShown), why));
}

std::optional<size_t> IndexOf(std::string_view token) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  const bool whole = error == std::errc() && end == token.data() + token.size();
  if (!whole || (token.size() > 1 && token[0] == '0')) return std::nullopt;
  return index;
}

std::optional<JsonValue> Child(const JsonValue& value, const std::string& token) {
  if (value.kind() == JsonValue::Kind::kObject) return value.Member(token);
  if (value.kind() != JsonValue::Kind::kArray) return std::nullopt;
  const auto index = IndexOf(token);
  if (!index || *index >= value.size()) return std::nullopt;
  return value.Element(*index);
}

// Who asks, for how long and in whose name is never taken from an answer.
bool IsOpenPlace(const std::vector<std::string>& tokens) {
  if (tokens.empty()) return false;
  if (tokens[0] == "keywords" || tokens[0] == "arguments") return tokens.size() > 1;
  return !IsEnvelopeMember(tokens[0]);
}

// A value on its way to its place.
struct Placed {
  std::vector<std::string> tokens;
  std::string json;
};
using PlacedValues = std::vector<const Placed*>;

// Writes values with others in some places of them. False: there is no such place.
class Rewriter {
 public:
  // A request, without its references.
  bool WriteRequest(const JsonValue& request, const PlacedValues& placed) {
    return WriteObject(request, placed, 0);
  }

  std::string Take() { return writer_.Take(); }

 private:
  // `placed` are those within `value`, whose first `depth` names lead to it.
  bool Write(const JsonValue& value, const PlacedValues& placed, size_t depth) {
    if (placed.empty()) {
      writer_.Raw(value.ToText());
      return true;
    }
    for (const Placed* const one : placed) {
      if (one->tokens.size() != depth) continue;
      writer_.Raw(one->json);
      return placed.size() == 1;
    }
    if (value.kind() == JsonValue::Kind::kObject) return WriteObject(value, placed, depth);
    return value.kind() == JsonValue::Kind::kArray && WriteArray(value, placed, depth);
  }

  static PlacedValues Within(const PlacedValues& placed, size_t depth, std::string_view name) {
    PlacedValues within;
    std::copy_if(placed.begin(), placed.end(), std::back_inserter(within),
                 [&](const Placed* one) { return one->tokens[depth] == name; });
    return within;
  }

  bool WriteObject(const JsonValue& object, const PlacedValues& placed, size_t depth) {
    size_t used = 0;
    writer_.BeginObject();
    for (size_t i = 0; i < object.size(); ++i) {
      const auto [name, value] = object.MemberAt(i);
      if (depth == 0 && name == kUseMember) continue;
      const PlacedValues within = Within(placed, depth, name);
      used += within.size();
      writer_.Key(name);
      if (!Write(value, within, depth + 1)) return false;
    }
    // An argument or a target member that the caller left out.
    for (const Placed* const one : placed) {
      if (object.Member(one->tokens[depth])) continue;
      if (one->tokens.size() == depth + 1) {
        ++used;
        writer_.Key(one->tokens[depth]);
        writer_.Raw(one->json);
      }
    }
    writer_.EndObject();
    return used == placed.size();
  }

  bool WriteArray(const JsonValue& array, const PlacedValues& placed, size_t depth) {
    size_t used = 0;
    writer_.BeginArray();
    for (size_t i = 0; i < array.size(); ++i) {
      const PlacedValues within = Within(placed, depth, std::to_string(i));
      used += within.size();
      if (!Write(array.Element(i), within, depth + 1)) return false;
    }
    writer_.EndArray();
    return used == placed.size();
  }

  JsonWriter writer_;
};

absl::StatusOr<References> ReadReferences(const JsonValue& request) {
  References references;
  const auto use = request.Member(kUseMember);
  if (!use) return references;
  if (use->size() > kMaxReferences) {
    return conduit::MakeError(InvalidArguments{},
                              fmt::format("$.use: more than {} references", kMaxReferences));
  }
  const absl::Status status = Codec<References>::Decode(*use, &references);
  if (status.ok()) return references;
  return conduit::MakeError(InvalidArguments{},
                            "$.use: must be an object; each member, named by a JSON pointer, an "
                            "object with the integer 'call' and the string 'path'");
}

}  // namespace

std::optional<std::vector<std::string>> PointerTokens(std::string_view pointer) {
  std::vector<std::string> tokens;
  if (pointer.empty()) return tokens;
  if (pointer[0] != '/') return std::nullopt;
  for (size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      tokens.emplace_back();
    } else if (pointer[i] != '~') {
      tokens.back().push_back(pointer[i]);
    } else {
      const char next = ++i < pointer.size() ? pointer[i] : '\0';
      if (next != '0' && next != '1') return std::nullopt;
      tokens.back().push_back(next == '0' ? '~' : '/');
    }
  }
  return tokens;
}

void EarlierAnswers::AddOk(std::string_view action, const WireReply& reply) {
  answers_.push_back({.action = std::string(action),
                      .error_class = {},
                      .body = reply.body,
                      .has_payload = reply.content_type == kPayloadType,
                      .document = {}});
}

void EarlierAnswers::AddFailed(std::string_view action, std::string_view error_class) {
  answers_.push_back({.action = std::string(action),
                      .failed = true,
                      .error_class = std::string(error_class),
                      .body = {},
                      .document = {}});
}

bool EarlierAnswers::Parse(Answer& answer, const JsonLimits& limits) {
  if (answer.document) return true;
  std::string_view json = answer.body;
  if (answer.has_payload) {
    const auto parts = SplitPayload(answer.body);
    if (!parts.ok()) return false;
    json = parts->json;
  }
  auto document = JsonDocument::Parse(std::string(json), limits);
  if (!document.ok()) return false;
  answer.document.emplace(*std::move(document));
  return true;
}

absl::StatusOr<std::string> EarlierAnswers::Find(const std::string& at,
                                                 const Reference& reference) {
  if (reference.call < 0 || static_cast<size_t>(reference.call) >= answers_.size()) {
    return Bad(at, reference, fmt::format("call {} is no earlier one", reference.call));
  }
  Answer& answer = answers_[static_cast<size_t>(reference.call)];
  if (answer.failed) {
    return conduit::MakeError(
        EarlierCallFailed{
            .call = reference.call, .action = answer.action, .error = answer.error_class},
        fmt::format("uses the answer of call {} ('{}'), which {}: the call was not executed",
                    reference.call, answer.action,
                    answer.error_class.empty()
                        ? "was left out"
                        : fmt::format("failed with {}", answer.error_class)));
  }
  const auto tokens = PointerTokens(reference.path);
  if (!tokens) return Bad(at, reference, "the path is not a JSON pointer");
  if (!Parse(answer, limits_)) return Bad(at, reference, "the answer cannot be read");
  auto value = answer.document->root().Member("value");
  for (const std::string& token : *tokens) {
    if (value) value = Child(*value, token);
  }
  if (!value) return Bad(at, reference, "the answer has no such value");
  return value->ToText();
}

absl::StatusOr<JsonDocument> Resolve(const JsonValue& request, EarlierAnswers& earlier,
                                     const JsonLimits& limits, size_t* room) {
  PODKIT_ASSIGN_OR_RETURN(const References references, ReadReferences(request));
  std::vector<Placed> placed;
  size_t bytes = 0;
  for (const auto& [at, reference] : references) {
    auto tokens = PointerTokens(at);
    if (!tokens || !IsOpenPlace(*tokens)) {
      return Bad(at, reference, "no argument and no target member is there");
    }
    PODKIT_ASSIGN_OR_RETURN(std::string json, earlier.Find(at, reference));
    bytes += json.size();
    // A few bytes could ask for a large answer again and again.
    if (bytes > *room) return Bad(at, reference, "with it the batch would become too large");
    placed.push_back({.tokens = *std::move(tokens), .json = std::move(json)});
  }
  *room -= bytes;
  PlacedValues all;
  for (const Placed& one : placed) all.push_back(&one);
  const auto first = references.begin();
  const std::string at = placed.empty() ? std::string() : first->first;
  const Reference reference = placed.empty() ? Reference() : first->second;
  Rewriter rewriter;
  if (!rewriter.WriteRequest(request, all)) {
    return Bad(at, reference, "the request has no such place, or it is within another one");
  }
  auto document = JsonDocument::Parse(rewriter.Take(), limits);
  if (document.ok()) return document;
  return Bad(at, reference, std::string(document.status().message()));
}

}  // namespace podkit::conduit::internal
