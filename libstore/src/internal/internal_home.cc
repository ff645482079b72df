#include "internal/internal_home.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "common/status_macros.h"
#include "home_collections.h"
#include "internal/collections.h"
#include "internal/rights.h"
#include "names.h"
#include "operations/operation_counters.h"
#include "podkit/store/errors.h"
#include "sharing/delegates.h"
#include "sharing/group_shares.h"
#include "sharing/invitations.h"
#include "sharing/notifications.h"

namespace podkit::store {
namespace {

constexpr char kFirstCollection[] = "calendar";

// True while nothing ever happened in the home.
absl::StatusOr<bool> IsNew(Database& database) {
  PODKIT_ASSIGN_OR_RETURN(const auto revision, database.QueryInteger("SELECT revision FROM home"));
  return revision.value_or(0) == 0;
}

// The answer of a method that has nothing to say.
absl::StatusOr<conduit::Nothing> Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return conduit::Nothing{};
}

}  // namespace

absl::Status CheckHomeIsHere(const Context& context, const std::string& uid) {
  PODKIT_ASSIGN_OR_RETURN(const std::string pod, PodOf(context, uid));
  if (pod == context.pod_id) return absl::OkStatus();
  return MakeError(HomeElsewhere{.uid = uid, .pod = pod},
                   fmt::format("the home of '{}' lives on pod '{}'", uid, pod));
}

absl::StatusOr<std::shared_ptr<UserStore>> OpenHomeStore(const Context& context,
                                                         const std::string& uid) {
  PODKIT_ASSIGN_OR_RETURN(auto store, context.stores->Get(uid));
  bool is_new = false;
  PODKIT_RETURN_IF_ERROR(store->Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(is_new, IsNew(database));
    return absl::OkStatus();
  }));
  if (is_new) {
    PODKIT_RETURN_IF_ERROR(store->Write([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(const bool still_new, IsNew(database));
      if (!still_new) return absl::OkStatus();
      return CreateCollection(database, uid, kFirstCollection, {}, context.Now()).status();
    }));
  }
  return store;
}

absl::StatusOr<std::unique_ptr<InternalHome>> InternalHome::Open(const Context& context,
                                                                 const std::string& uid,
                                                                 const std::string& actor,
                                                                 AnswerKeeper keeper) {
  PODKIT_ASSIGN_OR_RETURN(auto store, OpenHomeStore(context, uid));
  return std::unique_ptr<InternalHome>(new InternalHome(context, std::move(store), actor, keeper));
}

Actor InternalHome::ActorHere() const {
  return {.uid = actor_, .directory = context_.directory.get()};
}

absl::Status InternalHome::Check(HomeUse use) const {
  return store_->Read(
      [&](Database& database) { return CheckHome(database, uid(), ActorHere(), use); });
}

absl::Status InternalHome::Read(const std::function<absl::Status(Database&)>& body) const {
  return store_->Read([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(CheckHome(database, uid(), ActorHere(), HomeUse::kRead));
    return body(database);
  });
}

template <typename Body>
std::invoke_result_t<Body, Database&> InternalHome::Write(HomeUse use, const Body& body) const {
  std::invoke_result_t<Body, Database&> answer = absl::UnknownError("");
  const absl::Status status = store_->Write([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(CheckHome(database, uid(), ActorHere(), use));
    answer = body(database);
    PODKIT_RETURN_IF_ERROR(answer.status());
    return keeper_.Keep(database, *answer);
  });
  if (!status.ok()) return status;
  return answer;
}

template <typename Body>
std::invoke_result_t<Body, Database&> InternalHome::Post(HomeUse use, const Body& body) const {
  // Who has no right does not wake the postman.
  PODKIT_RETURN_IF_ERROR(Check(use));
  std::invoke_result_t<Body, Database&> answer = absl::UnknownError("");
  const absl::Status status = context_.postman->Post(uid(), [&] {
    answer = Write(use, body);
    return answer.status();
  });
  if (!status.ok()) return status;
  return answer;
}

absl::StatusOr<bool> InternalHome::IsGroup(const std::string& principal) const {
  if (context_.directory->FindGroup(principal).ok()) return true;
  PODKIT_RETURN_IF_ERROR(PodOf(context_, principal).status());
  return false;
}

absl::StatusOr<HomeInfo> InternalHome::Info() {
  HomeInfo info = {.uid = uid(), .pod = context_.pod_id};
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const auto created,
                            database.QueryInteger("SELECT created_at FROM home"));
    info.created = FromSqlTime(created.value_or(0));
    return absl::OkStatus();
  }));
  return info;
}

