#include "internal/collection_sync.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "sync_token.h"

namespace podkit::store {

absl::StatusOr<std::string> CollectionSyncToken(ObjectView& view) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, view.Revision());
  return fmt::format("{}{}", view.TokenPrefix(), revision);
}

absl::StatusOr<Changes> CollectionChangesSince(ObjectView& view, const std::string& sync_token) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t present, view.Revision());
  Changes changes;
  PODKIT_ASSIGN_OR_RETURN(changes.sync_token, CollectionSyncToken(view));
  if (sync_token.empty()) {
    PODKIT_ASSIGN_OR_RETURN(changes.changed, view.ChangedSince(0));
    return changes;
  }
  const auto since = RevisionOfToken(view.TokenPrefix(), sync_token, present);
  if (!since) {
    return MakeError(InvalidSyncToken{.token = sync_token},
                     fmt::format("collection '{}' did not give out this sync token: list "
                                 "everything and start from the new one",
                                 view.name()));
  }
  PODKIT_ASSIGN_OR_RETURN(changes.changed, view.ChangedSince(*since));
  PODKIT_ASSIGN_OR_RETURN(changes.deleted, view.DeletedSince(*since));
  return changes;
}

}  // namespace podkit::store
