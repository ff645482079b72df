// Finds misspelt members in JSON that a person wrote. A decoder ignores what it does not know, so
// that peers of different versions understand each other; here that would hide a mistake.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"

namespace podkit::servers {
namespace internal {

// What stands in the list or behind the "may be absent".
template <typename T>
struct Inner {
  using type = T;
};
template <typename T>
struct Inner<std::vector<T>> {
  using type = T;
};
template <typename T>
struct Inner<std::optional<T>> {
  using type = T;
};

}  // namespace internal

// kInvalidArgument if the object has a member that T does not name, also in the structures that it
// holds: "$.grups: is not a known member; there are users, groups". Whether the members are of
// the right kind is the decoder's business.
template <conduit::Message T>
absl::Status CheckMembers(const conduit::JsonValue& value, const std::string& path = "$") {
  const std::vector<std::string_view> known =
      std::apply([](const auto&... field) { return std::vector<std::string_view>{field.name...}; },
                 T::Fields());
  for (size_t i = 0; i < value.size() && value.kind() == conduit::JsonValue::Kind::kObject; ++i) {
    const std::string_view name = value.MemberAt(i).first;
    if (std::ranges::find(known, name) != known.end()) continue;
    return absl::InvalidArgumentError(fmt::format("{}.{}: is not a known member; there are {}",
                                                  path, name, fmt::join(known, ", ")));
  }
  absl::Status status;
  const auto check = [&]<typename Field>(const Field& field) {
    using Member = std::remove_cvref_t<decltype(std::declval<T>().*field.member)>;
    using Inner = typename internal::Inner<Member>::type;
    if constexpr (conduit::Message<Inner>) {
      const auto member = value.Member(field.name);
      if (!status.ok() || !member) return;
      const std::string place = fmt::format("{}.{}", path, field.name);
      if (member->kind() != conduit::JsonValue::Kind::kArray) {
        status = CheckMembers<Inner>(*member, place);
      }
      for (size_t i = 0;
           status.ok() && i < member->size() && member->kind() == conduit::JsonValue::Kind::kArray;
           ++i) {
        status = CheckMembers<Inner>(member->Element(i), fmt::format("{}[{}]", place, i));
      }
    }
  };
  std::apply([&](const auto&... field) { (check(field), ...); }, T::Fields());
  return status;
}

}  // namespace podkit::servers
