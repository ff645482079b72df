#include "servers/common/error_json.h"

#include <algorithm>
#include <string_view>

#include "podkit/conduit/error.h"
#include "podkit/conduit/json.h"

namespace podkit::servers {
namespace {

// `text` with U+FFFD for each byte that belongs to no character: an error may quote what somebody
// sent.
std::string RepairUtf8(std::string text) {
  constexpr size_t kLongest = 4;
  if (conduit::IsUtf8(text)) return text;
  std::string repaired;
  for (std::string_view rest = text; !rest.empty();) {
    size_t length = 1;
    while (length <= kLongest && !conduit::IsUtf8(rest.substr(0, length))) ++length;
    const bool good = length <= kLongest;
    repaired += good ? rest.substr(0, length) : "\xEF\xBF\xBD";
    rest.remove_prefix(good ? std::min(length, rest.size()) : 1);
  }
  return repaired;
}

}  // namespace

std::string ErrorJson(const absl::Status& status) {
  conduit::JsonWriter writer;
  writer.BeginObject();
  writer.Key("error");
  writer.BeginObject();
  writer.Key("class");
  writer.String(conduit::ErrorClass(status));
  writer.Key("code");
  writer.String(absl::StatusCodeToString(status.code()));
  writer.Key("message");
  writer.String(std::string(status.message()));
  writer.Key("fields");
  writer.Raw(conduit::ErrorFieldsJson(status));
  writer.EndObject();
  writer.EndObject();
  return RepairUtf8(writer.Take());
}

}  // namespace podkit::servers
