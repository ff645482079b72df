// Text that somebody else wrote, made fit to be quoted in JSON. IsUtf8 (json.h) tells whether it
// is.
#pragma once

#include <string>
#include <string_view>

namespace podkit::conduit {

// `text` with U+FFFD in place of each byte that is not UTF-8.
std::string RepairUtf8(std::string_view text);

}  // namespace podkit::conduit
