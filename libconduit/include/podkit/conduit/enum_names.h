// The names of enumerators on the wire.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace podkit::conduit {

// Specialise for an enumeration to give its values their names on the wire:
//   template <> struct EnumNames<Access> {
//     static constexpr std::array kNames = {std::pair{Access::kRead, "read"}, ...};
//     static constexpr Access kUnknown = Access::kOther;
//   };
// kUnknown may be left out: it is what a name that is not in the list is read as, and so lets newer
// peers send values that they add. Without it such a name is refused.
template <typename E>
struct EnumNames;

template <typename E>
concept NamedEnum = std::is_enum_v<E> && requires { EnumNames<E>::kNames; };

// A named enumeration that newer peers may extend.
template <typename E>
concept OpenEnum = NamedEnum<E> && requires { EnumNames<E>::kUnknown; };

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

// No name is empty or stands for two things.
template <size_t kSize>
constexpr bool AreNames(const std::array<std::string_view, kSize>& names) {
  for (size_t i = 0; i < kSize; ++i) {
    if (names[i].empty() ||
        std::find(names.begin(), names.begin() + i, names[i]) != names.begin() + i) {
      return false;
    }
  }
  return true;
}

template <NamedEnum E>
constexpr auto NamesOf() {
  std::array<std::string_view, EnumNames<E>::kNames.size()> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = EnumNames<E>::kNames[i].second;
  return names;
}

template <NamedEnum E>
constexpr bool EnumNamesAreUnique() {
  return AreNames(NamesOf<E>());
}

}  // namespace internal
}  // namespace podkit::conduit
