// What may be called how.
#include <algorithm>
#include <string_view>

#include "podkit/conduit/json.h"
#include "podkit/store/home_child.h"
#include "podkit/store/user_directory.h"

namespace podkit::store {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxUidBytes = 128;

bool IsControl(std::string_view text, size_t i) {
  const auto byte = static_cast<unsigned char>(text[i]);
  if (byte < 0x20 || byte == 0x7f) return true;
  // U+0080 to U+009F.
  return byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
}

bool IsUidCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._@+-").find(c) != std::string_view::npos;
}

}  // namespace

bool IsValidName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name.front() == '.') return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '/' || IsControl(name, i)) return false;
  }
  return conduit::IsUtf8(name);
}

bool IsValidUid(std::string_view uid) {
  return !uid.empty() && uid.size() <= kMaxUidBytes && uid.front() != '.' &&
         std::all_of(uid.begin(), uid.end(), IsUidCharacter);
}

}  // namespace podkit::store
