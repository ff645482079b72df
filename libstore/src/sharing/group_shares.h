// The rows of `group_share`: groups of the directory that are invited to a collection.
//
// All functions run inside of UserStore::Read or Write.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/types.h"
#include "podkit/store/user_directory.h"
#include "sqlite/database.h"

namespace podkit::store {

struct GroupShare {
  std::string collection_id;
  std::string group_id;
  Access access = Access::kRead;
  std::string summary;
};

// By group.
absl::StatusOr<std::vector<GroupShare>> LoadGroupShares(Database& database,
                                                        std::string_view collection_id);
absl::Status SaveGroupShare(Database& database, const GroupShare& share, absl::Time now);
// False if there is none.
absl::StatusOr<bool> DeleteGroupShare(Database& database, std::string_view collection_id,
                                      std::string_view group_id);

// The most that a user may: what he was given himself, and what the groups are given that he is in
// now. Nothing if that is nothing.
absl::StatusOr<std::optional<Access>> BestAccess(Database& database, std::string_view collection_id,
                                                 std::string_view viewer_uid,
                                                 std::optional<Access> own_access,
                                                 const UserDirectory* directory);

// Own collections of which a group is or was a viewer.
absl::StatusOr<std::vector<std::string>> CollectionsOfGroups(Database& database);

}  // namespace podkit::store
