// The home of a user who lives on this pod: answers from the user's file.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "answers/answer_keeper.h"
#include "context.h"
#include "internal/rights.h"
#include "podkit/store/home.h"
#include "sharing/binds.h"
#include "sqlite/user_store.h"

namespace podkit::store {

// The file of `uid`, who lives here; with the home's first collection, made if the home is new.
absl::StatusOr<std::shared_ptr<UserStore>> OpenHomeStore(const Context& context,
                                                         const std::string& uid);

// NoSuchUser; HomeElsewhere.
absl::Status CheckHomeIsHere(const Context& context, const std::string& uid);

// Brings the home of `uid`, who lives here, in line with the directory's groups.
absl::Status FollowGroups(const Context& context, const std::string& uid);

class InternalHome final : public Home {
 public:
  // `context` must outlive the home. `keeper` goes with the one call for which the home is opened.
  static absl::StatusOr<std::unique_ptr<InternalHome>> Open(const Context& context,
                                                            const std::string& uid,
                                                            const std::string& actor,
                                                            AnswerKeeper keeper = {});

  const std::string& uid() const override { return store_->uid(); }
  absl::StatusOr<HomeInfo> Info() override;

  absl::StatusOr<std::vector<std::string>> ListChildren() override;
  absl::StatusOr<std::vector<CollectionInfo>> LoadChildren() override;
  absl::StatusOr<CollectionInfo> FindChild(const CollectionKey& key) override;
  absl::StatusOr<std::unique_ptr<HomeChild>> ChildWith(const CollectionKey& key) override;
  absl::StatusOr<CollectionInfo> CreateChild(const std::string& name,
                                             const CollectionProperties& properties) override;
  absl::StatusOr<CollectionInfo> SetProperties(const std::string& name,
                                               const CollectionProperties& properties) override;
  absl::StatusOr<CollectionInfo> RenameChild(const std::string& name,
                                             const std::string& new_name) override;
  absl::Status RemoveChild(const std::string& name) override;

  absl::StatusOr<std::string> SyncToken() override;
  absl::StatusOr<HomeChanges> ChangesSince(const std::string& sync_token,
                                           bool depth_infinity) override;

  absl::StatusOr<std::vector<CollectionToken>> SyncTokens() override;
  absl::StatusOr<FreeBusy> FindFreeBusy(const FreeBusyQuery& query) override;

  absl::StatusOr<ShareInfo> Invite(const std::string& name, const std::string& viewer_uid,
                                   Access access, const std::string& summary) override;
  absl::Status Uninvite(const std::string& name, const std::string& viewer_uid) override;
  absl::StatusOr<std::vector<ShareInfo>> ListShares(const std::string& name) override;
  absl::StatusOr<std::vector<ShareInfo>> ListInvitations() override;
  absl::StatusOr<CollectionInfo> Accept(const std::string& share_uid,
                                        const std::string& name) override;
  absl::Status Decline(const std::string& share_uid) override;
  absl::StatusOr<std::vector<Notification>> Notifications() override;
  absl::Status RemoveNotification(const std::string& id) override;
  absl::StatusOr<NotificationChanges> NotificationChangesSince(
      const std::string& sync_token) override;

  absl::StatusOr<std::vector<Delegate>> Delegates() override;
  absl::StatusOr<Delegate> SetDelegate(const std::string& principal, Access access) override;
  absl::Status RemoveDelegate(const std::string& principal) override;
  absl::StatusOr<std::vector<Delegator>> Delegators() override;

 private:
  InternalHome(const Context& context, std::shared_ptr<UserStore> store, std::string actor,
               AnswerKeeper keeper)
      : context_(context), store_(std::move(store)), actor_(std::move(actor)), keeper_(keeper) {}

  // A transaction on the home's file in the name of the actor: AccessDenied unless he may use this
  // home.
  absl::Status Read(const std::function<absl::Status(Database&)>& body) const;
  // The same that writes. `body` returns the StatusOr that is the answer of the method: it is kept
  // with what was written.
  template <typename Body>
  std::invoke_result_t<Body, Database&> Write(HomeUse use, const Body& body) const;
  // A Write that may put messages into the outbox.
  template <typename Body>
  std::invoke_result_t<Body, Database&> Post(HomeUse use, const Body& body) const;
  // What FindChild answers. For use inside of a transaction.
  absl::StatusOr<CollectionInfo> Describe(Database& database, const CollectionKey& key) const;
  Actor ActorHere() const;
  absl::Status Check(HomeUse use) const;
  // Whether the principal is a group; NoSuchUser.
  absl::StatusOr<bool> IsGroup(const std::string& principal) const;

  const Context& context_;
  const std::shared_ptr<UserStore> store_;
  const std::string actor_;
  const AnswerKeeper keeper_;
};

}  // namespace podkit::store
