// What owner and viewer do with a share, each in the transaction of his own file; the other side is
// told by a message in the same transaction.
//
// All functions run inside of UserStore::Write, within Postman::Post.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/types.h"
#include "podkit/store/user_directory.h"
#include "sharing/binds.h"
#include "sqlite/database.h"

namespace podkit::store {

// Owner. `own` is his own bind of the collection.
struct Terms {
  Access access = Access::kRead;
  std::string summary;
};
absl::StatusOr<Bind> InviteViewer(Database& database, const Bind& own,
                                  const std::string& viewer_uid, const Terms& terms,
                                  const UserDirectory& directory, absl::Time now);
// NoSuchShare if the user is not invited himself.
absl::Status UninviteViewer(Database& database, const Bind& own, const std::string& viewer_uid,
                            const UserDirectory& directory, absl::Time now);
absl::Status InviteGroup(Database& database, const Bind& own, const std::string& group_id,
                         const Terms& terms, const UserDirectory& directory, absl::Time now);
// NoSuchShare if the group is not invited.
absl::Status UninviteGroup(Database& database, const Bind& own, const std::string& group_id,
                           const UserDirectory& directory, absl::Time now);
// Invites who is in an invited group, changes the terms and takes back as membership has it now.
absl::Status FollowMembership(Database& database, const Bind& own, const UserDirectory& directory,
                              absl::Time now);
absl::Status UninviteAll(Database& database, const Bind& own, absl::Time now);
// Takes the share `bind` back.
absl::Status SendUninvite(Database& database, const Bind& bind, absl::Time now);
// Tells the viewer of `bind`, which may be of a greater generation than its row, its terms once
// more; `anew`: and asks him, whatever his answer was. NoSuchCollection.
absl::Status InviteAgain(Database& database, Bind bind, bool anew, absl::Time now);

// Viewer. An empty name is chosen from the owner's. NoSuchShare if there is no such invitation.
absl::StatusOr<Bind> AcceptShare(Database& database, const std::string& viewer_uid,
                                 const std::string& share_uid, const std::string& name,
                                 absl::Time now);
absl::Status DeclineShare(Database& database, const std::string& viewer_uid,
                          const std::string& share_uid, absl::Time now);
// Tells the owner of `bind` what was answered.
absl::Status SendReply(Database& database, const Bind& bind, absl::Time now);

}  // namespace podkit::store
