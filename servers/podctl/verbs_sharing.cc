// The verbs for sharing a collection: what the owner does, and what the viewer does.

#include <fmt/format.h>

#include <memory>

#include "podkit/store/types.h"
#include "servers/podctl/command_line.h"

namespace podkit::podctl {
namespace {

using store::CollectionInfo;
using store::Notification;
using store::ShareInfo;

constexpr const char* kGroup = "Sharing";

template <typename T>
Column<T> AccessColumn() {
  return {"ACCESS", [](const T& one) { return std::string(conduit::EnumName(one.access)); }};
}

template <typename T>
Column<T> StatusColumn() {
  return {"STATUS", [](const T& one) { return std::string(conduit::EnumName(one.status)); }};
}

// How a viewer came to be invited.
std::string InvitedBy(const ShareInfo& share) {
  return share.is_group ? "group" : share.through_group ? "its groups" : "name";
}

absl::Status ShowShares(Session& session, const std::string& collection) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(collection, {"shares"}));
  return session.ShowList<ShareInfo>("shares", {.path = std::move(path)},
                                     {{"VIEWER", &ShareInfo::viewer_uid},
                                      {"BY", InvitedBy},
                                      AccessColumn<ShareInfo>(),
                                      StatusColumn<ShareInfo>(),
                                      {"SUMMARY", &ShareInfo::summary},
                                      {"SHARE", &ShareInfo::share_uid}});
}

absl::Status ShowInvitations(Session& session) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"invitations"}));
  return session.ShowList<ShareInfo>("invitations", {.path = std::move(path)},
                                     {{"SHARE", &ShareInfo::share_uid},
                                      {"OWNER", &ShareInfo::owner_uid},
                                      {"SHARED NAME", &ShareInfo::display_name},
                                      AccessColumn<ShareInfo>(),
                                      StatusColumn<ShareInfo>(),
                                      {"HERE", &ShareInfo::name},
                                      {"SUMMARY", &ShareInfo::summary}});
}

absl::Status Invite(Session& session, const std::string& collection, const std::string& viewer,
                    const std::string& access, const std::string& summary) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(collection, {"shares", viewer}));
  const servers::Invitation invitation{
      .access = conduit::EnumFromName<store::Access>(access).value_or(store::Access::kRead),
      .summary = summary};
  return session.Show<ShareInfo>(
      {.method = "PUT", .path = std::move(path), .body = conduit::ToJson(invitation)},
      [&](const ShareInfo& share) {
        return fmt::format("invited '{}' to '{}' ({}): share {}\n", share.viewer_uid, collection,
                           conduit::EnumName(share.access), share.share_uid);
      });
}

absl::Status Uninvite(Session& session, const std::string& collection, const std::string& viewer) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(collection, {"shares", viewer}));
  return session.Do({.method = "DELETE", .path = std::move(path)},
                    fmt::format("'{}' is no longer invited to '{}'", viewer, collection));
}

absl::Status Accept(Session& session, const std::string& share, const std::string& name) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"invitations", share, "accept"}));
  return session.Show<CollectionInfo>(
      {.method = "POST",
       .path = std::move(path),
       .body = conduit::ToJson(servers::Acceptance{name})},
      [](const CollectionInfo& info) {
        return fmt::format("accepted: '{}' of '{}' shows as '{}' ({})\n", info.display_name,
                           info.owner_uid, info.name, conduit::EnumName(info.access));
      });
}

absl::Status Decline(Session& session, const std::string& share) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"invitations", share, "decline"}));
  return session.Do({.method = "POST", .path = std::move(path)}, fmt::format("declined {}", share));
}

std::string NotificationText(const Notification& notification) {
  switch (notification.kind) {
    case store::NotificationKind::kInvite:
      return fmt::format("'{}' shares '{}' with you ({})", notification.from_uid,
                         notification.display_name, conduit::EnumName(notification.access));
    case store::NotificationKind::kRemoved:
      return fmt::format("'{}' no longer shares '{}' with you", notification.from_uid,
                         notification.display_name);
    case store::NotificationKind::kReply:
      return fmt::format("'{}' {} '{}'", notification.from_uid,
                         conduit::EnumName(notification.status), notification.display_name);
  }
  return "";
}

