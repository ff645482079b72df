#include "servers/podctl/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "podkit/conduit/json.h"

namespace podkit::podctl {
namespace {

constexpr std::string_view kGap = "  ";

// Characters of UTF-8 text; every one counts as one column.
size_t Width(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Bytes of the UTF-8 character that `text` begins with; 0 if it begins with none.
size_t CharacterLength(std::string_view text) {
  constexpr size_t kLongest = 4;
  for (size_t length = 1; length <= std::min(kLongest, text.size()); ++length) {
    if (conduit::IsUtf8(text.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const std::string_view character = text.substr(0, std::max<size_t>(length, 1));
    const bool is_control = character < " " || character == "\x7F" ||
                            (character >= "\xC2\x80" && character < "\xC2\xA0");
    if (character == "\n" || character == "\t" || character == "\r") {
      printable.push_back(' ');
    } else if (length == 0 || is_control) {
      printable.push_back('?');
    } else {
      printable += character;
    }
    text.remove_prefix(character.size());
  }
  return printable;
}

std::string Plural(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string FormatTable(const std::vector<std::string>& titles,
                        const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines = {titles};
  for (const auto& row : rows) {
    auto& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(Printable(cell));
  }
  std::vector<size_t> widths(titles.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], Width(line[i]));
  }
  std::string table;
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] - Width(line[i]), ' ').append(kGap);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    table += text + '\n';
  }
  return table;
}

}  // namespace podkit::podctl
