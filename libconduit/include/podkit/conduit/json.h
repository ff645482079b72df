// JSON text: parsed into a read-only tree, and written.
//
// JsonDocument and JsonValue: thread-compatible; const use from many threads is safe.
// Ownership: a JsonValue points into its JsonDocument, which must outlive it. Moving the document
// keeps its values valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace podkit::conduit {

struct JsonLimits {
  size_t max_bytes = size_t{64} << 20;
  int max_depth = 64;  // Arrays and objects inside each other.
};

// One value of a parsed document. Cheap to copy.
class JsonValue {
 public:
  enum class Kind { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject };

  Kind kind() const;
  std::string_view kind_name() const;  // "null", "string", ...: for error messages.

  // The value if it is of that kind, else nothing. A number without fraction or exponent that fits
  // int64_t or uint64_t is an integer: AsInteger and AsUnsigned give it where it fits theirs.
  // AsNumber takes both kinds.
  std::optional<bool> AsBoolean() const;
  std::optional<int64_t> AsInteger() const;
  std::optional<uint64_t> AsUnsigned() const;
  std::optional<double> AsNumber() const;
  std::optional<std::string_view> AsString() const;

  // Elements of an array or members of an object; 0 for every other kind.
  size_t size() const;
  // Element `index` of an array. Requires index < size().
  JsonValue Element(size_t index) const;
  // Member `index` of an object in the order of the text. Requires index < size().
  std::pair<std::string_view, JsonValue> MemberAt(size_t index) const;
  // The member called `name`; nothing if there is none or this is not an object.
  std::optional<JsonValue> Member(std::string_view name) const;

  // The value as compact JSON text.
  std::string ToText() const;

 private:
  friend class JsonDocument;
  explicit JsonValue(const void* node) : node_(node) {}
  const void* node_;
};

class JsonDocument {
 public:
  // kInvalidArgument names the byte offset and the reason; kResourceExhausted: beyond a limit.
  // Text that is not UTF-8 is refused.
  static absl::StatusOr<JsonDocument> Parse(std::string text, const JsonLimits& limits = {});

  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonValue root() const;

 private:
  struct Tree;
  explicit JsonDocument(std::unique_ptr<Tree> tree);
  std::unique_ptr<Tree> tree_;
};

// Writes one JSON value as compact text. The caller keeps begin and end, key and value in step.
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  void BeginObject();
  void EndObject();
  void BeginArray();
  void EndArray();
  void Key(std::string_view key);
  void Null();
  void Boolean(bool value);
  void Integer(int64_t value);
  void Unsigned(uint64_t value);
  void Number(double value);            // Must be finite; anything else is written as null.
  void String(std::string_view value);  // Must be UTF-8.
  void Raw(std::string_view json);      // One complete JSON value, copied as it is.

  // The text so far; leaves the writer empty and ready for the next value.
  std::string Take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// True if `text` is well-formed UTF-8.
bool IsUtf8(std::string_view text);

}  // namespace podkit::conduit
