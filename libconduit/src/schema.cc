// The JSON form of schemas: docs/conduit-compatibility.md.
#include "podkit/conduit/schema.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <optional>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"
#include "outcome.h"
#include "type_kinds.h"

namespace podkit::conduit {
namespace {

// What compatibility depends on, or the whole declaration.
enum class Form { kEssence, kWhole };

void EncodeType(JsonWriter& writer, const TypeSchema& type, Form form);

void EncodeFieldTypes(JsonWriter& writer, const TypeSchema& type, bool required, Form form) {
  for (const FieldSchema& field : type.fields) {
    if (field.required != required) continue;
    writer.Key(field.name);
    EncodeType(writer, field.type, form);
  }
}

// Writes the object that `write` fills as member `name`, if `wanted`.
template <typename Write>
void EncodeGroup(JsonWriter& writer, std::string_view name, bool wanted, const Write& write) {
  if (!wanted) return;
  writer.Key(name);
  writer.BeginObject();
  write();
  writer.EndObject();
}

void EncodeStructure(JsonWriter& writer, const TypeSchema& type, Form form) {
  const auto any = [&](const auto& is) {
    return std::any_of(type.fields.begin(), type.fields.end(), is);
  };
  const auto is_required = [](const FieldSchema& field) { return field.required; };
  const auto is_optional = [](const FieldSchema& field) { return !field.required; };
  const auto has_default = [form](const FieldSchema& field) {
    return form == Form::kWhole && !field.default_json.empty();
  };
  writer.BeginObject();
  EncodeGroup(writer, "required", any(is_required),
              [&] { EncodeFieldTypes(writer, type, true, form); });
  EncodeGroup(writer, "optional", any(is_optional),
              [&] { EncodeFieldTypes(writer, type, false, form); });
  EncodeGroup(writer, "defaults", any(has_default), [&] {
    for (const FieldSchema& field : type.fields) {
      if (!has_default(field)) continue;
      writer.Key(field.name);
      writer.Raw(field.default_json);
    }
  });
  writer.EndObject();
}

void EncodeElements(JsonWriter& writer, const TypeSchema& type, Form form) {
  switch (type.kind) {
    case TypeKind::kEnum:
      Codec<std::vector<std::string>>::Encode(writer, type.names);
      return;
    case TypeKind::kTuple:
      writer.BeginArray();
      for (const TypeSchema& element : type.elements) EncodeType(writer, element, form);
      writer.EndArray();
      return;
    case TypeKind::kStructure:
      EncodeStructure(writer, type, form);
      return;
    case TypeKind::kVariant:
      writer.BeginObject();
      EncodeFieldTypes(writer, type, true, form);
      writer.EndObject();
      return;
    case TypeKind::kEnclosing:
      writer.Unsigned(type.levels);
      return;
    default:  // Optional, list, map.
      EncodeType(writer, type.elements.front(), form);
  }
}

void EncodeType(JsonWriter& writer, const TypeSchema& type, Form form) {
  if (type.kind < TypeKind::kEnum) {
    writer.String(TypeKindName(type.kind));
    return;
  }
  writer.BeginObject();
  writer.Key(TypeKindName(type.kind));
  EncodeElements(writer, type, form);
  if (type.open) {
    writer.Key("open");
    writer.Boolean(true);
  }
  writer.EndObject();
}

void EncodeSchema(JsonWriter& writer, const CommandSchema& schema, Form form) {
  writer.BeginObject();
  writer.Key("name");
  writer.String(schema.name);
  if (form == Form::kWhole) {
    writer.Key("since");
    writer.Integer(schema.since);
  }
  writer.Key("effect");
  writer.String(EnumName(schema.effect));
  writer.Key("target");
  EncodeType(writer, schema.target, form);
  writer.Key("arguments");
  EncodeType(writer, schema.arguments, form);
  writer.Key("response");
  EncodeType(writer, schema.response, form);
  writer.Key("errors");
  writer.BeginObject();
  for (const ErrorSchema& error : schema.errors) {
    writer.Key(error.error_class);
    writer.BeginObject();
    writer.Key("code");
    writer.String(internal::CodeName(error.code));
    writer.Key("fields");
    EncodeType(writer, error.fields, form);
    writer.EndObject();
  }
  writer.EndObject();
  writer.EndObject();
}

// Reads types; knows how many structures are open around the one that is read.
class TypeReader {
 public:
  absl::Status Read(const JsonValue& value, TypeSchema* type) {
    if (const auto name = value.AsString()) {
      type->kind = KindOf(*name);
      // Of the others there is more to say than the word.
      if (type->kind >= TypeKind::kEnum) type->kind = TypeKind::kAny;
      return absl::OkStatus();
    }
    if (value.kind() != JsonValue::Kind::kObject || value.size() == 0) {
      return internal::WrongKind("the name of a type or an object with it", value);
    }
    const auto [name, inside] = value.MemberAt(0);
    const auto open = value.Member("open");
    type->open = open && open->AsBoolean().value_or(false);
    type->kind = KindOf(name);
    const absl::Status status = ReadInside(inside, type);
    return status.ok() ? status : internal::InField(name, status);
  }

 private:
  static TypeKind KindOf(std::string_view name) {
    for (const auto& [kind, known] : internal::kTypeKinds) {
      if (known == name) return kind;
    }
    return TypeKind::kAny;
  }