absl::StatusOr<std::vector<std::string>> InternalHome::ListChildren() {
  std::vector<std::string> names;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const auto binds, ShownBinds(database));
    for (const Bind& bind : binds) names.push_back(*bind.name);
    return absl::OkStatus();
  }));
  return names;
}

absl::StatusOr<std::vector<CollectionInfo>> InternalHome::LoadChildren() {
  std::vector<CollectionInfo> children;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const Access access, HomeAccessOf(database, uid(), ActorHere()));
    PODKIT_ASSIGN_OR_RETURN(children, DescribeShown(database));
    for (CollectionInfo& child : children) child = Limited(std::move(child), access);
    return absl::OkStatus();
  }));
  return children;
}

absl::StatusOr<CollectionInfo> InternalHome::FindChild(const CollectionKey& key) {
  CollectionInfo info;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(info, Describe(database, key));
    return absl::OkStatus();
  }));
  return info;
}

absl::StatusOr<CollectionInfo> InternalHome::Describe(Database& database,
                                                      const CollectionKey& key) const {
  PODKIT_ASSIGN_OR_RETURN(const Access access, HomeAccessOf(database, uid(), ActorHere()));
  PODKIT_ASSIGN_OR_RETURN(const Bind bind, FindShownBind(database, uid(), key));
  PODKIT_ASSIGN_OR_RETURN(CollectionInfo info, DescribeCollection(database, bind));
  return Limited(std::move(info), access);
}

absl::StatusOr<std::unique_ptr<HomeChild>> InternalHome::ChildWith(const CollectionKey& key) {
  PODKIT_ASSIGN_OR_RETURN(CollectionInfo info, FindChild(key));
  if (info.share_uid.empty()) return OpenChild(context_, std::move(info), ActorHere());
  // What is shared with this home is used in its user's name, whoever looks at the home.
  Actor actor = {.uid = uid(), .share_uid = info.share_uid, .directory = context_.directory.get()};
  if (!actor_.empty() && actor_ != uid()) {
    actor.delegate_uid = actor_;
    PODKIT_RETURN_IF_ERROR(store_->Read([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(const Access access, HomeAccessOf(database, uid(), ActorHere()));
      actor.read_only = access == Access::kRead;
      return absl::OkStatus();
    }));
  }
  return OpenChild(context_, std::move(info), actor);
}

absl::StatusOr<CollectionInfo> InternalHome::CreateChild(const std::string& name,
                                                         const CollectionProperties& properties) {
  return Write(HomeUse::kWrite, [&](Database& database) -> absl::StatusOr<CollectionInfo> {
    PODKIT_ASSIGN_OR_RETURN(const Bind bind,
                            CreateCollection(database, uid(), name, properties, context_.Now()));
    return DescribeCollection(database, bind);
  });
}

absl::StatusOr<CollectionInfo> InternalHome::SetProperties(const std::string& name,
                                                           const CollectionProperties& properties) {
  return Write(HomeUse::kWrite, [&](Database& database) -> absl::StatusOr<CollectionInfo> {
    PODKIT_ASSIGN_OR_RETURN(Bind bind, FindShownBind(database, uid(), {.name = name}));
    PODKIT_RETURN_IF_ERROR(ChangeProperties(database, std::move(bind), properties, context_.Now()));
    return Describe(database, {.name = name});
  });
}

absl::StatusOr<CollectionInfo> InternalHome::RenameChild(const std::string& name,
                                                         const std::string& new_name) {
  return Write(HomeUse::kWrite, [&](Database& database) -> absl::StatusOr<CollectionInfo> {
    PODKIT_ASSIGN_OR_RETURN(Bind bind, FindShownBind(database, uid(), {.name = name}));
    PODKIT_RETURN_IF_ERROR(RenameCollection(database, std::move(bind), new_name, context_.Now()));
    return Describe(database, {.name = new_name});
  });
}

absl::Status InternalHome::RemoveChild(const std::string& name) {
  return Post(HomeUse::kWrite,
              [&](Database& database) -> absl::StatusOr<conduit::Nothing> {
                PODKIT_ASSIGN_OR_RETURN(const Bind bind,
                                        FindShownBind(database, uid(), {.name = name}));
                if (!bind.own())
                  return Done(DeclineShare(database, uid(), bind.share_uid, context_.Now()));
                PODKIT_RETURN_IF_ERROR(UninviteAll(database, bind, context_.Now()));
                return Done(DeleteCollection(database, bind));
              })
      .status();
}

absl::StatusOr<std::string> InternalHome::SyncToken() {
  std::string token;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(token, HomeSyncToken(database));
    return absl::OkStatus();
  }));
  return token;
}

