// Sync tokens: a prefix that says what of, and a revision.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace podkit::store {

// The revision in `token`, if something whose tokens begin with `prefix` and whose newest revision
// is `present` can have given it out.
std::optional<int64_t> RevisionOfToken(std::string_view prefix, std::string_view token,
                                       int64_t present);

}  // namespace podkit::store