  absl::Status ReadInside(const JsonValue& inside, TypeSchema* type) {
    switch (type->kind) {
      case TypeKind::kEnum:
        PODKIT_RETURN_IF_ERROR(Codec<std::vector<std::string>>::Decode(inside, &type->names));
        std::sort(type->names.begin(), type->names.end());
        return absl::OkStatus();
      case TypeKind::kOptional:
      case TypeKind::kList:
      case TypeKind::kMap:
        return Read(inside, &type->elements.emplace_back());
      case TypeKind::kTuple:
        return ReadTuple(inside, type);
      case TypeKind::kStructure:
        return ReadStructure(inside, type);
      case TypeKind::kVariant:
        return ReadFields(inside, true, type);
      case TypeKind::kEnclosing: {
        const auto levels = inside.AsUnsigned();
        if (!levels || *levels < 1 || *levels > open_structures_) {
          return absl::InvalidArgumentError("$: there are not so many structures around it");
        }
        type->levels = *levels;
        return absl::OkStatus();
      }
      default:
        type->kind = TypeKind::kAny;
        return absl::OkStatus();
    }
  }

  absl::Status ReadTuple(const JsonValue& inside, TypeSchema* type) {
    if (inside.kind() != JsonValue::Kind::kArray) return internal::WrongKind("array", inside);
    for (size_t i = 0; i < inside.size(); ++i) {
      const absl::Status status = Read(inside.Element(i), &type->elements.emplace_back());
      if (!status.ok()) return internal::InElement(i, status);
    }
    return absl::OkStatus();
  }

  absl::Status ReadStructure(const JsonValue& inside, TypeSchema* type) {
    if (inside.kind() != JsonValue::Kind::kObject) return internal::WrongKind("object", inside);
    ++open_structures_;
    for (const bool required : {true, false}) {
      const std::string_view group = required ? "required" : "optional";
      const auto fields = inside.Member(group);
      if (!fields) continue;
      const absl::Status status = ReadFields(*fields, required, type);
      if (!status.ok()) return internal::InField(group, status);
    }
    --open_structures_;
    if (const auto defaults = inside.Member("defaults")) {
      for (FieldSchema& field : type->fields) {
        const auto value = defaults->Member(field.name);
        if (value && !field.required) field.default_json = value->ToText();
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadFields(const JsonValue& fields, bool required, TypeSchema* type) {
    if (fields.kind() != JsonValue::Kind::kObject) return internal::WrongKind("object", fields);
    for (size_t i = 0; i < fields.size(); ++i) {
      const auto [name, value] = fields.MemberAt(i);
      FieldSchema field{.name = std::string(name), .required = required};
      const absl::Status status = Read(value, &field.type);
      if (!status.ok()) return internal::InField(name, status);
      type->fields.push_back(std::move(field));
    }
    internal::SortFields(type->fields);
    return absl::OkStatus();
  }

  size_t open_structures_ = 0;
};

template <typename T>
absl::Status ReadMember(const JsonValue& object, std::string_view name, T* out) {
  const auto member = object.Member(name);
  if (!member) return internal::MissingField(name);
  absl::Status status;
  if constexpr (std::is_same_v<T, TypeSchema>) {
    status = TypeReader().Read(*member, out);
  } else {
    status = Codec<T>::Decode(*member, out);
  }
  return status.ok() ? status : internal::InField(name, status);
}

absl::Status ReadErrors(const JsonValue& object, std::vector<ErrorSchema>* errors) {
  const auto member = object.Member("errors");
  if (!member || member->kind() != JsonValue::Kind::kObject)
    return internal::MissingField("errors");
  for (size_t i = 0; i < member->size(); ++i) {
    const auto [error_class, value] = member->MemberAt(i);
    ErrorSchema error{.error_class = std::string(error_class)};
    std::string code;
    absl::Status status = ReadMember(value, "code", &code);
    if (status.ok()) status = ReadMember(value, "fields", &error.fields);
    if (!status.ok()) return internal::InField("errors", internal::InField(error_class, status));
    error.code = internal::CodeFromName(code);
    errors->push_back(std::move(error));
  }
  std::sort(errors->begin(), errors->end(), [](const ErrorSchema& a, const ErrorSchema& b) {
    return a.error_class < b.error_class;
  });
  return absl::OkStatus();
}

}  // namespace

void Codec<CommandSchema>::Encode(JsonWriter& writer, const CommandSchema& schema) {
  EncodeSchema(writer, schema, Form::kWhole);
}

absl::Status Codec<CommandSchema>::Decode(const JsonValue& value, CommandSchema* out) {
  if (value.kind() != JsonValue::Kind::kObject) return internal::WrongKind("object", value);
  *out = {};
  PODKIT_RETURN_IF_ERROR(ReadMember(value, "name", &out->name));
  PODKIT_RETURN_IF_ERROR(ReadMember(value, "since", &out->since));
  PODKIT_RETURN_IF_ERROR(ReadMember(value, "effect", &out->effect));
  PODKIT_RETURN_IF_ERROR(ReadMember(value, "target", &out->target));
  PODKIT_RETURN_IF_ERROR(ReadMember(value, "arguments", &out->arguments));
  PODKIT_RETURN_IF_ERROR(ReadMember(value, "response", &out->response));
  return ReadErrors(value, &out->errors);
}

std::string Fingerprint(const CommandSchema& schema) {
  JsonWriter writer;
  EncodeSchema(writer, schema, Form::kEssence);
  const std::string text = writer.Take();
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) {
    std::abort();  // Without memory.
  }
  return HexEncode({reinterpret_cast<const char*>(digest), 8});
}

}  // namespace podkit::conduit
