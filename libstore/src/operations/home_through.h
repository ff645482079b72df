// A home each of whose remote actions is a call through `Caller`: RemoteCaller to another pod, or
// CountingCaller to an object of this one.
//
// What is no action stays with the class that is made of it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "podkit/store/home.h"

namespace podkit::store {

// Caller::Call<kMethod>(arguments...) gives what the method returns.
template <typename Caller>
class HomeThrough : public Home {
 public:
  absl::StatusOr<HomeInfo> Info() override { return caller_.template Call<&Home::Info>(); }
  absl::StatusOr<std::vector<std::string>> ListChildren() override {
    return caller_.template Call<&Home::ListChildren>();
  }
  absl::StatusOr<std::vector<CollectionInfo>> LoadChildren() override {
    return caller_.template Call<&Home::LoadChildren>();
  }
  absl::StatusOr<CollectionInfo> FindChild(const CollectionKey& key) override {
    return caller_.template Call<&Home::FindChild>(key);
  }
  absl::StatusOr<CollectionInfo> CreateChild(const std::string& name,
                                             const CollectionProperties& properties) override {
    return caller_.template Call<&Home::CreateChild>(name, properties);
  }
  absl::StatusOr<CollectionInfo> SetProperties(const std::string& name,
                                               const CollectionProperties& properties) override {
    return caller_.template Call<&Home::SetProperties>(name, properties);
  }
  absl::StatusOr<CollectionInfo> RenameChild(const std::string& name,
                                             const std::string& new_name) override {
    return caller_.template Call<&Home::RenameChild>(name, new_name);
  }
  absl::Status RemoveChild(const std::string& name) override {
    return caller_.template Call<&Home::RemoveChild>(name);
  }
  absl::StatusOr<std::string> SyncToken() override {
    return caller_.template Call<&Home::SyncToken>();
  }
  absl::StatusOr<HomeChanges> ChangesSince(const std::string& sync_token,
                                           bool depth_infinity) override {
    return caller_.template Call<&Home::ChangesSince>(sync_token, depth_infinity);
  }
  absl::StatusOr<ShareInfo> Invite(const std::string& name, const std::string& viewer_uid,
                                   Access access, const std::string& summary) override {
    return caller_.template Call<&Home::Invite>(name, viewer_uid, access, summary);
  }
  absl::Status Uninvite(const std::string& name, const std::string& viewer_uid) override {
    return caller_.template Call<&Home::Uninvite>(name, viewer_uid);
  }
  absl::StatusOr<std::vector<ShareInfo>> ListShares(const std::string& name) override {
    return caller_.template Call<&Home::ListShares>(name);
  }
  absl::StatusOr<std::vector<ShareInfo>> ListInvitations() override {
    return caller_.template Call<&Home::ListInvitations>();
  }
  absl::StatusOr<CollectionInfo> Accept(const std::string& share_uid,
                                        const std::string& name) override {
    return caller_.template Call<&Home::Accept>(share_uid, name);
  }
  absl::Status Decline(const std::string& share_uid) override {
    return caller_.template Call<&Home::Decline>(share_uid);
  }
  absl::StatusOr<std::vector<Notification>> Notifications() override {
    return caller_.template Call<&Home::Notifications>();
  }
  absl::Status RemoveNotification(const std::string& id) override {
    return caller_.template Call<&Home::RemoveNotification>(id);
  }
  absl::StatusOr<NotificationChanges> NotificationChangesSince(
      const std::string& sync_token) override {
    return caller_.template Call<&Home::NotificationChangesSince>(sync_token);
  }
  absl::StatusOr<std::vector<Delegate>> Delegates() override {
    return caller_.template Call<&Home::Delegates>();
  }
  absl::StatusOr<Delegate> SetDelegate(const std::string& principal, Access access) override {
    return caller_.template Call<&Home::SetDelegate>(principal, access);
  }
  absl::Status RemoveDelegate(const std::string& principal) override {
    return caller_.template Call<&Home::RemoveDelegate>(principal);
  }
  absl::StatusOr<std::vector<Delegator>> Delegators() override {
    return caller_.template Call<&Home::Delegators>();
  }

 protected:
  explicit HomeThrough(Caller caller) : caller_(std::move(caller)) {}
  const Caller& caller() const { return caller_; }

 private:
  const Caller caller_;
};

}  // namespace podkit::store
