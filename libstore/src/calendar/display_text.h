// Pieces of calendar text made fit to be shown: valid UTF-8 on one line, of limited length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace podkit::store::calendar {

bool IsUtf8(std::string_view text);

// `text` with control characters as spaces and invalid bytes as U+FFFD, at most `max_bytes` long.
std::string DisplayText(std::string_view text, size_t max_bytes);

// A short piece of `text` for an error message.
std::string Excerpt(std::string_view text);

// The value of a property of type TEXT, without its escapes.
std::string UnescapeText(std::string_view value);

}  // namespace podkit::store::calendar
