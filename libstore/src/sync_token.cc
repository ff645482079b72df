#include "sync_token.h"

#include <fmt/format.h>

#include "common/text.h"

namespace podkit::store {

std::optional<int64_t> RevisionOfToken(std::string_view prefix, std::string_view token,
                                       int64_t present) {
  if (!token.starts_with(prefix)) return std::nullopt;
  token.remove_prefix(prefix.size());
  const auto revision = ParseNumber(token);
  if (!revision || *revision < 0 || *revision > present) return std::nullopt;
  // A number has only one form here.
  if (fmt::format("{}", *revision) != token) return std::nullopt;
  return revision;
}

}  // namespace podkit::store
