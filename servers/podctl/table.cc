#include "servers/podctl/table.h"

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

}  // namespace

std::string Printable(std::string_view text) {
  const bool utf8 = conduit::IsUtf8(text);
  std::string printable;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\n' || byte == '\t' || byte == '\r') {
      printable.push_back(' ');
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
      printable.push_back('?');
    } else if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      printable.push_back('?');  // U+0080 to U+009F: control characters too.
      ++i;
    } else {
      printable.push_back(text[i]);
    }
  }
  return printable;
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
