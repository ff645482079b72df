// What some editors write before UTF-8 text, and nobody sees.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "absl/status/status.h"

namespace podkit {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// kInvalidArgument if `text` begins with it; `name` is what the text is called.
inline absl::Status RefuseByteOrderMark(std::string_view text, std::string_view name) {
  if (!text.starts_with(kByteOrderMark)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} begins with a byte order mark: save it as UTF-8 without one", name));
}

}  // namespace podkit
