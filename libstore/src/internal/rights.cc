#include "internal/rights.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

absl::Status Denied(const std::string& collection_id, const Actor& actor, std::string_view what) {
  return MakeError(
      AccessDenied{.actor = actor.uid, .collection = collection_id},
      fmt::format("user '{}' {} collection '{}': ask its owner", actor.uid, what, collection_id));
}

struct ShareTerms {
  std::string access;
  std::string status;
};

// What the owner's row for the viewer says. By the viewer and not by the share: a share uid alone
// gives no rights to anybody else.
absl::StatusOr<std::optional<ShareTerms>> TermsOf(Database& database,
                                                  const std::string& collection_id,
                                                  const Actor& actor) {
  std::optional<ShareTerms> terms;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT access, status FROM bind"
      " WHERE collection_id = ?1 AND viewer_uid = ?2 AND (?3 = '' OR share_uid = ?3)",
      {collection_id, actor.uid, actor.share_uid}, [&terms](const Row& row) {
        terms = ShareTerms{row.Text(0), row.Text(1)};
      }));
  return terms;
}

}  // namespace

absl::StatusOr<Access> AccessOf(Database& database, const std::string& collection_id,
                                const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(const auto owner,
                          database.QueryText("SELECT home.uid FROM home, collection"
                                             " WHERE collection.id = ?",
                                             {collection_id}));
  if (!owner) {
    return MakeError(
        NoSuchCollection{.home = database.uid(), .collection = collection_id},
        fmt::format("the home of '{}' has no collection '{}'", database.uid(), collection_id));
  }
  if (actor.uid.empty()) return Access::kOwner;
  if (actor.uid == *owner && actor.share_uid.empty()) return Access::kOwner;
  PODKIT_ASSIGN_OR_RETURN(const auto terms, TermsOf(database, collection_id, actor));
  const bool valid = terms && terms->status != conduit::EnumName(ShareStatus::kDeclined);
  if (!valid && actor.share_uid.empty()) return Denied(collection_id, actor, "has no share of");
  if (!valid) {
    return MakeError(NoSuchShare{.share_uid = actor.share_uid},
                     fmt::format("there is no share '{}' of collection '{}' for user '{}'",
                                 actor.share_uid, collection_id, actor.uid));
  }
  // A value that a newer version wrote gives the least.
  return conduit::EnumFromName<Access>(terms->access).value_or(Access::kBusy);
}

absl::Status CheckReadAll(Database& database, const std::string& collection_id,
                          const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(const Access access, AccessOf(database, collection_id, actor));
  if (access != Access::kBusy) return absl::OkStatus();
  return Denied(collection_id, actor, "may not read");
}

absl::Status CheckWrite(Database& database, const std::string& collection_id, const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(const Access access, AccessOf(database, collection_id, actor));
  if (access == Access::kOwner || access == Access::kReadWrite) return absl::OkStatus();
  return Denied(collection_id, actor, access == Access::kRead ? "may only read" : "may not change");
}

absl::Status CheckHome(const std::string& home_uid, const std::string& actor_uid) {
  if (actor_uid.empty() || actor_uid == home_uid) return absl::OkStatus();
  return MakeError(AccessDenied{.actor = actor_uid},
                   fmt::format("'{}' may not use the home of '{}'", actor_uid, home_uid));
}

}  // namespace podkit::store
