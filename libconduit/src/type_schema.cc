#include "podkit/conduit/type_schema.h"

#include <utility>

#include "type_kinds.h"

namespace podkit::conduit {

std::string_view TypeKindName(TypeKind kind) {
  for (const auto& [known, name] : internal::kTypeKinds) {
    if (known == kind) return name;
  }
  return "any";
}

namespace internal {

TypeSchema TypeOf(TypeKind kind, TypeSchema element) {
  TypeSchema type{.kind = kind};
  type.elements.push_back(std::move(element));
  return type;
}

void SortFields(std::vector<FieldSchema>& fields) {
  std::sort(fields.begin(), fields.end(),
            [](const FieldSchema& a, const FieldSchema& b) { return a.name < b.name; });
}

}  // namespace internal
}  // namespace podkit::conduit
