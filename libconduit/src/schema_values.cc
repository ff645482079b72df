// Reads values by a schema alone, and says of them what Codec would say.
#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "podkit/conduit/call_codec.h"
#include "podkit/conduit/schema.h"
#include "podkit/conduit/variant.h"
#include "type_kinds.h"

namespace podkit::conduit {
namespace {

using internal::InElement;
using internal::InField;
using internal::WrongKind;
using Kind = JsonValue::Kind;

absl::Status CheckInteger(const internal::IntegerRange& range, const JsonValue& value) {
  if (value.kind() != Kind::kInteger) return WrongKind("integer", value);
  const auto small = value.AsInteger();
  const auto large = value.AsUnsigned();
  const bool fits = large ? *large <= range.max : small && *small >= range.min;
  return fits ? absl::OkStatus() : internal::NumberOutOfRange(value);
}

// By a codec whose result is of no interest.
template <typename T>
absl::Status CheckAs(const JsonValue& value) {
  T ignored{};
  return Codec<T>::Decode(value, &ignored);
}

class ValueChecker {
 public:
  absl::Status Check(const TypeSchema& type, const JsonValue& value) {
    if (const auto range = internal::RangeOf(type.kind)) return CheckInteger(*range, value);
    switch (type.kind) {
      case TypeKind::kBoolean:
        return CheckAs<bool>(value);
      case TypeKind::kNumber:
        return CheckAs<double>(value);
      case TypeKind::kString:
        return value.kind() == Kind::kString ? absl::OkStatus() : WrongKind("string", value);
      case TypeKind::kBytes:
        return CheckAs<Bytes>(value);
      case TypeKind::kTime:
        return CheckAs<absl::Time>(value);
      case TypeKind::kDuration:
        return CheckAs<absl::Duration>(value);
      case TypeKind::kEnum:
        return CheckEnum(type, value);
      case TypeKind::kOptional:
        if (value.kind() == Kind::kNull) return absl::OkStatus();
        return Check(type.elements.front(), value);
      case TypeKind::kList:
        return CheckList(type, value);
      case TypeKind::kMap:
        return CheckMap(type, value);
      case TypeKind::kTuple:
        return CheckTuple(type, value);
      case TypeKind::kStructure:
        return CheckFields(type, value);
      case TypeKind::kVariant:
        return CheckVariant(type, value);
      case TypeKind::kEnclosing:
        return CheckEnclosing(type, value);
      default:
        return absl::OkStatus();  // kAny.
    }
  }

 private:
  static absl::Status CheckEnum(const TypeSchema& type, const JsonValue& value) {
    const auto name = value.AsString();
    if (!name) return WrongKind("string", value);
    const std::vector<std::string_view> known(type.names.begin(), type.names.end());
    const bool found = std::find(known.begin(), known.end(), *name) != known.end();
    return found || type.open ? absl::OkStatus() : internal::UnknownEnumName(*name, known);
  }

  absl::Status CheckList(const TypeSchema& type, const JsonValue& value) {
    if (value.kind() != Kind::kArray) return WrongKind("array", value);
    for (size_t i = 0; i < value.size(); ++i) {
      const absl::Status status = Check(type.elements.front(), value.Element(i));
      if (!status.ok()) return InElement(i, status);
    }
    return absl::OkStatus();
  }

  absl::Status CheckMap(const TypeSchema& type, const JsonValue& value) {
    if (value.kind() != Kind::kObject) return WrongKind("object", value);
    for (size_t i = 0; i < value.size(); ++i) {
      const auto [name, member] = value.MemberAt(i);
      const absl::Status status = Check(type.elements.front(), member);
      if (!status.ok()) return InField(name, status);
    }
    return absl::OkStatus();
  }

  absl::Status CheckTuple(const TypeSchema& type, const JsonValue& value) {
    if (value.kind() != Kind::kArray) return WrongKind("array", value);
    for (size_t i = 0; i < type.elements.size(); ++i) {
      if (i >= value.size()) {
        if (type.elements[i].kind != TypeKind::kOptional) return internal::MissingElement(i);
        continue;
      }
      const absl::Status status = Check(type.elements[i], value.Element(i));
      if (!status.ok()) return InElement(i, status);
    }
    return absl::OkStatus();
  }

