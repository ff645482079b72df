// What may be called how, and how a name that may not be is refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace podkit::store {

// Of a text that describes a collection or a share.
inline constexpr size_t kMaxPropertyBytes = 4096;

// InvalidName unless IsValidName(name); `what` is what would have the name, such as "a collection".
absl::Status CheckName(std::string_view what, const std::string& name);

// Upper-case letters, digits and '-', at most 64: fit to be stored as the type of a component.
bool IsComponentName(std::string_view name);
// One that also begins with V or X-, as those of RFC 5545 and its extensions do.
bool IsComponentType(std::string_view name);
absl::Status NoComponentTypeError(std::string_view name);

}  // namespace podkit::store
