#include "names.h"

#include <fmt/format.h>

#include <algorithm>

#include "calendar/display_text.h"
#include "podkit/conduit/json.h"
#include "podkit/store/errors.h"
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

absl::Status CheckName(std::string_view what, const std::string& name) {
  if (IsValidName(name)) return absl::OkStatus();
  return MakeError(
      InvalidName{.name = name},
      fmt::format("'{}' is no name for {}: give 1 to {} bytes of UTF-8 without '/' and "
                  "control characters, not beginning with '.'",
                  calendar::Excerpt(name), what, kMaxNameBytes));
}

bool IsComponentName(std::string_view name) {
  constexpr size_t kMaxBytes = 64;
  return !name.empty() && name.size() <= kMaxBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool IsComponentType(std::string_view name) {
  return IsComponentName(name) && (name.starts_with('V') || name.starts_with("X-"));
}

absl::Status NoComponentTypeError(std::string_view name) {
  return MakeError(InvalidRequest{},
                   fmt::format("component: '{}' is not a component type such as VEVENT",
                               calendar::Excerpt(name)));
}

bool IsValidUid(std::string_view uid) {
  return !uid.empty() && uid.size() <= kMaxUidBytes && uid.front() != '.' &&
         std::all_of(uid.begin(), uid.end(), IsUidCharacter);
}

}  // namespace podkit::store
