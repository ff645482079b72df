#include "internal/collection_sync.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

std::string TokenOf(const std::string& collection_id, int64_t revision) {
  return fmt::format("data:,{}/{}", collection_id, revision);
}

// The revision that `token` names, if this collection can have given it out.
std::optional<int64_t> RevisionOf(const std::string& collection_id, const std::string& token,
                                  int64_t present) {
  const size_t slash = token.rfind('/');
  if (slash == std::string::npos) return std::nullopt;
  const auto revision = ParseNumber(std::string_view(token).substr(slash + 1));
  if (!revision || *revision < 0 || *revision > present) return std::nullopt;
  // Compared as a whole: a number has only one form here.
  if (TokenOf(collection_id, *revision) != token) return std::nullopt;
  return revision;
}

}  // namespace

absl::StatusOr<std::string> CollectionSyncToken(ObjectTable& table) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, table.Revision());
  return TokenOf(table.collection_id(), revision);
}

absl::StatusOr<Changes> CollectionChangesSince(ObjectTable& table, const std::string& sync_token) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t present, table.Revision());
  Changes changes;
  changes.sync_token = TokenOf(table.collection_id(), present);
  if (sync_token.empty()) {
    PODKIT_ASSIGN_OR_RETURN(changes.changed, table.ChangedSince(0));
    return changes;
  }
  const auto since = RevisionOf(table.collection_id(), sync_token, present);
  if (!since) {
    return MakeError(InvalidSyncToken{.token = sync_token},
                     fmt::format("collection '{}' did not give out this sync token: list "
                                 "everything and start from the new one",
                                 table.name()));
  }
  PODKIT_ASSIGN_OR_RETURN(changes.changed, table.ChangedSince(*since));
  PODKIT_ASSIGN_OR_RETURN(changes.deleted, table.DeletedSince(*since));
  return changes;
}

}  // namespace podkit::store
