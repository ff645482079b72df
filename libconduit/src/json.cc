#include "podkit/conduit/json.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "common/byte_order_mark.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace podkit::conduit {
namespace {

using Node = rapidjson::Value;
using rapidjson::SizeType;

const Node& NodeOf(const void* node) { return *static_cast<const Node*>(node); }

// RapidJSON destroys nothing recursively, but prints recursively: no option may go beyond this.
constexpr int kMostDepth = 512;

// Takes the events of the parser and hands them on to the tree, after the checks that RapidJSON
// does not make: depth, UTF-8 (also of what \u escapes make), and members that appear twice.
// Numbers come as text, because RapidJSON 1.1 overflows on some exponents.
class CheckingHandler {
 public:
  using Ch = char;

  CheckingHandler(rapidjson::Document& tree, const char* text, int max_depth)
      : tree_(tree), text_(text), max_depth_(max_depth) {}

  // Why the parse was ended, and where; empty if it was not this handler that ended it.
  const std::string& refusal() const { return refusal_; }
  size_t refusal_offset() const { return refusal_offset_; }
  bool too_deep() const { return too_deep_; }

  bool Null() { return tree_.Null(); }
  bool Bool(bool value) { return tree_.Bool(value); }
  // The parser only knows RawNumber in the mode that we use, but must compile with these.
  bool Int(int value) { return tree_.Int(value); }
  bool Uint(unsigned value) { return tree_.Uint(value); }
  bool Int64(int64_t value) { return tree_.Int64(value); }
  bool Uint64(uint64_t value) { return tree_.Uint64(value); }
  bool Double(double value) { return tree_.Double(value); }

  bool RawNumber(const char* digits, SizeType length, bool) {
    const char* const end = digits + length;
    int64_t integer = 0;
    const auto whole = std::from_chars(digits, end, integer);
    if (whole.ec == std::errc() && whole.ptr == end) return tree_.Int64(integer);
    uint64_t large = 0;
    const auto positive = std::from_chars(digits, end, large);
    if (positive.ec == std::errc() && positive.ptr == end) return tree_.Uint64(large);
    double number = 0;
    // Out of range is also what is too small; strtod tells the two apart.
    if (std::from_chars(digits, end, number).ec == std::errc::result_out_of_range) {
      number = std::strtod(std::string(digits, length).c_str(), nullptr);
    }
    if (!std::isfinite(number)) return Refuse("the number is too large", digits);
    return tree_.Double(number);
  }

  bool String(const char* value, SizeType length, bool) {
    if (!IsUtf8({value, length})) return Refuse("the string is not UTF-8", value);
    return tree_.String(value, length, false);
  }

  bool Key(const char* name, SizeType length, bool) {
    if (!IsUtf8({name, length})) return Refuse("the member's name is not UTF-8", name);
    names_.emplace_back(name, length);
    return tree_.Key(name, length, false);
  }

  bool StartObject() { return Enter() && tree_.StartObject(); }
  bool StartArray() { return Enter() && tree_.StartArray(); }
  bool EndArray(SizeType count) {
    --depth_;
    return tree_.EndArray(count);
  }
  bool EndObject(SizeType count) {
    --depth_;
    if (!CheckNames(count)) return false;
    return tree_.EndObject(count);
  }

 private:
  bool Enter() {
    if (++depth_ <= max_depth_) return true;
    too_deep_ = true;
    return Refuse(fmt::format("more than {} arrays and objects inside each other", max_depth_),
                  nullptr);
  }

  // The names of the object that ends now are the last `count` ones.
  bool CheckNames(SizeType count) {
    const auto begin = names_.end() - count;
    if (count > 16) {
      std::sort(begin, names_.end());
      const auto twin = std::adjacent_find(begin, names_.end());
      if (twin != names_.end()) return RefuseTwin(*twin);
    } else {
      for (auto i = begin; i != names_.end(); ++i) {
        if (std::find(begin, i, *i) != i) return RefuseTwin(*i);
      }
    }
    names_.erase(begin, names_.end());
    return true;
  }

