#include "sharing/group_shares.h"

#include <algorithm>

#include "common/status_macros.h"

namespace podkit::store {

absl::StatusOr<std::vector<GroupShare>> LoadGroupShares(Database& database,
                                                        std::string_view collection_id) {
  std::vector<GroupShare> shares;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT collection_id, group_id, access, summary FROM group_share WHERE collection_id = ?"
      " ORDER BY group_id",
      {collection_id}, [&](const Row& row) {
        shares.push_back(
            {.collection_id = row.Text(0),
             .group_id = row.Text(1),
             .access = conduit::EnumFromName<Access>(row.Text(2)).value_or(Access::kBusy),
             .summary = row.Text(3)});
      }));
  return shares;
}

absl::Status SaveGroupShare(Database& database, const GroupShare& share, absl::Time now) {
  return database.Execute(
      "INSERT OR REPLACE INTO group_share (collection_id, group_id, access, summary, modified_at)"
      " VALUES (?, ?, ?, ?, ?)",
      {share.collection_id, share.group_id, conduit::EnumName(share.access), share.summary,
       ToSqlTime(now)});
}

absl::StatusOr<bool> DeleteGroupShare(Database& database, std::string_view collection_id,
                                      std::string_view group_id) {
  PODKIT_RETURN_IF_ERROR(
      database.Execute("DELETE FROM group_share WHERE collection_id = ? AND group_id = ?",
                       {collection_id, group_id}));
  return database.changes() > 0;
}

absl::StatusOr<std::optional<Access>> BestAccess(Database& database, std::string_view collection_id,
                                                 std::string_view viewer_uid,
                                                 std::optional<Access> own_access,
                                                 const UserDirectory* directory) {
  if (directory == nullptr) return own_access;
  PODKIT_ASSIGN_OR_RETURN(const auto shares, LoadGroupShares(database, collection_id));
  std::optional<Access> best = own_access;
  for (const GroupShare& share : shares) {
    if (!directory->IsIn(share.group_id, viewer_uid)) continue;
    best = std::min(best.value_or(share.access), share.access);
  }
  return best;
}

absl::StatusOr<std::vector<std::string>> CollectionsOfGroups(Database& database) {
  std::vector<std::string> ids;
  PODKIT_RETURN_IF_ERROR(
      database.Query("SELECT collection_id FROM group_share UNION SELECT collection_id FROM bind"
                     " WHERE own_access IS NULL AND viewer_uid <> owner_uid"
                     " AND owner_uid = (SELECT uid FROM home)",
                     {}, [&](const Row& row) { ids.push_back(row.Text(0)); }));
  return ids;
}

}  // namespace podkit::store