  absl::Status CheckFields(const TypeSchema& type, const JsonValue& value) {
    if (value.kind() != Kind::kObject) return WrongKind("object", value);
    around_.push_back(&type);
    absl::Status status;
    for (const FieldSchema& field : type.fields) {
      status = CheckField(field, value);
      if (!status.ok()) break;
    }
    around_.pop_back();
    return status;
  }

  absl::Status CheckField(const FieldSchema& field, const JsonValue& object) {
    const auto member = object.Member(field.name);
    if (!member || (!field.required && member->kind() == Kind::kNull)) {
      return field.required ? internal::MissingField(field.name) : absl::OkStatus();
    }
    const absl::Status status = Check(field.type, *member);
    return status.ok() ? status : InField(field.name, status);
  }

  absl::Status CheckVariant(const TypeSchema& type, const JsonValue& value) {
    std::vector<std::string_view> cases;
    cases.reserve(type.fields.size());
    for (const FieldSchema& one : type.fields) cases.emplace_back(one.name);
    PODKIT_ASSIGN_OR_RETURN(const size_t found, internal::FindCase(value, cases));
    if (found == cases.size()) {
      return type.open ? absl::OkStatus() : internal::NoKnownCase(cases);
    }
    const auto member = value.Member(cases[found]);
    if (!member) return internal::NoKnownCase(cases);
    const absl::Status status = Check(type.fields[found].type, *member);
    return status.ok() ? status : InField(cases[found], status);
  }

  absl::Status CheckEnclosing(const TypeSchema& type, const JsonValue& value) {
    if (type.levels < 1 || type.levels > around_.size()) return absl::OkStatus();
    // The structures inside of the one meant are not around its value.
    auto around = around_;
    const TypeSchema& meant = *around_[around_.size() - type.levels];
    around_.resize(around_.size() - type.levels);
    absl::Status status = Check(meant, value);
    around_ = std::move(around);
    return status;
  }

  std::vector<const TypeSchema*> around_;
};

}  // namespace

absl::Status CheckValue(const TypeSchema& type, const JsonValue& value) {
  return ValueChecker().Check(type, value);
}

absl::Status CheckRequest(const CommandSchema& schema, const JsonValue& request) {
  PODKIT_RETURN_IF_ERROR(CheckValue(schema.target, request));
  const bool by_position = schema.arguments.kind == TypeKind::kTuple;
  const std::string_view member = by_position ? "arguments" : "keywords";
  const auto arguments = request.Member(member);
  const JsonValue none = by_position ? internal::EmptyArray() : internal::EmptyObject();
  const absl::Status status = CheckValue(schema.arguments, arguments.value_or(none));
  return status.ok() ? status : InField(member, status);
}

absl::Status CheckReply(const CommandSchema& schema, const JsonValue& reply) {
  const auto result = reply.Member("result");
  if (!result) return internal::MissingField("result");
  if (result->AsString() == "ok") {
    const TypeSchema& response = schema.response;
    if (response.kind == TypeKind::kStructure && response.fields.empty()) return absl::OkStatus();
    auto value = reply.Member("value");
    if (!value && response.kind == TypeKind::kStructure) value = internal::EmptyObject();
    if (!value) return internal::MissingField("value");
    const absl::Status status = CheckValue(response, *value);
    return status.ok() ? status : InField("value", status);
  }
  if (result->AsString() != "exception") {
    return InField("result", absl::InvalidArgumentError("$: neither 'ok' nor 'exception'"));
  }
  const auto member = reply.Member("class");
  const auto error_class = member ? member->AsString() : std::nullopt;
  if (!error_class) return internal::MissingField("class");
  for (const ErrorSchema& error : schema.errors) {
    if (error.error_class != *error_class) continue;
    const auto fields = reply.Member("fields");
    if (!fields) return internal::MissingField("fields");
    const absl::Status status = CheckValue(error.fields, *fields);
    return status.ok() ? status : InField("fields", status);
  }
  return absl::OkStatus();
}

}  // namespace podkit::conduit
