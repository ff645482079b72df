#include "sharing/invitations.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "ids.h"
#include "messages/message.h"
#include "podkit/store/errors.h"
#include "podkit/store/home_child.h"
#include "sharing/group_shares.h"
#include "sharing/notifications.h"
#include "sharing/share_messages.h"
#include "sqlite/user_store.h"

namespace podkit::store {
namespace {

absl::Status SendInvite(Database& database, const Bind& own, const Bind& bind, absl::Time now) {
  const ShareInvite invite = {.share_uid = bind.share_uid,
                              .collection_id = bind.collection_id,
                              .access = bind.access,
                              .generation = bind.generation,
                              .summary = bind.summary,
                              .display_name = own.display_name,
                              .color = own.color,
                              .description = own.description,
                              .components = own.components};
  return Enqueue(database, now, bind.viewer_uid, std::string(ShareInvite::kKind),
                 conduit::ToJson(invite));
}

absl::StatusOr<Bind> FindInvitation(Database& database, const std::string& viewer_uid,
                                    const std::string& share_uid) {
  PODKIT_ASSIGN_OR_RETURN(auto bind, FindBindByShare(database, share_uid));
  if (!bind || bind->own() || bind->viewer_uid != viewer_uid) {
    return MakeError(NoSuchShare{.share_uid = share_uid},
                     fmt::format("'{}' has no invitation '{}': it may have been taken back",
                                 viewer_uid, share_uid));
  }
  return *std::move(bind);
}

// A name for the accepted collection that the home does not have yet.
absl::StatusOr<std::string> ChooseName(Database& database, const Bind& bind) {
  const std::string wanted = IsValidName(bind.display_name) ? bind.display_name : bind.share_uid;
  std::string name = wanted;
  for (int number = 2;; ++number) {
    PODKIT_ASSIGN_OR_RETURN(const auto taken, FindBindByName(database, name));
    if (!taken) return name;
    name = fmt::format("{}-{}", wanted, number);
    if (!IsValidName(name)) name = fmt::format("{}-{}", bind.share_uid, number);
  }
}

Bind NewBind(const Bind& own, const std::string& viewer_uid, absl::Time now) {
  return {.share_uid = NewId(),
          .collection_id = own.collection_id,
          .owner_uid = own.owner_uid,
          .viewer_uid = viewer_uid,
          .status = ShareStatus::kDeclined,
          .display_name = own.display_name,
          .created = now};
}

// Offers the share on these terms; anew if it was declined.
absl::Status Ask(Database& database, const Bind& own, const Terms& terms, absl::Time now,
                 Bind* bind) {
  if (bind->status == ShareStatus::kDeclined) {
    bind->status = ShareStatus::kInvited;
    ++bind->generation;
  }
  bind->access = terms.access;
  bind->summary = terms.summary;
  bind->modified = now;
  PODKIT_RETURN_IF_ERROR(SaveBind(database, *bind));
  return SendInvite(database, own, *bind, now);
}

// What everybody gets who is in an invited group: the most of it.
absl::StatusOr<std::map<std::string, Terms>> TermsOfMembers(Database& database, const Bind& own,
                                                            const UserDirectory& directory) {
  PODKIT_ASSIGN_OR_RETURN(const auto groups, LoadGroupShares(database, own.collection_id));
  std::map<std::string, Terms> members;
  for (const GroupShare& group : groups) {
    for (const std::string& uid : directory.UsersIn(group.group_id)) {
      if (uid == own.owner_uid) continue;
      const auto [entry, is_new] = members.emplace(uid, Terms{group.access, group.summary});
      if (!is_new && group.access < entry->second.access) {
        entry->second = {group.access, group.summary};
      }
    }
  }
  return members;
}

}  // namespace

absl::Status SendUninvite(Database& database, const Bind& bind, absl::Time now) {
  PODKIT_RETURN_IF_ERROR(
      database.Execute("DELETE FROM bind WHERE share_uid = ?", {bind.share_uid}));
  // What he kept for himself goes with his share.
  PODKIT_RETURN_IF_ERROR(
      database.Execute("DELETE FROM personal WHERE viewer_uid = ?"
                       " AND object_id IN (SELECT id FROM object WHERE collection_id = ?)",
                       {bind.viewer_uid, bind.collection_id}));
  PODKIT_RETURN_IF_ERROR(DeleteNotification(database, bind.share_uid, NotificationKind::kReply));
  return Enqueue(database, now, bind.viewer_uid, std::string(ShareUninvite::kKind),
                 conduit::ToJson(ShareUninvite{.share_uid = bind.share_uid}));
}

absl::StatusOr<Bind> InviteViewer(Database& database, const Bind& own,
                                  const std::string& viewer_uid, const Terms& terms,
                                  const UserDirectory& directory, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const auto found,
                          FindBindByViewer(database, own.collection_id, viewer_uid));
  Bind bind = found.value_or(NewBind(own, viewer_uid, now));
  bind.own_access = terms.access;
  PODKIT_ASSIGN_OR_RETURN(const auto best, BestAccess(database, own.collection_id, viewer_uid,
                                                      bind.own_access, &directory));
  PODKIT_RETURN_IF_ERROR(
      Ask(database, own, {best.value_or(terms.access), terms.summary}, now, &bind));
  return bind;
}

