// How C++ values become JSON and come back: scalars, texts, bytes, times, lists, maps, enumerations
// and structures that list their fields.
//
//   struct Arguments {
//     std::string name;
//     std::string origin = "unknown";
//     static constexpr auto Fields() {
//       return std::make_tuple(Required("name", &Arguments::name),
//                              Optional("origin", &Arguments::origin));
//     }
//   };
//
// Decoding ignores members that no field names, keeps the default of an optional field that is
// absent (or null), and refuses an absent required field. So fields can be added without breaking
// older peers. An error names the place as JSONPath: "$.list[3].name: expected string, got null".
//
// A structure may hold itself, in a list or a map. For a choice between structures see variant.h;
// for a type of one's own, specialise Codec.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/conduit/enum_names.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/type_schema.h"

namespace podkit::conduit {

template <typename Struct, typename T>
struct Field {
  std::string_view name;
  T Struct::*member;
  bool required;
};

template <typename Struct, typename T>
constexpr Field<Struct, T> Required(std::string_view name, T Struct::*member) {
  return {name, member, true};
}

template <typename Struct, typename T>
constexpr Field<Struct, T> Optional(std::string_view name, T Struct::*member) {
  return {name, member, false};
}

// A structure that lists its fields.
template <typename T>
concept Message = std::is_default_constructible_v<T> && requires { T::Fields(); };

// Bytes of any kind. On the wire a string where they are UTF-8, else {"base64": "..."}.
struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

namespace internal {
absl::Status WrongKind(std::string_view expected, const JsonValue& got);
absl::Status MissingField(std::string_view name);
absl::Status MissingElement(size_t index);
absl::Status UnknownEnumName(std::string_view name, std::span<const std::string_view> known);
absl::Status NumberOutOfRange(const JsonValue& value);
// Puts the name of the enclosing field or element into the path that the message starts with.
absl::Status InField(std::string_view name, const absl::Status& status);
absl::Status InElement(size_t index, const absl::Status& status);
void EncodeBytes(JsonWriter& writer, const Bytes& bytes);
absl::Status DecodeBytes(const JsonValue& value, Bytes* bytes);
void EncodeTime(JsonWriter& writer, absl::Time time);
absl::Status DecodeTime(const JsonValue& value, absl::Time* time);
void EncodeDouble(JsonWriter& writer, double value);
absl::Status DecodeDouble(const JsonValue& value, double* number);
void EncodeDuration(JsonWriter& writer, absl::Duration duration);
absl::Status DecodeDuration(const JsonValue& value, absl::Duration* duration);

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <typename T>
concept Character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

template <typename T>
constexpr TypeKind IntegerKind() {
  constexpr std::array kKinds = {std::array{TypeKind::kInt8, TypeKind::kUint8},
                                 std::array{TypeKind::kInt16, TypeKind::kUint16},
                                 std::array{TypeKind::kInt32, TypeKind::kUint32},
                                 std::array{TypeKind::kInt64, TypeKind::kUint64}};
  return kKinds[std::bit_width(sizeof(T)) - 1][std::unsigned_integral<T> ? 1 : 0];
}

template <Message M>
constexpr bool FieldNamesAreUnique() {
  return std::apply(
      [](const auto&... field) {
        return AreNames(std::array<std::string_view, sizeof...(field)>{field.name...});
      },
      M::Fields());
}
}  // namespace internal

// Encodes, decodes and describes one type. Decode gives kInvalidArgument with the path of the value
// at fault and leaves the output unspecified. Describe says in data what Decode takes.
template <typename T>
struct Codec;

template <>
struct Codec<bool> {
  static void Encode(JsonWriter& writer, bool value) { writer.Boolean(value); }
  static absl::Status Decode(const JsonValue& value, bool* out) {
    const auto got = value.AsBoolean();
    if (!got) return internal::WrongKind("boolean", value);
    *out = *got;
    return absl::OkStatus();
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kBoolean}; }
};

// Integers of up to 64 bits; a value that does not fit the type is refused, never cut.
template <typename T>
  requires std::integral<T> && (!std::same_as<T, bool>) && (!internal::Character<T>)
