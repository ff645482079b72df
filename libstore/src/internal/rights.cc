#include "internal/rights.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "sharing/delegates.h"
#include "sharing/group_shares.h"

namespace podkit::store {
namespace {

absl::Status Denied(const std::string& collection_id, const Actor& actor, std::string_view what,
                    const std::string& title) {
  return MakeError(
      AccessDenied{.actor = actor.author(), .collection = collection_id},
      fmt::format("user '{}' {} collection '{}': ask its owner", actor.author(), what, title));
}

// What the owner's row for the viewer says. By the viewer and not by the share: a share uid alone
// gives no rights to anybody else.
absl::StatusOr<std::optional<Access>> SharedAccess(Database& database,
                                                   const std::string& collection_id,
                                                   const Actor& actor) {
  bool found = false;
  std::optional<Access> own;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT own_access FROM bind WHERE collection_id = ?1 AND viewer_uid = ?2"
      " AND (?3 = '' OR share_uid = ?3) AND status <> ?4 AND viewer_uid <> owner_uid",
      {collection_id, actor.uid, actor.share_uid, conduit::EnumName(ShareStatus::kDeclined)},
      [&](const Row& row) {
        found = true;
        // A value that a newer version wrote gives the least.
        if (!row.IsNull(0)) {
          own = conduit::EnumFromName<Access>(row.Text(0)).value_or(Access::kBusy);
        }
      }));
  if (!found) return std::nullopt;
  return BestAccess(database, collection_id, actor.uid, own, actor.directory);
}

}  // namespace

absl::StatusOr<Grant> GrantOf(Database& database, const std::string& collection_id,
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
  if (actor.share_uid.empty() || actor.uid.empty()) {
    const auto home = HomeAccessOf(database, *owner, actor);
    if (home.ok()) {
      return Grant{.access = *home == Access::kRead ? Access::kRead : Access::kOwner,
                   .as_owner = true};
    }
    if (!GetError<AccessDenied>(home.status())) return home.status();
  }
  PODKIT_ASSIGN_OR_RETURN(const auto shared, SharedAccess(database, collection_id, actor));
  if (shared) {
    return Grant{.access = actor.read_only ? std::max(*shared, Access::kRead) : *shared};
  }
  // Who has none is not told what it is called.
  if (actor.share_uid.empty())
    return Denied(collection_id, actor, "has no share of", collection_id);
  return MakeError(NoSuchShare{.share_uid = actor.share_uid},
                   fmt::format("there is no share '{}' of collection '{}' for user '{}'",
                               actor.share_uid, collection_id, actor.uid));
}

absl::Status CheckReadAll(Database& database, const std::string& collection_id,
                          const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(const Grant grant, GrantOf(database, collection_id, actor));
  if (grant.access != Access::kBusy) return absl::OkStatus();
  return Denied(collection_id, actor, "may know when time is taken, and nothing else, of",
                TitleOf(database, collection_id));
}

absl::Status CheckWrite(Database& database, const std::string& collection_id, const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(const Grant grant, GrantOf(database, collection_id, actor));
  if (grant.access <= Access::kReadWrite) return absl::OkStatus();
  return Denied(collection_id, actor,
                grant.access == Access::kRead ? "may only read" : "may not change",
                TitleOf(database, collection_id));
}

absl::Status CheckWriteOwn(Database& database, const std::string& collection_id,
                           const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(const Grant grant, GrantOf(database, collection_id, actor));
  const bool viewer_reads = grant.access == Access::kRead && !grant.as_owner && !actor.read_only;
  return viewer_reads ? absl::OkStatus() : CheckWrite(database, collection_id, actor);
}

absl::StatusOr<Access> HomeAccessOf(Database& database, const std::string& home_uid,
                                    const Actor& actor) {
  if (actor.uid.empty() || actor.uid == home_uid) return Access::kOwner;
  PODKIT_ASSIGN_OR_RETURN(const auto delegated,
                          DelegateAccess(database, actor.uid, actor.directory));
  if (delegated) return *delegated;
  return MakeError(AccessDenied{.actor = actor.uid},
                   fmt::format("'{}' may not use the home of '{}'", actor.uid, home_uid));
}

absl::Status CheckHome(Database& database, const std::string& home_uid, const Actor& actor,
                       HomeUse use) {
  PODKIT_ASSIGN_OR_RETURN(const Access access, HomeAccessOf(database, home_uid, actor));
  if (use == HomeUse::kRead || access == Access::kOwner) return absl::OkStatus();
  if (use == HomeUse::kWrite && access == Access::kReadWrite) return absl::OkStatus();
  return MakeError(AccessDenied{.actor = actor.uid},
                   use == HomeUse::kWrite
                       ? fmt::format("'{}' may only read the home of '{}'", actor.uid, home_uid)
                       : fmt::format("'{}' may not say who uses the home of '{}': that is for {}",
                                     actor.uid, home_uid, home_uid));
}

std::string TitleOf(Database& database, const std::string& collection_id) {
  const auto title = database.QueryText(
      "SELECT iif(display_name = '', name, display_name) FROM bind"
      " WHERE collection_id = ? AND viewer_uid = owner_uid",
      {collection_id});
  if (!title.ok()) return collection_id;
  return title->value_or(collection_id);
}

CollectionInfo Limited(CollectionInfo info, Access home_access) {
  if (home_access == Access::kRead) info.access = std::max(info.access, Access::kRead);
  return info;
}

}  // namespace podkit::store
