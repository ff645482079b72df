// The version of these servers.
#pragma once

#include <string_view>

namespace podkit::servers {

// Set by the build to the version of the project.
inline constexpr std::string_view kVersion = PODKIT_VERSION;

}  // namespace podkit::servers
