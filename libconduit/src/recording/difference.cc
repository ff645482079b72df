#include "recording/difference.h"

#include <algorithm>

#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

constexpr const char* kAbsent = "absent";

class Comparison {
 public:
  using Found = absl::FunctionRef<void(const std::string&, const std::string&, const std::string&)>;
  Comparison(absl::FunctionRef<bool(std::string_view)> ignored, Found found)
      : ignored_(ignored), found_(found) {}

  void Compare(const JsonValue& expected, const JsonValue& got, const std::string& place) const {
    if (expected.kind() != got.kind()) return found_(place, expected.ToText(), got.ToText());
    switch (expected.kind()) {
      case JsonValue::Kind::kObject:
        return CompareObjects(expected, got, place);
      case JsonValue::Kind::kArray:
        return CompareArrays(expected, got, place);
      default: {
        const std::string before = expected.ToText();
        const std::string after = got.ToText();
        if (before != after) found_(place, before, after);
      }
    }
  }

 private:
  void CompareObjects(const JsonValue& expected, const JsonValue& got,
                      const std::string& place) const {
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto [name, value] = expected.MemberAt(i);
      if (ignored_(name)) continue;
      const std::string inside = fmt::format("{}.{}", place, name);
      if (const auto other = got.Member(name)) {
        Compare(value, *other, inside);
      } else {
        found_(inside, value.ToText(), kAbsent);
      }
    }
    for (size_t i = 0; i < got.size(); ++i) {
      const auto [name, value] = got.MemberAt(i);
      if (ignored_(name) || expected.Member(name)) continue;
      found_(fmt::format("{}.{}", place, name), kAbsent, value.ToText());
    }
  }

  void CompareArrays(const JsonValue& expected, const JsonValue& got,
                     const std::string& place) const {
    for (size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
      const std::string inside = fmt::format("{}[{}]", place, i);
      if (i >= got.size()) {
        found_(inside, expected.Element(i).ToText(), kAbsent);
      } else if (i >= expected.size()) {
        found_(inside, kAbsent, got.Element(i).ToText());
      } else {
        Compare(expected.Element(i), got.Element(i), inside);
      }
    }
  }

  const absl::FunctionRef<bool(std::string_view)> ignored_;
  const Found found_;
};

}  // namespace

void FindDifferences(const JsonValue& expected, const JsonValue& got, const std::string& place,
                     absl::FunctionRef<bool(std::string_view)> ignored,
                     absl::FunctionRef<void(const std::string& place, const std::string& expected,
                                            const std::string& got)>
                         found) {
  Comparison(ignored, found).Compare(expected, got, place);
}

}  // namespace podkit::conduit::internal
