#include "calendar/display_text.h"

#include <array>
#include <cstdint>

namespace podkit::store::calendar {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr size_t kExcerptBytes = 60;

// The length of the well-formed UTF-8 character that `text` begins with; 0 if there is none.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return 0;
  uint32_t code = byte(0) & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
  return length;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string DisplayText(std::string_view text, size_t max_bytes) {
  std::string result;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const auto first = static_cast<unsigned char>(text.front());
    const std::string_view character = length == 0                     ? kReplacement
                                       : first < 0x20 || first == 0x7F ? std::string_view(" ")
                                                                       : text.substr(0, length);
    if (result.size() + character.size() > max_bytes) break;
    result.append(character);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

std::string Excerpt(std::string_view text) {
  std::string excerpt = DisplayText(text, kExcerptBytes);
  if (text.size() > kExcerptBytes) excerpt += "...";
  return excerpt;
}

std::string UnescapeText(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\' || i + 1 == value.size()) {
      text.push_back(value[i]);
      continue;
    }
    ++i;
    text.push_back(value[i] == 'n' || value[i] == 'N' ? '\n' : value[i]);
  }
  return text;
}

}  // namespace podkit::store::calendar