struct Codec<T> {
  static void Encode(JsonWriter& writer, T value) {
    if constexpr (std::unsigned_integral<T>) {
      writer.Unsigned(value);
    } else {
      writer.Integer(value);
    }
  }
  static absl::Status Decode(const JsonValue& value, T* out) {
    if (value.kind() != JsonValue::Kind::kInteger) return internal::WrongKind("integer", value);
    const auto got = [&] {
      if constexpr (std::unsigned_integral<T>) {
        return value.AsUnsigned();
      } else {
        return value.AsInteger();
      }
    }();
    if (!got || !std::in_range<T>(*got)) return internal::NumberOutOfRange(value);
    *out = static_cast<T>(*got);
    return absl::OkStatus();
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = internal::IntegerKind<T>()}; }
};

// What JSON has no number for travels as the string "NaN", "Infinity" or "-Infinity".
template <>
struct Codec<double> {
  static void Encode(JsonWriter& writer, double value) { internal::EncodeDouble(writer, value); }
  static absl::Status Decode(const JsonValue& value, double* out) {
    return internal::DecodeDouble(value, out);
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kNumber}; }
};

template <>
struct Codec<std::string> {
  static void Encode(JsonWriter& writer, std::string_view value) { writer.String(value); }
  static absl::Status Decode(const JsonValue& value, std::string* out) {
    const auto got = value.AsString();
    if (!got) return internal::WrongKind("string", value);
    *out = *got;
    return absl::OkStatus();
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kString}; }
};

template <>
struct Codec<Bytes> {
  static void Encode(JsonWriter& writer, const Bytes& value) {
    internal::EncodeBytes(writer, value);
  }
  static absl::Status Decode(const JsonValue& value, Bytes* out) {
    return internal::DecodeBytes(value, out);
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kBytes}; }
};

// RFC 3339 in UTC with microseconds.
template <>
struct Codec<absl::Time> {
  static void Encode(JsonWriter& writer, absl::Time value) { internal::EncodeTime(writer, value); }
  static absl::Status Decode(const JsonValue& value, absl::Time* out) {
    return internal::DecodeTime(value, out);
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kTime}; }
};

// Whole milliseconds, cut towards zero. Infinite durations come back infinite.
template <>
struct Codec<absl::Duration> {
  static void Encode(JsonWriter& writer, absl::Duration value) {
    internal::EncodeDuration(writer, value);
  }
  static absl::Status Decode(const JsonValue& value, absl::Duration* out) {
    return internal::DecodeDuration(value, out);
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kDuration}; }
};

template <NamedEnum E>
struct Codec<E> {
  static_assert(internal::EnumNamesAreUnique<E>(),
                "two enumerators share a name on the wire, or one has none");
  static void Encode(JsonWriter& writer, E value) { writer.String(EnumName(value)); }
  static absl::Status Decode(const JsonValue& value, E* out) {
    const auto name = value.AsString();
    if (!name) return internal::WrongKind("string", value);
    auto got = EnumFromName<E>(*name);
    if constexpr (OpenEnum<E>) got = got.value_or(EnumNames<E>::kUnknown);
    if (!got) return internal::UnknownEnumName(*name, internal::NamesOf<E>());
    *out = *got;
    return absl::OkStatus();
  }
  static TypeSchema Describe(SchemaScope&) {
    TypeSchema type{.kind = TypeKind::kEnum, .open = OpenEnum<E>};
    for (const auto& [value, name] : EnumNames<E>::kNames) type.names.emplace_back(name);
    std::sort(type.names.begin(), type.names.end());
    return type;
  }
};

// Nothing is null.
template <typename T>
struct Codec<std::optional<T>> {
  static void Encode(JsonWriter& writer, const std::optional<T>& value) {
    if (value) {
      Codec<T>::Encode(writer, *value);
    } else {
      writer.Null();
    }
  }
  static absl::Status Decode(const JsonValue& value, std::optional<T>* out) {
    out->reset();
    if (value.kind() == JsonValue::Kind::kNull) return absl::OkStatus();
    return Codec<T>::Decode(value, &out->emplace());
  }
  static TypeSchema Describe(SchemaScope& scope) {
    return internal::TypeOf(TypeKind::kOptional, Codec<T>::Describe(scope));
  }
};

