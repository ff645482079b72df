// A choice between structures, as a std::variant whose alternatives name themselves:
//
//   struct Circle { static constexpr std::string_view kCase = "circle"; double radius = 0; ... };
//   struct Square { static constexpr std::string_view kCase = "square"; double side = 0; ... };
//   using Shape = std::variant<Circle, Square>;
//
// On the wire an object with the one member that says which it is: {"circle":{"radius":1.0}}. A
// case that the reader does not know is refused, unless the first alternative is std::monostate:
// then it is read as that, and so is {}, which stands for it.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit {

template <typename T>
concept VariantCase = Message<T> && requires {
  { T::kCase } -> std::convertible_to<std::string_view>;
};

namespace internal {

// The index in `cases` of the one that `value` holds; cases.size() for none that is known.
absl::StatusOr<size_t> FindCase(const JsonValue& value, std::span<const std::string_view> cases);
absl::Status NoKnownCase(std::span<const std::string_view> cases);

template <bool kOpen, typename... Cases>
struct VariantCodec {
  using Variant =
      std::conditional_t<kOpen, std::variant<std::monostate, Cases...>, std::variant<Cases...>>;
  static constexpr std::array<std::string_view, sizeof...(Cases)> kCases = {Cases::kCase...};
  static_assert(AreNames(kCases), "two cases of a variant share a name, or one has none");

  static void Encode(JsonWriter& writer, const Variant& value) {
    writer.BeginObject();
    std::visit(
        [&]<typename T>(const T& alternative) {
          if constexpr (!std::is_same_v<T, std::monostate>) {
            writer.Key(T::kCase);
            Codec<T>::Encode(writer, alternative);
          }
        },
        value);
    writer.EndObject();
  }

  static absl::Status Decode(const JsonValue& value, Variant* out) {
    const auto found = FindCase(value, kCases);
    if (!found.ok()) return found.status();
    if (*found == kCases.size()) {
      if constexpr (kOpen) {
        out->template emplace<std::monostate>();
        return absl::OkStatus();
      }
      return NoKnownCase(kCases);
    }
    absl::Status status;
    [[maybe_unused]] const auto decode = [&]<typename T>(std::type_identity<T>) {
      if (T::kCase != kCases[*found]) return;
      status = Codec<T>::Decode(*value.Member(T::kCase), &out->template emplace<T>());
      if (!status.ok()) status = InField(T::kCase, status);
    };
    (decode(std::type_identity<Cases>()), ...);
    return status;
  }

  static TypeSchema Describe(SchemaScope& scope) {
    TypeSchema type{.kind = TypeKind::kVariant, .open = kOpen};
    (type.fields.push_back(
         {.name = std::string(Cases::kCase), .type = Codec<Cases>::Describe(scope)}),
     ...);
    SortFields(type.fields);
    return type;
  }
};

}  // namespace internal

template <VariantCase... Cases>
struct Codec<std::variant<Cases...>> : internal::VariantCodec<false, Cases...> {};

template <VariantCase... Cases>
struct Codec<std::variant<std::monostate, Cases...>> : internal::VariantCodec<true, Cases...> {};

}  // namespace podkit::conduit
