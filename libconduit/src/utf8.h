// UTF-8 in texts that we did not write: checked before they go on the wire, cleaned for messages
// and logs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "podkit/conduit/utf8.h"

namespace podkit::conduit::internal {

// The length of the longest well-formed prefix of `text`.
size_t Utf8PrefixLength(std::string_view text);

// `text` fit for one line of a log: at most `max_bytes`, UTF-8, without control characters.
std::string ForLog(std::string_view text, size_t max_bytes = 512);

}  // namespace podkit::conduit::internal