template <typename T>
struct Codec<std::vector<T>> {
  static void Encode(JsonWriter& writer, const std::vector<T>& values) {
    writer.BeginArray();
    for (const T& value : values) Codec<T>::Encode(writer, value);
    writer.EndArray();
  }
  static absl::Status Decode(const JsonValue& value, std::vector<T>* out) {
    if (value.kind() != JsonValue::Kind::kArray) return internal::WrongKind("array", value);
    out->clear();
    // Not more at once than the text can vouch for: each element must first prove good.
    out->reserve(std::min(value.size(), kReserveBytes / sizeof(T)));
    for (size_t i = 0; i < value.size(); ++i) {
      T element{};
      const absl::Status status = Codec<T>::Decode(value.Element(i), &element);
      if (!status.ok()) return internal::InElement(i, status);
      out->push_back(std::move(element));
    }
    return absl::OkStatus();
  }
  static TypeSchema Describe(SchemaScope& scope) {
    return internal::TypeOf(TypeKind::kList, Codec<T>::Describe(scope));
  }

 private:
  static constexpr size_t kReserveBytes = 4096;
};

template <typename T>
struct Codec<std::map<std::string, T>> {
  static void Encode(JsonWriter& writer, const std::map<std::string, T>& values) {
    writer.BeginObject();
    for (const auto& [key, value] : values) {
      writer.Key(key);
      Codec<T>::Encode(writer, value);
    }
    writer.EndObject();
  }
  static absl::Status Decode(const JsonValue& value, std::map<std::string, T>* out) {
    if (value.kind() != JsonValue::Kind::kObject) return internal::WrongKind("object", value);
    out->clear();
    for (size_t i = 0; i < value.size(); ++i) {
      const auto [key, member] = value.MemberAt(i);
      const absl::Status status = Codec<T>::Decode(member, &(*out)[std::string(key)]);
      if (!status.ok()) return internal::InField(key, status);
    }
    return absl::OkStatus();
  }
  static TypeSchema Describe(SchemaScope& scope) {
    return internal::TypeOf(TypeKind::kMap, Codec<T>::Describe(scope));
  }
};

// Writes the fields of `message` as members of the object that is open in `writer`.
template <Message M>
void EncodeFields(JsonWriter& writer, const M& message) {
  std::apply(
      [&](const auto&... field) {
        [[maybe_unused]] const auto encode = [&](const auto& one) {
          using T = std::remove_cvref_t<decltype(message.*one.member)>;
          writer.Key(one.name);
          Codec<T>::Encode(writer, message.*one.member);
        };
        (encode(field), ...);
      },
      M::Fields());
}

// Reads the fields of `message` from the members of `object`.
template <Message M>
absl::Status DecodeFields(const JsonValue& object, M* message) {
  static_assert(internal::FieldNamesAreUnique<M>(), "two fields share a name, or one has none");
  if (object.kind() != JsonValue::Kind::kObject) return internal::WrongKind("object", object);
  absl::Status status;
  [[maybe_unused]] const auto decode = [&](const auto& field) {
    using T = std::remove_cvref_t<decltype(message->*field.member)>;
    const auto member = object.Member(field.name);
    if (!member || (!field.required && member->kind() == JsonValue::Kind::kNull)) {
      if (field.required) status = internal::MissingField(field.name);
      return status.ok();
    }
    status = Codec<T>::Decode(*member, &(message->*field.member));
    if (!status.ok()) status = internal::InField(field.name, status);
    return status.ok();
  };
  std::apply([&](const auto&... field) { static_cast<void>((decode(field) && ...)); }, M::Fields());
  return status;
}

