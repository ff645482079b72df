// Writes content lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace podkit::store::calendar {

// `line` with its line end, folded after at most 75 bytes (RFC 5545 section 3.1), never within a
// character.
inline std::string FoldedLine(std::string_view line, std::string_view line_end) {
  constexpr size_t kMostBytes = 75;
  std::string text;
  for (size_t width = kMostBytes; line.size() > width; width = kMostBytes - 1) {
    size_t cut = width;
    while (cut > 1 && (static_cast<unsigned char>(line[cut]) & 0xC0U) == 0x80U) --cut;
    text += line.substr(0, cut);
    text += line_end;
    text += ' ';
    line.remove_prefix(cut);
  }
  text += line;
  text += line_end;
  return text;
}

}  // namespace podkit::store::calendar
