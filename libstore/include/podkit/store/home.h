// A user's home: his own collections, and those that others share with him.
//
// The internal family answers from the user's file, the external family through the conduit; a
// caller cannot tell. Owner-thread. Must not outlive the Store it comes from. Every write is
// durable when it returns; what it means for other homes is delivered to them by messages, exactly
// once, as soon as their pods can be reached. Errors: see errors.h; AccessDenied unless the acting
// user is the home's, a delegate of his or the operator; PodUnavailable when the home's pod is
// down.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/free_busy.h"
#include "podkit/store/home_child.h"
#include "podkit/store/types.h"

namespace podkit::store {

class Home {
 public:
  virtual ~Home() = default;

  virtual const std::string& uid() const = 0;
  virtual absl::StatusOr<HomeInfo> Info() = 0;

  // Own collections and accepted shares.
  virtual absl::StatusOr<std::vector<std::string>> ListChildren() = 0;
  virtual absl::StatusOr<std::vector<CollectionInfo>> LoadChildren() = 0;
  virtual absl::StatusOr<CollectionInfo> FindChild(const CollectionKey& key) = 0;
  // A handle on the collection that FindChild finds.
  virtual absl::StatusOr<std::unique_ptr<HomeChild>> ChildWith(const CollectionKey& key) = 0;

  virtual absl::StatusOr<CollectionInfo> CreateChild(const std::string& name,
                                                     const CollectionProperties& properties) = 0;
  // Of a shared collection: the viewer's own name and colour for it.
  virtual absl::StatusOr<CollectionInfo> SetProperties(const std::string& name,
                                                       const CollectionProperties& properties) = 0;
  virtual absl::StatusOr<CollectionInfo> RenameChild(const std::string& name,
                                                     const std::string& new_name) = 0;
  // An own collection is deleted and taken back from everybody it is shared with; a shared one is
  // left, as by Decline.
  virtual absl::Status RemoveChild(const std::string& name) = 0;

  virtual absl::StatusOr<std::string> SyncToken() = 0;
  // `depth_infinity`: see HomeChanges. An empty token gives everything.
  virtual absl::StatusOr<HomeChanges> ChangesSince(const std::string& sync_token,
                                                   bool depth_infinity) = 0;

  // Of own collections and accepted shares, by name: one call to each pod that has some of them.
  virtual absl::StatusOr<std::vector<CollectionToken>> SyncTokens() = 0;

  // When this user's time is taken, as far as the acting user may know it: of the home's own and
  // shared collections for its user, of those shared with him for anybody else; AccessDenied if
  // there are none. One call to each pod that has some of them. TooManyResults.
  virtual absl::StatusOr<FreeBusy> FindFreeBusy(const FreeBusyQuery& query) = 0;

  // As owner, which a delegate is not. Invite also changes the access or the summary of a share,
  // and invites again who declined. `viewer_uid` may be a group of the directory: everybody in it
  // is invited, and whoever joins it later (see Store::FollowGroups). Who is invited himself too,
  // or through several groups, has the most of it. NoSuchUser.
  virtual absl::StatusOr<ShareInfo> Invite(const std::string& name, const std::string& viewer_uid,
                                           Access access, const std::string& summary) = 0;
  virtual absl::Status Uninvite(const std::string& name, const std::string& viewer_uid) = 0;
  // Everybody invited to own collection `name`, by viewer, and then the groups.
  virtual absl::StatusOr<std::vector<ShareInfo>> ListShares(const std::string& name) = 0;

  // As viewer. All shares that others offer, whatever their status.
  virtual absl::StatusOr<std::vector<ShareInfo>> ListInvitations() = 0;
  // Makes the collection show in this home as `name`; an empty one is chosen from the owner's name
  // for it. Accepting again changes nothing.
  virtual absl::StatusOr<CollectionInfo> Accept(const std::string& share_uid,
                                                const std::string& name) = 0;
  virtual absl::Status Decline(const std::string& share_uid) = 0;

  virtual absl::StatusOr<std::vector<Notification>> Notifications() = 0;
  virtual absl::Status RemoveNotification(const std::string& id) = 0;
  // An empty token gives all. InvalidSyncToken: start again from an empty one.
  virtual absl::StatusOr<NotificationChanges> NotificationChangesSince(
      const std::string& sync_token) = 0;

  // Who may act for the home's user: a user on any pod, or a group of the directory and so whoever
  // is in it (see Store::FollowGroups). A delegate uses the home as its user does, with kRead
  // without changing anything; but inviting and delegating are the owner's. What others share with
  // the home he uses in its user's name, which another pod believes the home's pod only. A change
  // holds when the call returns. NoSuchUser; NoSuchDelegate.
  virtual absl::StatusOr<std::vector<Delegate>> Delegates() = 0;
  virtual absl::StatusOr<Delegate> SetDelegate(const std::string& principal, Access access) = 0;
  virtual absl::Status RemoveDelegate(const std::string& principal) = 0;
  // By owner. From this home alone: the others' pods tell it of changes.
  virtual absl::StatusOr<std::vector<Delegator>> Delegators() = 0;
};

}  // namespace podkit::store
