// A home that lives on another pod. Its own collections are external ones.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "external/remote_caller.h"
#include "home_collections.h"
#include "podkit/store/home.h"

namespace podkit::store {

class ExternalHome final : public Home {
 public:
  ExternalHome(const Context& context, const std::string& uid, const std::string& actor)
      : remote_(context, {.homeUID = uid}, {.uid = actor}) {}

  const std::string& uid() const override { return remote_.target().homeUID; }

  absl::StatusOr<std::unique_ptr<HomeChild>> ChildWith(const CollectionKey& key) override {
    auto info = FindChild(key);
    if (!info.ok()) return std::move(info).status();
    Actor actor = {.uid = remote_.actor().uid, .directory = remote_.context().directory.get()};
    if (!info->share_uid.empty()) {
      // What is shared with this home is used in its user's name, whoever looks at the home. How
      // much of that a delegate may do shows in the access that he was told: one who may not write
      // leaves what his owner keeps for himself alone.
      if (!actor.uid.empty() && actor.uid != uid()) {
        actor.delegate_uid = actor.uid;
        actor.read_only = info->access != Access::kReadWrite;
      }
      actor.uid = uid();
      actor.share_uid = info->share_uid;
    }
    return OpenChild(remote_.context(), *std::move(info), actor);
  }

  absl::StatusOr<HomeInfo> Info() override { return remote_.Send<&Home::Info>(); }
  absl::StatusOr<std::vector<std::string>> ListChildren() override {
    return remote_.Send<&Home::ListChildren>();
  }
  absl::StatusOr<std::vector<CollectionInfo>> LoadChildren() override {
    return remote_.Send<&Home::LoadChildren>();
  }
  absl::StatusOr<CollectionInfo> FindChild(const CollectionKey& key) override {
    return remote_.Send<&Home::FindChild>(key);
  }
  absl::StatusOr<CollectionInfo> CreateChild(const std::string& name,
                                             const CollectionProperties& properties) override {
    return remote_.Send<&Home::CreateChild>(name, properties);
  }
  absl::StatusOr<CollectionInfo> SetProperties(const std::string& name,
                                               const CollectionProperties& properties) override {
    return remote_.Send<&Home::SetProperties>(name, properties);
  }
  absl::StatusOr<CollectionInfo> RenameChild(const std::string& name,
                                             const std::string& new_name) override {
    return remote_.Send<&Home::RenameChild>(name, new_name);
  }
  absl::Status RemoveChild(const std::string& name) override {
    return remote_.Send<&Home::RemoveChild>(name);
  }
  absl::StatusOr<std::string> SyncToken() override { return remote_.Send<&Home::SyncToken>(); }
  absl::StatusOr<HomeChanges> ChangesSince(const std::string& sync_token,
                                           bool depth_infinity) override {
    return remote_.Send<&Home::ChangesSince>(sync_token, depth_infinity);
  }
  absl::StatusOr<std::vector<CollectionToken>> SyncTokens() override {
    auto children = LoadChildren();
    if (!children.ok()) return std::move(children).status();
    return SyncTokensOf(remote_.context(), uid(), remote_.actor().uid, *children);
  }
  absl::StatusOr<FreeBusy> FindFreeBusy(const FreeBusyQuery& query) override {
    return FreeBusyOfHome(remote_.context(), uid(), remote_.actor().uid, query);
  }
  absl::StatusOr<ShareInfo> Invite(const std::string& name, const std::string& viewer_uid,
                                   Access access, const std::string& summary) override {
    return remote_.Send<&Home::Invite>(name, viewer_uid, access, summary);
  }
  absl::Status Uninvite(const std::string& name, const std::string& viewer_uid) override {
    return remote_.Send<&Home::Uninvite>(name, viewer_uid);
  }
  absl::StatusOr<std::vector<ShareInfo>> ListShares(const std::string& name) override {
    return remote_.Send<&Home::ListShares>(name);
  }
  absl::StatusOr<std::vector<ShareInfo>> ListInvitations() override {
    return remote_.Send<&Home::ListInvitations>();
  }
  absl::StatusOr<CollectionInfo> Accept(const std::string& share_uid,
                                        const std::string& name) override {
    return remote_.Send<&Home::Accept>(share_uid, name);
  }
  absl::Status Decline(const std::string& share_uid) override {
    return remote_.Send<&Home::Decline>(share_uid);
  }
  absl::StatusOr<std::vector<Notification>> Notifications() override {
    return remote_.Send<&Home::Notifications>();
  }
  absl::Status RemoveNotification(const std::string& id) override {
    return remote_.Send<&Home::RemoveNotification>(id);
  }
  absl::StatusOr<NotificationChanges> NotificationChangesSince(
      const std::string& sync_token) override {
    return remote_.Send<&Home::NotificationChangesSince>(sync_token);
  }
  absl::StatusOr<std::vector<Delegate>> Delegates() override {
    return remote_.Send<&Home::Delegates>();
  }
  absl::StatusOr<Delegate> SetDelegate(const std::string& principal, Access access) override {
    return remote_.Send<&Home::SetDelegate>(principal, access);
  }
  absl::Status RemoveDelegate(const std::string& principal) override {
    return remote_.Send<&Home::RemoveDelegate>(principal);
  }
  absl::StatusOr<std::vector<Delegator>> Delegators() override {
    return remote_.Send<&Home::Delegators>();
  }

 private:
  const RemoteCaller remote_;
};

}  // namespace podkit::store
