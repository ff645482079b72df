// Reads the JSON settings of a driver, and says what is wrong with them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "rapidjson/document.h"

namespace podkit::drivers {

// Fills what `open` of a driver says when it fails.
inline void* Refuse(std::string_view why, char* error, size_t error_size) {
  const size_t size = std::min(why.size(), error_size - 1);
  std::copy_n(why.data(), size, error);
  error[size] = '\0';
  return nullptr;
}

// The text member `name` of the JSON object `json`; "" if there is none.
inline std::string TextMember(const char* json, const char* name) {
  rapidjson::Document document;
  document.Parse(json, std::strlen(json));  // Without its length it is read beyond its end.
  if (document.HasParseError() || !document.IsObject()) return {};
  const auto member = document.FindMember(name);
  if (member == document.MemberEnd() || !member->value.IsString()) return {};
  return {member->value.GetString(), member->value.GetStringLength()};
}

}  // namespace podkit::drivers
