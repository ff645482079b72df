// What some editors write before UTF-8 text, and nobody sees.
#pragma once

#include <string_view>

namespace podkit {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Why a file that begins with it is refused, to follow the file's name.
inline constexpr std::string_view kByteOrderMarkFault =
    "begins with a byte order mark: save it as UTF-8 without one";

}  // namespace podkit
