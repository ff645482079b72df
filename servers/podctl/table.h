// Text for people: tables of aligned columns under a heading, and what stands in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podkit::podctl {

// `text` as it may be shown on a terminal: control characters, and all bytes beyond ASCII of what
// is not UTF-8, become '?', line breaks a space.
std::string Printable(std::string_view text);

// "1 home", "2 homes".
std::string Plural(int64_t count, std::string_view noun);

// The rows under `titles`, columns as wide as their widest text. Cells are made printable.
std::string FormatTable(const std::vector<std::string>& titles,
                        const std::vector<std::vector<std::string>>& rows);

}  // namespace podkit::podctl
