// The words for kinds of types, and the ranges of integers.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "podkit/conduit/type_schema.h"

namespace podkit::conduit::internal {

inline constexpr std::array kTypeKinds = {
    std::pair{TypeKind::kAny, std::string_view("any")},
    std::pair{TypeKind::kBoolean, std::string_view("boolean")},
    std::pair{TypeKind::kInt8, std::string_view("int8")},
    std::pair{TypeKind::kInt16, std::string_view("int16")},
    std::pair{TypeKind::kInt32, std::string_view("int32")},
    std::pair{TypeKind::kInt64, std::string_view("int64")},
    std::pair{TypeKind::kUint8, std::string_view("uint8")},
    std::pair{TypeKind::kUint16, std::string_view("uint16")},
    std::pair{TypeKind::kUint32, std::string_view("uint32")},
    std::pair{TypeKind::kUint64, std::string_view("uint64")},
    std::pair{TypeKind::kNumber, std::string_view("number")},
    std::pair{TypeKind::kString, std::string_view("string")},
    std::pair{TypeKind::kBytes, std::string_view("bytes")},
    std::pair{TypeKind::kTime, std::string_view("time")},
    std::pair{TypeKind::kDuration, std::string_view("duration")},
    std::pair{TypeKind::kEnum, std::string_view("enum")},
    std::pair{TypeKind::kOptional, std::string_view("optional")},
    std::pair{TypeKind::kList, std::string_view("list")},
    std::pair{TypeKind::kMap, std::string_view("map")},
    std::pair{TypeKind::kTuple, std::string_view("tuple")},
    std::pair{TypeKind::kStructure, std::string_view("structure")},
    std::pair{TypeKind::kVariant, std::string_view("variant")},
    std::pair{TypeKind::kEnclosing, std::string_view("enclosing")},
};

struct IntegerRange {
  int64_t min;
  uint64_t max;
};

template <typename T>
constexpr IntegerRange RangeOf() {
  return {static_cast<int64_t>(std::numeric_limits<T>::min()),
          static_cast<uint64_t>(std::numeric_limits<T>::max())};
}

// The range of an integer kind; nothing for other kinds.
constexpr std::optional<IntegerRange> RangeOf(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt8:
      return RangeOf<int8_t>();
    case TypeKind::kInt16:
      return RangeOf<int16_t>();
    case TypeKind::kInt32:
      return RangeOf<int32_t>();
    case TypeKind::kInt64:
      return RangeOf<int64_t>();
    case TypeKind::kUint8:
      return RangeOf<uint8_t>();
    case TypeKind::kUint16:
      return RangeOf<uint16_t>();
    case TypeKind::kUint32:
      return RangeOf<uint32_t>();
    case TypeKind::kUint64:
      return RangeOf<uint64_t>();
    default:
      return std::nullopt;
  }
}

}  // namespace podkit::conduit::internal
