#include "servers/common/error_json.h"

#include "podkit/conduit/error.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/utf8.h"

namespace podkit::servers {

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
  // An error may quote what somebody sent.
  return conduit::RepairUtf8(writer.Take());
}

}  // namespace podkit::servers
