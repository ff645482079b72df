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
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/conduit/json.h"

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

// Specialise for an enumeration to give its values their names on the wire:
//   template <> struct EnumNames<Access> {
//     static constexpr std::array kNames = {std::pair{Access::kRead, "read"}, ...};
//   };
template <typename E>
struct EnumNames;

template <typename E>
concept NamedEnum = std::is_enum_v<E> && requires { EnumNames<E>::kNames; };

// The name of an enumerator; "" for a value outside the list.
template <NamedEnum E>
constexpr std::string_view EnumName(E value) {
  for (const auto& [enumerator, name] : EnumNames<E>::kNames) {
    if (enumerator == value) return name;
  }
  return "";
}

template <NamedEnum E>
constexpr std::optional<E> EnumFromName(std::string_view wanted) {
  for (const auto& [enumerator, name] : EnumNames<E>::kNames) {
    if (wanted == name) return enumerator;
  }
  return std::nullopt;
}

namespace internal {
absl::Status WrongKind(std::string_view expected, const JsonValue& got);
absl::Status MissingField(std::string_view name);
absl::Status MissingElement(size_t index);
absl::Status UnknownEnumName(std::string_view name);
absl::Status NumberOutOfRange(int64_t value);
// Puts the name of the enclosing field or element into the path that the message starts with.
absl::Status InField(std::string_view name, const absl::Status& status);
absl::Status InElement(size_t index, const absl::Status& status);
void EncodeBytes(JsonWriter& writer, const Bytes& bytes);
absl::Status DecodeBytes(const JsonValue& value, Bytes* bytes);
void EncodeTime(JsonWriter& writer, absl::Time time);
absl::Status DecodeTime(const JsonValue& value, absl::Time* time);

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
}  // namespace internal

// Encodes and decodes one type. Decode gives kInvalidArgument with the path of the value at fault
// and leaves the output unspecified.
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
};

// Integers that fit int64_t; a value that does not fit the type is refused, never cut.
template <typename T>
  requires std::integral<T> && (!std::same_as<T, bool>) &&
           (std::signed_integral<T> || sizeof(T) < sizeof(int64_t))
struct Codec<T> {
  static void Encode(JsonWriter& writer, T value) { writer.Integer(value); }
  static absl::Status Decode(const JsonValue& value, T* out) {
    const auto got = value.AsInteger();
    if (!got) return internal::WrongKind("integer", value);
    if (!std::in_range<T>(*got)) return internal::NumberOutOfRange(*got);
    *out = static_cast<T>(*got);
    return absl::OkStatus();
  }
};

template <>
struct Codec<double> {
  static void Encode(JsonWriter& writer, double value) { writer.Number(value); }
  static absl::Status Decode(const JsonValue& value, double* out) {
    const auto got = value.AsNumber();
    if (!got) return internal::WrongKind("number", value);
    *out = *got;
    return absl::OkStatus();
  }
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
};

template <>
struct Codec<Bytes> {
  static void Encode(JsonWriter& writer, const Bytes& value) {
    internal::EncodeBytes(writer, value);
  }
  static absl::Status Decode(const JsonValue& value, Bytes* out) {
    return internal::DecodeBytes(value, out);
  }
};

// RFC 3339 in UTC with microseconds.
template <>
struct Codec<absl::Time> {
  static void Encode(JsonWriter& writer, absl::Time value) { internal::EncodeTime(writer, value); }
  static absl::Status Decode(const JsonValue& value, absl::Time* out) {
    return internal::DecodeTime(value, out);
  }
};

// Whole milliseconds.
template <>
struct Codec<absl::Duration> {
  static void Encode(JsonWriter& writer, absl::Duration value) {
    writer.Integer(absl::ToInt64Milliseconds(value));
  }
  static absl::Status Decode(const JsonValue& value, absl::Duration* out) {
    const auto got = value.AsInteger();
    if (!got) return internal::WrongKind("integer", value);
    *out = absl::Milliseconds(*got);
    return absl::OkStatus();
  }
};

template <NamedEnum E>
struct Codec<E> {
  static void Encode(JsonWriter& writer, E value) { writer.String(EnumName(value)); }
  static absl::Status Decode(const JsonValue& value, E* out) {
    const auto name = value.AsString();
    if (!name) return internal::WrongKind("string", value);
    const auto got = EnumFromName<E>(*name);
    if (!got) return internal::UnknownEnumName(*name);
    *out = *got;
    return absl::OkStatus();
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
    out->reserve(value.size());
    for (size_t i = 0; i < value.size(); ++i) {
      T element{};
      const absl::Status status = Codec<T>::Decode(value.Element(i), &element);
      if (!status.ok()) return internal::InElement(i, status);
      out->push_back(std::move(element));
    }
    return absl::OkStatus();
  }
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

template <Message M>
struct Codec<M> {
  static void Encode(JsonWriter& writer, const M& message) {
    writer.BeginObject();
    EncodeFields(writer, message);
    writer.EndObject();
  }
  static absl::Status Decode(const JsonValue& value, M* out) { return DecodeFields(value, out); }
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
concept Encodable = requires(JsonWriter& writer, const T& value, const JsonValue& json, T* out) {
  Codec<T>::Encode(writer, value);
  { Codec<T>::Decode(json, out) } -> std::same_as<absl::Status>;
};

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
