// Where two JSON values differ.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "podkit/conduit/json.h"

namespace podkit::conduit::internal {

// Calls `found` for each place, as JSONPath below `place`; "absent" stands for a value that one of
// them does not have. Members that are `ignored` may differ.
void FindDifferences(const JsonValue& expected, const JsonValue& got, const std::string& place,
                     absl::FunctionRef<bool(std::string_view)> ignored,
                     absl::FunctionRef<void(const std::string& place, const std::string& expected,
                                            const std::string& got)>
                         found);

}  // namespace podkit::conduit::internal
