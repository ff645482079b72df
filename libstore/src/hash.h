// SHA-256, for names and ETags.
#pragma once

#include <string>
#include <string_view>

namespace podkit::store {

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace podkit::store