  bool RefuseTwin(std::string_view name) {
    return Refuse(fmt::format("the member '{}' appears twice", name.substr(0, 64)), name.data());
  }

  bool Refuse(std::string why, const char* where) {
    refusal_ = std::move(why);
    refusal_offset_ = where == nullptr ? 0 : static_cast<size_t>(where - text_);
    return false;
  }

  rapidjson::Document& tree_;
  const char* const text_;
  const int max_depth_;
  int depth_ = 0;
  bool too_deep_ = false;
  std::vector<std::string_view> names_;  // Of the objects that are open, outermost first.
  std::string refusal_;
  size_t refusal_offset_ = 0;
};

constexpr unsigned kParseFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseNumbersAsStringsFlag;

// With SSE2 the parser reads whole blocks of 16 bytes, also the one that holds the end.
constexpr size_t kPadding = 15;

}  // namespace

struct JsonDocument::Tree {
  std::string text;  // Parsed in place: strings of the tree point into it.
  rapidjson::Document document;
};

JsonDocument::JsonDocument(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonValue JsonDocument::root() const {
  return JsonValue(static_cast<const Node*>(&tree_->document));
}

absl::StatusOr<JsonDocument> JsonDocument::Parse(std::string text, const JsonLimits& limits) {
  const size_t max_bytes =
      std::min<size_t>(limits.max_bytes, std::numeric_limits<SizeType>::max() - 1);
  if (text.size() > max_bytes) {
    return absl::ResourceExhaustedError(fmt::format(
        "JSON of {} bytes is larger than the limit of {} bytes", text.size(), max_bytes));
  }
  PODKIT_RETURN_IF_ERROR(RefuseByteOrderMark(text, "JSON"));
  auto tree = std::make_unique<Tree>();
  const size_t size = text.size();
  tree->text = std::move(text);
  tree->text.append(kPadding, '\0');
  CheckingHandler handler(tree->document, tree->text.data(),
                          std::min(limits.max_depth, kMostDepth));
  rapidjson::ParseResult result;
  auto parse = [&](rapidjson::Document&) {
    rapidjson::Reader reader;
    rapidjson::InsituStringStream stream(tree->text.data());
    result = reader.Parse<kParseFlags>(stream, handler);
    // The parser takes a zero byte for the end.
    if (!result.IsError() && stream.Tell() != size) {
      result.Set(rapidjson::kParseErrorDocumentRootNotSingular, stream.Tell());
    }
    return !result.IsError();
  };
  tree->document.Populate(parse);
  if (!result.IsError()) return JsonDocument(std::move(tree));
  if (handler.too_deep()) {
    return absl::ResourceExhaustedError(
        fmt::format("JSON at byte {}: {}", result.Offset(), handler.refusal()));
  }
  if (!handler.refusal().empty()) {
    return absl::InvalidArgumentError(
        fmt::format("JSON at byte {}: {}", handler.refusal_offset(), handler.refusal()));
  }
  return absl::InvalidArgumentError(fmt::format("JSON at byte {}: {}", result.Offset(),
                                                rapidjson::GetParseError_En(result.Code())));
}

JsonValue::Kind JsonValue::kind() const {
  const Node& node = NodeOf(node_);
  switch (node.GetType()) {
    case rapidjson::kNullType:
      return Kind::kNull;
    case rapidjson::kFalseType:
    case rapidjson::kTrueType:
      return Kind::kBoolean;
    case rapidjson::kObjectType:
      return Kind::kObject;
    case rapidjson::kArrayType:
      return Kind::kArray;
    case rapidjson::kStringType:
      return Kind::kString;
    case rapidjson::kNumberType:
      break;
  }
  return node.IsInt64() || node.IsUint64() ? Kind::kInteger : Kind::kNumber;
}

std::string_view JsonValue::kind_name() const {
  switch (kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBoolean:
      return "boolean";
    case Kind::kInteger:
      return "integer";
    case Kind::kNumber:
      return "number";
    case Kind::kString:
      return "string";
    case Kind::kArray:
      return "array";
    case Kind::kObject:
      break;
  }
  return "object";
}

std::optional<bool> JsonValue::AsBoolean() const {
  const Node& node = NodeOf(node_);
  if (!node.IsBool()) return std::nullopt;
  return node.GetBool();
}

std::optional<int64_t> JsonValue::AsInteger() const {
  const Node& node = NodeOf(node_);
  if (!node.IsInt64()) return std::nullopt;
  return node.GetInt64();
}

std::optional<uint64_t> JsonValue::AsUnsigned() const {
  const Node& node = NodeOf(node_);
  if (!node.IsUint64()) return std::nullopt;
  return node.GetUint64();
}

std::optional<double> JsonValue::AsNumber() const {
  const Node& node = NodeOf(node_);
  if (!node.IsNumber()) return std::nullopt;
  return node.GetDouble();
}

std::optional<std::string_view> JsonValue::AsString() const {
  const Node& node = NodeOf(node_);
  if (!node.IsString()) return std::nullopt;
  return std::string_view(node.GetString(), node.GetStringLength());
}

size_t JsonValue::size() const {
  const Node& node = NodeOf(node_);
  if (node.IsArray()) return node.Size();
  if (node.IsObject()) return node.MemberCount();
  return 0;
}

JsonValue JsonValue::Element(size_t index) const {
  return JsonValue(&NodeOf(node_)[static_cast<SizeType>(index)]);
}

std::pair<std::string_view, JsonValue> JsonValue::MemberAt(size_t index) const {
  const auto member = NodeOf(node_).MemberBegin() + static_cast<std::ptrdiff_t>(index);
  return {std::string_view(member->name.GetString(), member->name.GetStringLength()),
          JsonValue(&member->value)};
}

std::optional<JsonValue> JsonValue::Member(std::string_view name) const {
  const Node& node = NodeOf(node_);
  if (!node.IsObject()) return std::nullopt;
  const Node key(rapidjson::StringRef(name.data(), name.size()));
  const auto member = node.FindMember(key);
  if (member == node.MemberEnd()) return std::nullopt;
  return JsonValue(&member->value);
}

std::string JsonValue::ToText() const {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  NodeOf(node_).Accept(writer);
  return std::string(buffer.GetString(), buffer.GetSize());
}

struct JsonWriter::State {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonWriter::JsonWriter() : state_(std::make_unique<State>()) {}
JsonWriter::~JsonWriter() = default;

void JsonWriter::BeginObject() { state_->writer.StartObject(); }
void JsonWriter::EndObject() { state_->writer.EndObject(); }
void JsonWriter::BeginArray() { state_->writer.StartArray(); }
void JsonWriter::EndArray() { state_->writer.EndArray(); }
void JsonWriter::Key(std::string_view key) { String(key); }
void JsonWriter::Null() { state_->writer.Null(); }
void JsonWriter::Boolean(bool value) { state_->writer.Bool(value); }
void JsonWriter::Integer(int64_t value) { state_->writer.Int64(value); }
void JsonWriter::Unsigned(uint64_t value) { state_->writer.Uint64(value); }

void JsonWriter::Number(double value) {
  if (std::isfinite(value)) {
    state_->writer.Double(value);
  } else {
    state_->writer.Null();
  }
}

void JsonWriter::String(std::string_view value) {
  // An empty view may have no address, which RapidJSON refuses.
  state_->writer.String(value.empty() ? "" : value.data(), static_cast<SizeType>(value.size()));
}

void JsonWriter::Raw(std::string_view json) {
  state_->writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
}

std::string JsonWriter::Take() {
  std::string text(state_->buffer.GetString(), state_->buffer.GetSize());
  state_->buffer.Clear();
  state_->writer.Reset(state_->buffer);
  return text;
}

}  // namespace podkit::conduit