absl::Status UninviteViewer(Database& database, const Bind& own, const std::string& viewer_uid,
                            const UserDirectory& directory, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(auto bind, FindBindByViewer(database, own.collection_id, viewer_uid));
  if (!bind || bind->own() || !bind->own_access) {
    const bool through_group = bind && !bind->own();
    return MakeError(
        NoSuchShare{},
        fmt::format("collection '{}' of '{}' is not shared with '{}'{}",
                    own.name.value_or(own.collection_id), own.owner_uid, viewer_uid,
                    through_group ? " but as a member of a group: uninvite that" : ""));
  }
  bind->own_access.reset();
  PODKIT_RETURN_IF_ERROR(SaveBind(database, *bind));
  return FollowMembership(database, own, directory, now);
}

absl::Status InviteGroup(Database& database, const Bind& own, const std::string& group_id,
                         const Terms& terms, const UserDirectory& directory, absl::Time now) {
  PODKIT_RETURN_IF_ERROR(SaveGroupShare(database,
                                        {.collection_id = own.collection_id,
                                         .group_id = group_id,
                                         .access = terms.access,
                                         .summary = terms.summary},
                                        now));
  return FollowMembership(database, own, directory, now);
}

absl::Status UninviteGroup(Database& database, const Bind& own, const std::string& group_id,
                           const UserDirectory& directory, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const bool found,
                          DeleteGroupShare(database, own.collection_id, group_id));
  if (!found) {
    return MakeError(NoSuchShare{},
                     fmt::format("collection '{}' of '{}' is not shared with group '{}'",
                                 own.name.value_or(own.collection_id), own.owner_uid, group_id));
  }
  return FollowMembership(database, own, directory, now);
}

absl::Status FollowMembership(Database& database, const Bind& own, const UserDirectory& directory,
                              absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(auto members, TermsOfMembers(database, own, directory));
  PODKIT_ASSIGN_OR_RETURN(const auto binds, BindsOfOthers(database, own.collection_id));
  for (Bind bind : binds) {
    const auto member = members.extract(bind.viewer_uid);
    std::optional<Access> best = bind.own_access;
    if (member) best = std::min(best.value_or(member.mapped().access), member.mapped().access);
    if (!best) {
      PODKIT_RETURN_IF_ERROR(SendUninvite(database, bind, now));
    } else if (*best != bind.access) {
      bind.access = *best;
      bind.modified = now;
      PODKIT_RETURN_IF_ERROR(SaveBind(database, bind));
      PODKIT_RETURN_IF_ERROR(SendInvite(database, own, bind, now));
    }
  }
  for (const auto& [uid, terms] : members) {
    Bind bind = NewBind(own, uid, now);
    PODKIT_RETURN_IF_ERROR(Ask(database, own, terms, now, &bind));
  }
  return absl::OkStatus();
}

absl::Status UninviteAll(Database& database, const Bind& own, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const auto binds, BindsOfOthers(database, own.collection_id));
  for (const Bind& bind : binds) PODKIT_RETURN_IF_ERROR(SendUninvite(database, bind, now));
  return absl::OkStatus();
}

absl::Status InviteAgain(Database& database, Bind bind, bool anew, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const auto own,
                          FindBindByViewer(database, bind.collection_id, bind.owner_uid));
  if (!own) {
    return MakeError(NoSuchCollection{.home = bind.owner_uid, .collection = bind.collection_id},
                     fmt::format("the home of '{}' has no collection '{}' to share", bind.owner_uid,
                                 bind.collection_id));
  }
  if (anew) {
    bind.status = ShareStatus::kDeclined;
    return Ask(database, *own, {bind.access, bind.summary}, now, &bind);
  }
  bind.modified = now;
  PODKIT_RETURN_IF_ERROR(SaveBind(database, bind));
  return SendInvite(database, *own, bind, now);
}

absl::Status SendReply(Database& database, const Bind& bind, absl::Time now) {
  const ShareReply reply = {
      .share_uid = bind.share_uid, .status = bind.status, .generation = bind.generation};
  return Enqueue(database, now, bind.owner_uid, std::string(ShareReply::kKind),
                 conduit::ToJson(reply));
}

absl::StatusOr<Bind> AcceptShare(Database& database, const std::string& viewer_uid,
                                 const std::string& share_uid, const std::string& name,
                                 absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(Bind bind, FindInvitation(database, viewer_uid, share_uid));
  if (bind.status == ShareStatus::kAccepted) return bind;
  bind.name = name;
  if (name.empty()) {
    PODKIT_ASSIGN_OR_RETURN(bind.name, ChooseName(database, bind));
  }
  bind.status = ShareStatus::kAccepted;
  bind.transparent = true;
  bind.modified = now;
  PODKIT_ASSIGN_OR_RETURN(bind.revision, NextRevision(database));
  PODKIT_RETURN_IF_ERROR(SaveBind(database, bind));
  PODKIT_RETURN_IF_ERROR(DeleteNotification(database, share_uid, NotificationKind::kInvite));
  PODKIT_RETURN_IF_ERROR(SendReply(database, bind, now));
  return bind;
}

absl::Status DeclineShare(Database& database, const std::string& viewer_uid,
                          const std::string& share_uid, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(Bind bind, FindInvitation(database, viewer_uid, share_uid));
  if (bind.status == ShareStatus::kDeclined) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(bind.revision, NextRevision(database));
  if (bind.name) {
    PODKIT_RETURN_IF_ERROR(AddBindTombstone(database, *bind.name, bind.revision));
    bind.name.reset();
  }
  bind.status = ShareStatus::kDeclined;
  bind.modified = now;
  PODKIT_RETURN_IF_ERROR(SaveBind(database, bind));
  PODKIT_RETURN_IF_ERROR(DeleteNotification(database, share_uid, NotificationKind::kInvite));
  return SendReply(database, bind, now);
}

}  // namespace podkit::store