absl::StatusOr<HomeChanges> InternalHome::ChangesSince(const std::string& sync_token,
                                                       bool depth_infinity) {
  HomeChanges changes;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(changes, HomeChangesSince(database, sync_token, depth_infinity));
    return absl::OkStatus();
  }));
  return changes;
}

absl::StatusOr<std::vector<CollectionToken>> InternalHome::SyncTokens() {
  // No operation, but made of two that are.
  PODKIT_ASSIGN_OR_RETURN(
      const auto children,
      context_.operations->Run<ActionOf<&Home::LoadChildren>>([&] { return LoadChildren(); }));
  return SyncTokensOf(context_, uid(), actor_, children);
}

absl::StatusOr<FreeBusy> InternalHome::FindFreeBusy(const FreeBusyQuery& query) {
  return FreeBusyOfHome(context_, uid(), actor_, query);
}

absl::StatusOr<ShareInfo> InternalHome::Invite(const std::string& name,
                                               const std::string& viewer_uid, Access access,
                                               const std::string& summary) {
  PODKIT_RETURN_IF_ERROR(Check(HomeUse::kManage));
  if (access == Access::kOwner || viewer_uid == uid() || summary.size() > kMaxPropertyBytes) {
    return MakeError(InvalidRequest{},
                     fmt::format("invite somebody else than '{}', with access read-write, read or "
                                 "busy, and a summary of at most {} bytes",
                                 uid(), kMaxPropertyBytes));
  }
  PODKIT_ASSIGN_OR_RETURN(const bool is_group, IsGroup(viewer_uid));
  if (is_group) PODKIT_RETURN_IF_ERROR(context_.stores->MarkGroupUser(uid()));
  const Terms terms = {.access = access, .summary = summary};
  const UserDirectory& directory = *context_.directory;
  return Post(HomeUse::kManage, [&](Database& database) -> absl::StatusOr<ShareInfo> {
    PODKIT_ASSIGN_OR_RETURN(const Bind own, FindOwnBind(database, uid(), name));
    if (is_group) {
      PODKIT_RETURN_IF_ERROR(
          InviteGroup(database, own, viewer_uid, terms, directory, context_.Now()));
      return ToShareInfo(own, {.group_id = viewer_uid, .access = access, .summary = summary});
    }
    PODKIT_ASSIGN_OR_RETURN(
        const Bind bind, InviteViewer(database, own, viewer_uid, terms, directory, context_.Now()));
    return ToShareInfo(bind);
  });
}

absl::Status InternalHome::Uninvite(const std::string& name, const std::string& viewer_uid) {
  // Also who, or what, the directory does not know any more.
  const UserDirectory& directory = *context_.directory;
  const bool is_user = directory.Find(viewer_uid).ok();
  return Post(HomeUse::kManage,
              [&](Database& database) -> absl::StatusOr<conduit::Nothing> {
                PODKIT_ASSIGN_OR_RETURN(const Bind own, FindOwnBind(database, uid(), name));
                PODKIT_ASSIGN_OR_RETURN(const auto groups,
                                        LoadGroupShares(database, own.collection_id));
                const bool is_group = !is_user && std::any_of(groups.begin(), groups.end(),
                                                              [&](const GroupShare& group) {
                                                                return group.group_id == viewer_uid;
                                                              });
                return Done(
                    is_group
                        ? UninviteGroup(database, own, viewer_uid, directory, context_.Now())
                        : UninviteViewer(database, own, viewer_uid, directory, context_.Now()));
              })
      .status();
}

absl::StatusOr<std::vector<ShareInfo>> InternalHome::ListShares(const std::string& name) {
  std::vector<ShareInfo> shares;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const Bind own, FindOwnBind(database, uid(), name));
    PODKIT_ASSIGN_OR_RETURN(const auto binds, BindsOfOthers(database, own.collection_id));
    for (const Bind& bind : binds) {
      shares.push_back(ToShareInfo(bind));
      shares.back().display_name = own.display_name;
      shares.back().through_group = !bind.own_access.has_value();
    }
    PODKIT_ASSIGN_OR_RETURN(const auto groups, LoadGroupShares(database, own.collection_id));
    for (const GroupShare& group : groups) shares.push_back(ToShareInfo(own, group));
    return absl::OkStatus();
  }));
  return shares;
}

absl::StatusOr<std::vector<ShareInfo>> InternalHome::ListInvitations() {
  std::vector<ShareInfo> shares;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const auto binds, BindsFromOthers(database, uid()));
    for (const Bind& bind : binds) shares.push_back(ToShareInfo(bind));
    return absl::OkStatus();
  }));
  return shares;
}