absl::Status ShowNotifications(Session& session, const std::string& remove) {
  if (!remove.empty()) {
    PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"notifications", remove}));
    return session.Do({.method = "DELETE", .path = std::move(path)},
                      fmt::format("removed notification {}", remove));
  }
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"notifications"}));
  return session.ShowList<Notification>(
      "notifications", {.path = std::move(path)},
      {{"WHEN", [](const Notification& one) { return ShortTime(one.created); }},
       {"WHAT", NotificationText},
       {"SUMMARY", &Notification::summary},
       {"SHARE", &Notification::share_uid},
       {"ID", &Notification::id}});
}

struct Options {
  std::string collection, viewer, access = "read", summary, share, name, remove;
};

void AddOwnerVerbs(CommandLine* line, const std::shared_ptr<Options>& options) {
  CLI::App* const invite = line->Add(
      {.name = "invite",
       .group = kGroup,
       .description = "Share a collection with a user or a group, on this pod or another",
       .details = "Invites again who declined; changes access or summary of a share that is.",
       .examples = "podctl --as anna invite work emma\n"
                   "podctl --as anna invite work emma --access read-write --summary 'Our plan'"},
      [options](Session& session) {
        return Invite(session, options->collection, options->viewer, options->access,
                      options->summary);
      });
  invite->add_option("COLLECTION", options->collection, "Name of the collection")->required();
  invite->add_option("USER", options->viewer, "Uid of the user to invite, or id of a group")
      ->required();
  invite->add_option("--access", options->access, "read-write, read or busy [read]")
      ->type_name("ACCESS")
      ->check(CLI::IsMember({"read-write", "read", "busy"}));
  invite->add_option("--summary", options->summary, "The text of the invitation")
      ->type_name("WORDS");

  CLI::App* const uninvite =
      line->Add({.name = "uninvite",
                 .group = kGroup,
                 .description = "Take a collection back from a user or a group",
                 .examples = "podctl --as anna uninvite work emma"},
                [options](Session& session) {
                  return Uninvite(session, options->collection, options->viewer);
                });
  uninvite->add_option("COLLECTION", options->collection, "Name of the collection")->required();
  uninvite->add_option("USER", options->viewer, "Uid of the user, or id of the group")->required();

  line->Add({.name = "shares",
             .group = kGroup,
             .description = "Who is invited to a collection, and what became of it",
             .examples = "podctl --as anna shares work"},
            [options](Session& session) { return ShowShares(session, options->collection); })
      ->add_option("COLLECTION", options->collection, "Name of the collection")
      ->required();
}

void AddViewerVerbs(CommandLine* line, const std::shared_ptr<Options>& options) {
  line->Add({.name = "invitations",
             .group = kGroup,
             .description = "The shares that others offer to this user, whatever their status",
             .examples = "podctl --as emma invitations"},
            ShowInvitations);
  CLI::App* const accept = line->Add(
      {.name = "accept",
       .group = kGroup,
       .description = "Accept an invitation: the collection then shows in this home",
       .examples = "podctl --as emma accept SHARE\npodctl --as emma accept SHARE --name anna-work"},
      [options](Session& session) { return Accept(session, options->share, options->name); });
  accept->add_option("SHARE", options->share, "As 'podctl invitations' lists it")->required();
  accept->add_option("--name", options->name, "Name for it in this home [the owner's name for it]")
      ->type_name("NAME");
  line->Add({.name = "decline",
             .group = kGroup,
             .description = "Decline an invitation, also one that was accepted",
             .examples = "podctl --as emma decline SHARE"},
            [options](Session& session) { return Decline(session, options->share); })
      ->add_option("SHARE", options->share, "As 'podctl invitations' lists it")
      ->required();
  line->Add({.name = "notifications",
             .group = kGroup,
             .description = "What a home was told: invitations, replies, shares taken back",
             .examples =
                 "podctl --as emma notifications\npodctl --as emma notifications --remove ID"},
            [options](Session& session) { return ShowNotifications(session, options->remove); })
      ->add_option("--remove", options->remove, "Remove this one")
      ->type_name("ID");
}

}  // namespace

void AddSharingVerbs(CommandLine* line) {
  auto options = std::make_shared<Options>();
  AddOwnerVerbs(line, options);
  AddViewerVerbs(line, options);
}

}  // namespace podkit::podctl
