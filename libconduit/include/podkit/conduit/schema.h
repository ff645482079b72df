// What a command declares, as data: it can be written down, sent to another pod, and held against
// the declaration that another version of the software has.
//
// The JSON form of a schema and the rules of compatibility: docs/conduit-compatibility.md.
// Everything here is a value or a function without state.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"
#include "podkit/conduit/type_schema.h"

namespace podkit::conduit {

template <>
struct EnumNames<Effect> {
  static constexpr std::array kNames = {
      std::pair{Effect::kRead, std::string_view("read")},
      std::pair{Effect::kIdempotent, std::string_view("idempotent")},
      std::pair{Effect::kWrite, std::string_view("write")}};
};

struct ErrorSchema {
  std::string error_class;
  absl::StatusCode code = absl::StatusCode::kUnknown;
  TypeSchema fields;
};

struct CommandSchema {
  std::string name;
  int since = 1;
  Effect effect = Effect::kWrite;
  TypeSchema target;     // A structure.
  TypeSchema arguments;  // A structure (by name) or a tuple (by position).
  TypeSchema response;
  std::vector<ErrorSchema> errors;  // By class. Without those that the conduit declares for all.
};

// Travels as in docs/conduit-compatibility.md. Kinds of types that this version does not know are
// read as kAny.
template <>
struct Codec<CommandSchema> {
  static void Encode(JsonWriter& writer, const CommandSchema& schema);
  static absl::Status Decode(const JsonValue& value, CommandSchema* out);
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kAny}; }
};

// 16 hexadecimal digits over what compatibility depends on: everything but `since`, the defaults
// and the order of fields, names and errors. Equal fingerprints understand each other.
std::string Fingerprint(const CommandSchema& schema);

// Where two declarations of one command do not fit.
struct SchemaBreak {
  bool in_call = true;  // What the caller sends; else what the responder answers.
  std::string path;     // As in error messages: "$.keywords.name"; empty for the command itself.
  std::string reason;
  bool always = true;  // No call can go well; else it depends on the values.
};

// Everything that a caller of `caller` must expect when `responder` answers. An error that only
// the responder declares is no break: it arrives with class, code and fields, and without a type.
std::vector<SchemaBreak> FindBreaks(const CommandSchema& caller, const CommandSchema& responder);

// kFailedPrecondition names each field that breaks and the direction. To change a command without
// harm both CheckCompatible(old, new) and CheckCompatible(new, old) must be OK.
absl::Status CheckCompatible(const CommandSchema& caller, const CommandSchema& responder);

// The message of a break, for people: "the call: $.keywords.name: the responder requires it, ...".
std::string BreakText(const SchemaBreak& a_break);

// What the declaration's own code would say to a value, told from the schema alone.
// kInvalidArgument with the path of the value at fault.
absl::Status CheckValue(const TypeSchema& type, const JsonValue& value);
// Of a request: its target members, "arguments" and "keywords".
absl::Status CheckRequest(const CommandSchema& schema, const JsonValue& request);
// Of a reply, to a caller that has `schema`: the value, or the fields of an error that it declares.
absl::Status CheckReply(const CommandSchema& schema, const JsonValue& reply);

namespace internal {

template <NamedError... E>
std::vector<ErrorSchema> DescribeErrors(ErrorList<E...>) {
  std::vector<ErrorSchema> errors = {
      ErrorSchema{std::string(std::string_view(E::kClass)), E::kCode, Describe<E>()}...};
  std::sort(errors.begin(), errors.end(), [](const ErrorSchema& a, const ErrorSchema& b) {
    return a.error_class < b.error_class;
  });
  return errors;
}

}  // namespace internal

// What command C declares.
template <Command C>
CommandSchema SchemaOf() {
  CheckCommand<C>();
  return {.name = std::string(C::kInfo.name),
          .since = C::kInfo.since,
          .effect = C::kInfo.effect,
          .target = Describe<TargetOf<C>>(),
          .arguments = Describe<typename C::Arguments>(),
          .response = Describe<typename C::Response>(),
          .errors = internal::DescribeErrors(typename C::Errors())};
}

}  // namespace podkit::conduit
