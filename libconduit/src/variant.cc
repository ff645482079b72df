#include "podkit/conduit/variant.h"

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace podkit::conduit::internal {

absl::StatusOr<size_t> FindCase(const JsonValue& value, std::span<const std::string_view> cases) {
  if (value.kind() != JsonValue::Kind::kObject) return WrongKind("object", value);
  size_t found = cases.size();
  for (size_t i = 0; i < cases.size(); ++i) {
    if (!value.Member(cases[i])) continue;
    if (found != cases.size()) {
      return absl::InvalidArgumentError(
          fmt::format("$: holds both '{}' and '{}'", cases[found], cases[i]));
    }
    found = i;
  }
  return found;
}

absl::Status NoKnownCase(std::span<const std::string_view> cases) {
  return absl::InvalidArgumentError(fmt::format("$: holds none of '{}'", fmt::join(cases, "', '")));
}

}  // namespace podkit::conduit::internal
