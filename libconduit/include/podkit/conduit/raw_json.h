// A value of any kind, passed on as JSON text: for what a declaration leaves to others.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit {

struct RawJson {
  std::string text = "null";  // One complete JSON value. Never "": that would spoil what is around.
  friend bool operator==(const RawJson&, const RawJson&) = default;
};

template <>
struct Codec<RawJson> {
  static void Encode(JsonWriter& writer, const RawJson& value) { writer.Raw(value.text); }
  static absl::Status Decode(const JsonValue& value, RawJson* out) {
    out->text = value.ToText();
    return absl::OkStatus();
  }
  static TypeSchema Describe(SchemaScope&) { return {.kind = TypeKind::kAny}; }
};

}  // namespace podkit::conduit
