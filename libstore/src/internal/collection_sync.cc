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

// The revision that `token` names, if this view can have given it out.
std::optional<int64_t> RevisionOf(const std::string& prefix, std::string_view token,
                                  int64_t present) {
  if (!token.starts_with(prefix)) return std::nullopt;
  token.remove_prefix(prefix.size());
  const auto revision = ParseNumber(token);
  if (!revision || *revision < 0 || *revision > present) return std::nullopt;
  // A number has only one form here.
  if (fmt::format("{}", *revision) != token) return std::nullopt;
  return revision;
}

}  // namespace

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
  const auto since = RevisionOf(view.TokenPrefix(), sync_token, present);
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