namespace internal {

// What stands for an optional field that is absent, as JSON; empty if it is nothing.
template <typename T>
std::string DefaultJson(const T& value) {
  JsonWriter writer;
  Codec<T>::Encode(writer, value);
  std::string json = writer.Take();
  return json == "null" ? "" : json;
}

template <Message M>
TypeSchema DescribeStructure(SchemaScope& scope) {
  if (const size_t levels = scope.LevelsUpTo(typeid(M)); levels > 0) {
    return {.kind = TypeKind::kEnclosing, .levels = levels};
  }
  scope.Enter(typeid(M));
  TypeSchema type{.kind = TypeKind::kStructure};
  [[maybe_unused]] const M defaults{};
  [[maybe_unused]] const auto describe = [&](const auto& field) {
    const auto& value = defaults.*field.member;
    using T = std::remove_cvref_t<decltype(value)>;
    type.fields.push_back({.name = std::string(field.name),
                           .required = field.required,
                           .type = Codec<T>::Describe(scope),
                           .default_json = field.required ? "" : DefaultJson(value)});
  };
  std::apply([&](const auto&... field) { (describe(field), ...); }, M::Fields());
  SortFields(type.fields);
  scope.Leave();
  return type;
}

}  // namespace internal

template <Message M>
struct Codec<M> {
  static void Encode(JsonWriter& writer, const M& message) {
    writer.BeginObject();
    EncodeFields(writer, message);
    writer.EndObject();
  }
  static absl::Status Decode(const JsonValue& value, M* out) { return DecodeFields(value, out); }
  static TypeSchema Describe(SchemaScope& scope) { return internal::DescribeStructure<M>(scope); }
};

// A list of unlike values, in order: the positional arguments of a call.
template <typename... T>
struct Codec<std::tuple<T...>> {
  static void Encode(JsonWriter& writer, const std::tuple<T...>& values) {
    writer.BeginArray();
    std::apply([&](const T&... value) { (Codec<T>::Encode(writer, value), ...); }, values);
    writer.EndArray();
  }
  static absl::Status Decode(const JsonValue& value, std::tuple<T...>* out) {
    if (value.kind() != JsonValue::Kind::kArray) return internal::WrongKind("array", value);
    return DecodeElements(value, out, std::index_sequence_for<T...>());
  }
  static TypeSchema Describe(SchemaScope& scope) {
    return {.kind = TypeKind::kTuple, .elements = {Codec<T>::Describe(scope)...}};
  }

 private:
  template <size_t... I>
  static absl::Status DecodeElements(const JsonValue& value, [[maybe_unused]] std::tuple<T...>* out,
                                     std::index_sequence<I...>) {
    absl::Status status;
    [[maybe_unused]] const auto decode = [&](size_t index, auto* element) {
      using Element = std::remove_pointer_t<decltype(element)>;
      if (index >= value.size()) {
        // Left out by an older caller: good if it can be nothing.
        if (!internal::kIsOptional<Element>) status = internal::MissingElement(index);
        return status.ok();
      }
      status = Codec<Element>::Decode(value.Element(index), element);
      if (!status.ok()) status = internal::InElement(index, status);
      return status.ok();
    };
    static_cast<void>((decode(I, &std::get<I>(*out)) && ...));
    return status;
  }
};

template <typename T>
concept Encodable = requires(JsonWriter& writer, const T& value, const JsonValue& json, T* out,
                             SchemaScope& scope) {
  Codec<T>::Encode(writer, value);
  { Codec<T>::Decode(json, out) } -> std::same_as<absl::Status>;
  { Codec<T>::Describe(scope) } -> std::same_as<TypeSchema>;
};

// How values of type T look on the wire.
template <Encodable T>
TypeSchema Describe() {
  SchemaScope scope;
  return Codec<T>::Describe(scope);
}

// `value` as JSON text.
template <Encodable T>
std::string ToJson(const T& value) {
  JsonWriter writer;
  Codec<T>::Encode(writer, value);
  return writer.Take();
}

// The value that `text` holds. kInvalidArgument: not JSON, or not of this type.
template <Encodable T>
absl::StatusOr<T> FromJson(std::string text, const JsonLimits& limits = {}) {
  auto document = JsonDocument::Parse(std::move(text), limits);
  if (!document.ok()) return std::move(document).status();
  T value{};
  absl::Status status = Codec<T>::Decode(document->root(), &value);
  if (!status.ok()) return status;
  return value;
}

}  // namespace podkit::conduit
