#include "utf8.h"

#include <cstdint>
#include <cstring>

#include "podkit/conduit/json.h"

namespace podkit::conduit {
namespace internal {
namespace {

// The length of the well-formed sequence that starts with a byte above 0x7f, or 0. Table 3-7 of the
// Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
size_t SequenceLength(const unsigned char* bytes, size_t size) {
  const unsigned char lead = bytes[0];
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (size < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && bytes[1] < 0xa0) return 0;
  if (lead == 0xed && bytes[1] > 0x9f) return 0;
  if (lead == 0xf0 && bytes[1] < 0x90) return 0;
  if (lead == 0xf4 && bytes[1] > 0x8f) return 0;
  return length;
}

}  // namespace

size_t Utf8PrefixLength(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    uint64_t eight;
    while (i + sizeof(eight) <= text.size()) {
      std::memcpy(&eight, bytes + i, sizeof(eight));
      if ((eight & 0x8080808080808080u) != 0) break;
      i += sizeof(eight);
    }
    while (i < text.size() && bytes[i] < 0x80) ++i;
    while (i < text.size() && bytes[i] >= 0x80) {
      const size_t length = SequenceLength(bytes + i, text.size() - i);
      if (length == 0) return i;
      i += length;
    }
  }
  return i;
}

std::string ForLog(std::string_view text, size_t max_bytes) {
  const bool cut = text.size() > max_bytes;
  std::string line = RepairUtf8(text.substr(0, max_bytes));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (cut) line.append("...");
  return line;
}

}  // namespace internal

std::string RepairUtf8(std::string_view text) {
  std::string repaired;
  repaired.reserve(text.size());
  for (;;) {
    const size_t good = internal::Utf8PrefixLength(text);
    repaired.append(text.substr(0, good));
    if (good == text.size()) return repaired;
    repaired.append("\xef\xbf\xbd");
    text.remove_prefix(good + 1);
  }
}

bool IsUtf8(std::string_view text) { return internal::Utf8PrefixLength(text) == text.size(); }

}  // namespace podkit::conduit
