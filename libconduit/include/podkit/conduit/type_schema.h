// How values of one type look on the wire, as data: what a declaration says, without the program
// that holds it. docs/conduit-compatibility.md has its JSON form.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

namespace podkit::conduit {

enum class TypeKind {
  kAny,  // Says nothing: also what a newer peer describes in words that are not known here.
  kBoolean,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kNumber,
  kString,
  kBytes,
  kTime,
  kDuration,
  kEnum,
  kOptional,
  kList,
  kMap,
  kTuple,
  kStructure,
  kVariant,
  kEnclosing,  // A structure that this stands in, so that structures may hold themselves.
};

// "int32", "list", ...
std::string_view TypeKindName(TypeKind kind);

struct FieldSchema;

struct TypeSchema {
  TypeKind kind = TypeKind::kAny;
  std::vector<std::string> names;    // Of an enumeration, sorted.
  std::vector<TypeSchema> elements;  // One of an optional, a list, a map; all of a tuple.
  std::vector<FieldSchema> fields;   // Of a structure, or the cases of a variant; by name.
  bool open = false;                 // An enumeration or variant that takes unknown names.
  size_t levels = 0;                 // Of kEnclosing: 1 is the innermost structure around it.
};

struct FieldSchema {
  std::string name;
  bool required = true;
  TypeSchema type;
  std::string default_json;  // Of an optional field; empty if it is nothing.
};

// The structures around the one that is being described, outermost first.
class SchemaScope {
 public:
  // As TypeSchema::levels; 0 if `type` is not open.
  size_t LevelsUpTo(std::type_index type) const {
    const auto found = std::find(open_.rbegin(), open_.rend(), type);
    return found == open_.rend() ? 0 : static_cast<size_t>(found - open_.rbegin()) + 1;
  }
  void Enter(std::type_index type) { open_.push_back(type); }
  void Leave() { open_.pop_back(); }

 private:
  std::vector<std::type_index> open_;
};

namespace internal {

TypeSchema TypeOf(TypeKind kind, TypeSchema element);
void SortFields(std::vector<FieldSchema>& fields);

}  // namespace internal
}  // namespace podkit::conduit
