// Reads JSON objects member by member and remembers the first thing that is wrong.
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "rapidjson/document.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace podkit::replica {

constexpr uint64_t kMaxJsonNumber = std::numeric_limits<int64_t>::max();

// kInvalidArgument unless `text` is one JSON object in UTF-8. Its depth costs no stack.
absl::Status ParseJsonObject(std::string_view text, rapidjson::Document* document);

// True if the text was written as a lone \uDC00 to \uDFFF, which RapidJSON takes: it is no UTF-8.
bool HasLoneSurrogate(std::string_view text);

// The members of one object. A missing member is the given default, or an error without one; so is
// a member of another type. After the first error all values are empty.
class JsonMembers {
 public:
  // `status` holds the first error of this object and of all others that share it.
  JsonMembers(const rapidjson::Value& object, absl::Status* status);

  bool Has(const char* name) const;
  std::string Text(const char* name, size_t max_size);
  std::string TextOr(const char* name, size_t max_size, std::string_view otherwise);
  uint64_t Number(const char* name, uint64_t max = kMaxJsonNumber);
  uint64_t NumberOr(const char* name, uint64_t otherwise, uint64_t max = kMaxJsonNumber);
  bool FlagOr(const char* name, bool otherwise);
  // A negative errno, from -4095 to 0.
  int ErrorNumberOr(const char* name, int otherwise);
  // Null if missing or not an array.
  const rapidjson::Value* ArrayOr(const char* name);
  void Fail(const char* name, std::string_view expected);

 private:
  const rapidjson::Value* Find(const char* name) const;

  const rapidjson::Value& object_;
  absl::Status& status_;
};

class JsonWriter {
 public:
  JsonWriter& Begin() { return writer_.StartObject(), *this; }
  JsonWriter& End() { return writer_.EndObject(), *this; }
  JsonWriter& BeginArray(std::string_view name) { return Key(name), writer_.StartArray(), *this; }
  JsonWriter& EndArray() { return writer_.EndArray(), *this; }
  JsonWriter& Text(std::string_view name, std::string_view value);
  JsonWriter& Number(std::string_view name, uint64_t value);
  JsonWriter& Signed(std::string_view name, int64_t value);
  JsonWriter& Flag(std::string_view name, bool value);
  // `json` is a value already written as JSON.
  JsonWriter& Raw(std::string_view name, std::string_view json);
  JsonWriter& Element(std::string_view value);
  std::string Take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  void Key(std::string_view name);

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace podkit::replica
