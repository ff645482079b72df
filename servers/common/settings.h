// What every server is told by flags and a JSON file, and how it is read.
//
// A server declares a structure of optional members, its settings: for each one there is a flag,
// and a member in the file. A flag goes before the file. Errors are kInvalidArgument and name the
// flag or the file and the member at fault.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "podkit/conduit/message.h"
#include "servers/common/files.h"

namespace podkit::servers {

// "--<flag>: <text>".
absl::Status WrongFlag(std::string_view flag, std::string_view text);

struct ListenAddress {
  std::string address = "127.0.0.1";
  uint16_t port = 0;

  // "http://127.0.0.1:8201" or "https://[::1]:8201".
  std::string Url(bool tls) const;
};

// From "127.0.0.1:8201" or "[::1]:8201", as --listen has it.
absl::StatusOr<ListenAddress> ParseListen(std::string_view text);

// OK for debug, info, warning and error.
absl::Status CheckLogLevel(std::string_view level);

// Sets `out` if there is a value, which must be between `least` and `most`.
template <typename Int>
absl::Status TakeNumber(std::string_view flag, const std::optional<int64_t>& value, int64_t least,
                        Int* out, int64_t most = std::numeric_limits<int>::max()) {
  if (!value) return absl::OkStatus();
  if (*value < least || *value > most) {
    return WrongFlag(flag, fmt::format("{} is not between {} and {}", *value, least, most));
  }
  *out = static_cast<Int>(*value);
  return absl::OkStatus();
}

// Reads the file at `path`; a member that Settings does not have is refused by name, with a hint at
// `program` --help.
template <conduit::Message Settings>
absl::StatusOr<Settings> ReadSettingsFile(const std::string& path, std::string_view program) {
  constexpr size_t kMaxConfigBytes = size_t{1} << 20;
  PODKIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxConfigBytes));
  const auto wrong = [&](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("configuration '{}': {}", path, what));
  };
  auto document = conduit::JsonDocument::Parse(std::move(text));
  if (!document.ok()) return wrong(std::string(document.status().message()));
  Settings settings;
  const absl::Status status = conduit::DecodeFields(document->root(), &settings);
  if (!status.ok()) return wrong(std::string(status.message()));
  for (size_t i = 0; i < document->root().size(); ++i) {
    const std::string_view name = document->root().MemberAt(i).first;
    const bool known = std::apply(
        [&](const auto&... field) { return ((field.name == name) || ...); }, Settings::Fields());
    if (!known) {
      return wrong(fmt::format("there is no member '{}'; {} --help lists them", name, program));
    }
  }
  return settings;
}

// Where `over` says nothing, `under` counts.
template <conduit::Message Settings>
Settings MergeSettings(const Settings& over, const Settings& under) {
  Settings merged = over;
  std::apply(
      [&](const auto&... field) {
        const auto fill = [&](auto member) {
          if (!(merged.*member)) merged.*member = under.*member;
        };
        (fill(field.member), ...);
      },
      Settings::Fields());
  return merged;
}

}  // namespace podkit::servers
