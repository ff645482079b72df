#include "schema_samples.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "podkit/conduit/json.h"
#include "type_kinds.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kFewestSamples = 4;
constexpr size_t kMostSamples = 16;
// A structure that holds itself is written this often inside itself, then once with the least.
constexpr int kFullTurns = 2;
constexpr int kMostTurns = 8;  // A declaration that cannot end is not one of C++.

size_t MostChoices(const TypeSchema& type) {
  size_t most = type.kind == TypeKind::kVariant ? type.fields.size() + 1 : type.names.size();
  for (const TypeSchema& element : type.elements) most = std::max(most, MostChoices(element));
  for (const FieldSchema& field : type.fields) most = std::max(most, MostChoices(field.type));
  return most;
}

class SampleWriter {
 public:
  SampleWriter(JsonWriter& writer, size_t variation) : writer_(writer), variation_(variation) {}

  void Write(const TypeSchema& type) {
    if (const auto range = RangeOf(type.kind)) return WriteInteger(*range);
    switch (type.kind) {
      case TypeKind::kBoolean:
        return writer_.Boolean(variation_ % 2 == 1);
      case TypeKind::kNumber:
        return WriteNumber();
      case TypeKind::kString:
        return writer_.String(least() ? "" : "a \"text\"\n");
      case TypeKind::kBytes:
        return WriteBytes();
      case TypeKind::kTime:
        return writer_.String(least() ? "infinite-past" : "2023-11-14T22:13:20.123456Z");
      case TypeKind::kDuration:
        return writer_.Integer(least() ? 0 : 1500);
      case TypeKind::kEnum:
        return writer_.String(type.names.empty() ? "" : type.names[Choose(type.names.size())]);
      case TypeKind::kOptional:
        return least() ? writer_.Null() : Write(type.elements.front());
      case TypeKind::kList:
        return WriteList(type);
      case TypeKind::kMap:
        return WriteMap(type);
      case TypeKind::kTuple:
        writer_.BeginArray();
        for (const TypeSchema& element : type.elements) Write(element);
        return writer_.EndArray();
      case TypeKind::kStructure:
        writer_.BeginObject();
        WriteFields(type);
        return writer_.EndObject();
      case TypeKind::kVariant:
        return WriteVariant(type);
      case TypeKind::kEnclosing:
        return WriteEnclosing(type);
      default:
        return writer_.Raw(R"({"any":[1,null]})");
    }
  }

  void WriteFields(const TypeSchema& type) {
    around_.push_back(&type);
    for (const FieldSchema& field : type.fields) {
      if (!field.required && least()) continue;
      writer_.Key(field.name);
      Write(field.type);
    }
    around_.pop_back();
  }

 private:
  bool least() const { return variation_ == 0 || turns_ >= kFullTurns; }
  size_t Choose(size_t count) const { return variation_ % count; }

  void WriteInteger(const IntegerRange& range) {
    if (least()) return writer_.Integer(0);
    if (variation_ % 3 == 1) return writer_.Integer(range.min);
    if (variation_ % 3 == 2) return writer_.Unsigned(range.max);
    writer_.Integer(100);
  }

  void WriteNumber() {
    constexpr std::array kNumbers = {"0.0", "0.5", "-1e300", "7", R"("NaN")"};
    writer_.Raw(kNumbers[Choose(kNumbers.size())]);
  }

  void WriteBytes() {
    if (variation_ % 2 == 0) return writer_.String(least() ? "" : "bytes");
    writer_.Raw(R"({"base64":"/wA="})");
  }

  void WriteList(const TypeSchema& type) {
    writer_.BeginArray();
    for (int i = 0; i < (least() ? 0 : 2); ++i) Write(type.elements.front());
    writer_.EndArray();
  }

  void WriteMap(const TypeSchema& type) {
    writer_.BeginObject();
    if (!least()) {
      writer_.Key("a key");
      Write(type.elements.front());
    }
    writer_.EndObject();
  }

  void WriteVariant(const TypeSchema& type) {
    const size_t choice = Choose(type.fields.size() + (type.open ? 1 : 0));
    writer_.BeginObject();
    if (choice < type.fields.size()) {
      writer_.Key(type.fields[choice].name);
      Write(type.fields[choice].type);
    }
    writer_.EndObject();
  }

  void WriteEnclosing(const TypeSchema& type) {
    if (type.levels > around_.size() || turns_ > kMostTurns) return writer_.Null();
    const auto around = around_;
    const TypeSchema& meant = *around_[around_.size() - type.levels];
    around_.resize(around_.size() - type.levels);
    ++turns_;
    Write(meant);
    --turns_;
    around_ = around;
  }

  JsonWriter& writer_;
  const size_t variation_;
  std::vector<const TypeSchema*> around_;
  int turns_ = 0;  // Of structures that hold themselves.
};

}  // namespace

size_t SampleCount(const CommandSchema& schema) {
  const size_t most = std::max(
      {MostChoices(schema.target), MostChoices(schema.arguments), MostChoices(schema.response)});
  return std::clamp(most + 1, kFewestSamples, kMostSamples);
}

std::string SampleValue(const TypeSchema& type, size_t variation) {
  JsonWriter writer;
  SampleWriter(writer, variation).Write(type);
  return writer.Take();
}

std::string SampleCall(const CommandSchema& schema, size_t variation) {
  const bool by_position = schema.arguments.kind == TypeKind::kTuple;
  JsonWriter writer;
  writer.BeginObject();
  SampleWriter(writer, variation).WriteFields(schema.target);
  writer.Key("arguments");
  writer.Raw(by_position ? SampleValue(schema.arguments, variation) : "[]");
  writer.Key("keywords");
  writer.Raw(by_position ? "{}" : SampleValue(schema.arguments, variation));
  writer.EndObject();
  return writer.Take();
}

}  // namespace podkit::conduit::internal
