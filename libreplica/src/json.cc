#include "json.h"

#include "fmt/format.h"
#include "rapidjson/error/en.h"

namespace podkit::replica {
namespace {

rapidjson::SizeType SizeOf(std::string_view text) {
  return static_cast<rapidjson::SizeType>(text.size());
}

}  // namespace

absl::Status ParseJsonObject(std::string_view text, rapidjson::Document* document) {
  document->Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  if (document->HasParseError()) {
    return absl::InvalidArgumentError(
        fmt::format("bad JSON at byte {}: {}", document->GetErrorOffset(),
                    rapidjson::GetParseError_En(document->GetParseError())));
  }
  if (!document->IsObject()) return absl::InvalidArgumentError("the JSON is not an object");
  return absl::OkStatus();
}

bool HasLoneSurrogate(std::string_view text) {
  for (size_t at = text.find('\xED'); at < text.size(); at = text.find('\xED', at + 1)) {
    if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0) return true;
  }
  return false;
}

JsonMembers::JsonMembers(const rapidjson::Value& object, absl::Status* status)
    : object_(object), status_(*status) {
  if (!object_.IsObject()) Fail("element", "an object");
}

const rapidjson::Value* JsonMembers::Find(const char* name) const {
  if (!status_.ok() || !object_.IsObject()) return nullptr;
  const auto member = object_.FindMember(name);
  return member == object_.MemberEnd() ? nullptr : &member->value;
}

bool JsonMembers::Has(const char* name) const { return Find(name) != nullptr; }

void JsonMembers::Fail(const char* name, std::string_view expected) {
  if (status_.ok()) {
    status_ = absl::InvalidArgumentError(fmt::format("the member '{}' is not {}", name, expected));
  }
}

std::string JsonMembers::Text(const char* name, size_t max_size) {
  const auto* value = Find(name);
  if (value == nullptr || !value->IsString() || value->GetStringLength() > max_size) {
    Fail(name, fmt::format("a text of at most {} bytes", max_size));
    return {};
  }
  if (HasLoneSurrogate({value->GetString(), value->GetStringLength()})) {
    Fail(name, "valid Unicode");
    return {};
  }
  return {value->GetString(), value->GetStringLength()};
}

std::string JsonMembers::TextOr(const char* name, size_t max_size, std::string_view otherwise) {
  return Has(name) ? Text(name, max_size) : std::string(otherwise);
}

uint64_t JsonMembers::Number(const char* name, uint64_t max) {
  const auto* value = Find(name);
  if (value == nullptr || !value->IsUint64() || value->GetUint64() > max) {
    Fail(name, fmt::format("a whole number from 0 to {}", max));
    return 0;
  }
  return value->GetUint64();
}

uint64_t JsonMembers::NumberOr(const char* name, uint64_t otherwise, uint64_t max) {
  return Has(name) ? Number(name, max) : otherwise;
}

bool JsonMembers::FlagOr(const char* name, bool otherwise) {
  const auto* value = Find(name);
  if (value == nullptr) return otherwise;
  if (!value->IsBool()) Fail(name, "true or false");
  return value->IsTrue();
}

int JsonMembers::ErrorNumberOr(const char* name, int otherwise) {
  const auto* value = Find(name);
  if (value == nullptr) return otherwise;
  if (value->IsInt() && value->GetInt() <= 0 && value->GetInt() >= -4095) return value->GetInt();
  Fail(name, "0 or a negative error number");
  return 0;
}

const rapidjson::Value* JsonMembers::ArrayOr(const char* name) {
  const auto* value = Find(name);
  if (value == nullptr) return nullptr;
  if (value->IsArray()) return value;
  Fail(name, "an array");
  return nullptr;
}

void JsonWriter::Key(std::string_view name) { writer_.Key(name.data(), SizeOf(name)); }

JsonWriter& JsonWriter::Text(std::string_view name, std::string_view value) {
  Key(name);
  return Element(value);
}

JsonWriter& JsonWriter::Number(std::string_view name, uint64_t value) {
  Key(name);
  writer_.Uint64(value);
  return *this;
}

JsonWriter& JsonWriter::Signed(std::string_view name, int64_t value) {
  Key(name);
  writer_.Int64(value);
  return *this;
}

JsonWriter& JsonWriter::Flag(std::string_view name, bool value) {
  Key(name);
  writer_.Bool(value);
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view name, std::string_view json) {
  Key(name);
  writer_.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  return *this;
}

JsonWriter& JsonWriter::Element(std::string_view value) {
  // A null pointer with size 0 is no text to RapidJSON.
  writer_.String(value.empty() ? "" : value.data(), SizeOf(value));
  return *this;
}

}  // namespace podkit::replica