absl::StatusOr<CollectionInfo> InternalHome::Accept(const std::string& share_uid,
                                                    const std::string& name) {
  PODKIT_RETURN_IF_ERROR(Check(HomeUse::kWrite));
  if (!name.empty()) PODKIT_RETURN_IF_ERROR(CheckName("a collection", name));
  return Post(HomeUse::kWrite, [&](Database& database) -> absl::StatusOr<CollectionInfo> {
    PODKIT_ASSIGN_OR_RETURN(const Bind bind,
                            AcceptShare(database, uid(), share_uid, name, context_.Now()));
    return DescribeCollection(database, bind);
  });
}

absl::Status InternalHome::Decline(const std::string& share_uid) {
  return Post(HomeUse::kWrite,
              [&](Database& database) {
                return Done(DeclineShare(database, uid(), share_uid, context_.Now()));
              })
      .status();
}

absl::StatusOr<std::vector<Notification>> InternalHome::Notifications() {
  std::vector<Notification> notifications;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(notifications, LoadNotifications(database));
    return absl::OkStatus();
  }));
  return notifications;
}

absl::Status InternalHome::RemoveNotification(const std::string& id) {
  return Write(HomeUse::kWrite,
               [&](Database& database) -> absl::StatusOr<conduit::Nothing> {
                 PODKIT_ASSIGN_OR_RETURN(const bool found, DeleteNotificationById(database, id));
                 if (found) return conduit::Nothing{};
                 return MakeError(
                     NoSuchNotification{.id = id},
                     fmt::format("the home of '{}' has no notification '{}'", uid(), id));
               })
      .status();
}

absl::StatusOr<NotificationChanges> InternalHome::NotificationChangesSince(
    const std::string& sync_token) {
  NotificationChanges changes;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(changes, LoadNotificationsSince(database, sync_token));
    return absl::OkStatus();
  }));
  return changes;
}

absl::StatusOr<std::vector<Delegate>> InternalHome::Delegates() {
  std::vector<Delegate> delegates;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(delegates, LoadDelegates(database));
    return absl::OkStatus();
  }));
  return delegates;
}

absl::StatusOr<Delegate> InternalHome::SetDelegate(const std::string& principal, Access access) {
  PODKIT_RETURN_IF_ERROR(Check(HomeUse::kManage));
  if (principal == uid() || (access != Access::kReadWrite && access != Access::kRead)) {
    return MakeError(InvalidRequest{},
                     fmt::format("a delegate is somebody else than '{}', with access read-write or "
                                 "read",
                                 uid()));
  }
  Delegate delegate = {.principal = principal, .access = access};
  PODKIT_ASSIGN_OR_RETURN(delegate.is_group, IsGroup(principal));
  if (delegate.is_group) PODKIT_RETURN_IF_ERROR(context_.stores->MarkGroupUser(uid()));
  return Post(HomeUse::kManage, [&](Database& database) -> absl::StatusOr<Delegate> {
    PODKIT_RETURN_IF_ERROR(SaveDelegate(database, delegate, context_.Now()));
    PODKIT_RETURN_IF_ERROR(TellDelegates(database, uid(), *context_.directory, context_.Now()));
    return delegate;
  });
}

absl::Status InternalHome::RemoveDelegate(const std::string& principal) {
  return Post(HomeUse::kManage,
              [&](Database& database) -> absl::StatusOr<conduit::Nothing> {
                PODKIT_ASSIGN_OR_RETURN(const bool found, DeleteDelegate(database, principal));
                if (found)
                  return Done(TellDelegates(database, uid(), *context_.directory, context_.Now()));
                return MakeError(NoSuchDelegate{.principal = principal},
                                 fmt::format("'{}' is no delegate of '{}'", principal, uid()));
              })
      .status();
}

absl::StatusOr<std::vector<Delegator>> InternalHome::Delegators() {
  std::vector<Delegator> delegators;
  PODKIT_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(delegators, LoadDelegators(database));
    return absl::OkStatus();
  }));
  return delegators;
}

absl::Status FollowGroups(const Context& context, const std::string& uid) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, context.stores->GetExisting(uid));
  return context.postman->Post(uid, [&] {
    return store->Write([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(const auto collections, CollectionsOfGroups(database));
      for (const std::string& id : collections) {
        PODKIT_ASSIGN_OR_RETURN(const auto own, FindBindByViewer(database, id, uid));
        if (!own) continue;
        PODKIT_RETURN_IF_ERROR(FollowMembership(database, *own, *context.directory, context.Now()));
      }
      return TellDelegates(database, uid, *context.directory, context.Now());
    });
  });
}

}  // namespace podkit::store
