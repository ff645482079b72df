#include "sharing/share_messages.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "calendar/display_text.h"
#include "common/status_macros.h"
#include "ids.h"
#include "names.h"
#include "podkit/store/errors.h"
#include "sharing/notifications.h"
#include "sqlite/user_store.h"

namespace podkit::store {
namespace {

absl::Status Forged(const Message& message) {
  return MakeError(AccessDenied{.actor = message.from_uid},
                   fmt::format("message {}: the share is not one of '{}' and '{}'", message.id,
                               message.from_uid, message.to_uid));
}

// True if the message comes from the bind's owner and is for its viewer.
bool FromOwner(const Bind& bind, const Message& message) {
  return bind.owner_uid == message.from_uid && bind.viewer_uid == message.to_uid;
}

Notification MakeNotification(const Bind& bind, NotificationKind kind, const std::string& from_uid,
                              absl::Time now) {
  return {.id = NewId(),
          .kind = kind,
          .share_uid = bind.share_uid,
          .from_uid = from_uid,
          .collection_id = bind.collection_id,
          .display_name = bind.display_name,
          .access = bind.access,
          .status = bind.status,
          .summary = bind.summary,
          .created = now};
}

// A row for an invitation that this viewer has not seen before.
absl::StatusOr<Bind> NewViewerBind(Database& database, const ShareInvite& invite,
                                   const Message& message, absl::Time now, int64_t revision) {
  // The same owner has forgotten an older share of the same collection, or restored his file.
  PODKIT_ASSIGN_OR_RETURN(const auto older,
                          FindBindByViewer(database, invite.collection_id, message.to_uid));
  if (older) {
    if (!FromOwner(*older, message)) return Forged(message);
    PODKIT_RETURN_IF_ERROR(DeleteBind(database, *older, revision));
  }
  return Bind{.share_uid = invite.share_uid,
              .collection_id = invite.collection_id,
              .owner_uid = message.from_uid,
              .viewer_uid = message.to_uid,
              .display_name = invite.display_name,
              .color = invite.color,
              .description = invite.description,
              .transparent = true,
              .created = now};
}

absl::Status ApplyInvite(Database& database, absl::Time now, const Message& message,
                         const ShareInvite& invite) {
  if (invite.access == Access::kOwner || message.from_uid == message.to_uid) return Forged(message);
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, NextRevision(database));
  PODKIT_ASSIGN_OR_RETURN(auto found, FindBindByShare(database, invite.share_uid));
  if (found && (!FromOwner(*found, message) || found->collection_id != invite.collection_id)) {
    return Forged(message);
  }
  const bool known = found.has_value();
  if (!known) {
    PODKIT_ASSIGN_OR_RETURN(found, NewViewerBind(database, invite, message, now, revision));
  }
  Bind& bind = *found;
  const bool asked_anew = !known || invite.generation > bind.generation;
  const bool worth_telling = asked_anew || invite.access != bind.access;
  if (asked_anew && bind.name) {
    PODKIT_RETURN_IF_ERROR(AddBindTombstone(database, *bind.name, revision));
    bind.name.reset();
  }
  if (asked_anew) bind.status = ShareStatus::kInvited;
  bind.generation = invite.generation;
  bind.access = invite.access;
  bind.summary = invite.summary;
  bind.components = invite.components;
  if (bind.status != ShareStatus::kAccepted) bind.display_name = invite.display_name;
  bind.modified = now;
  bind.revision = revision;
  PODKIT_RETURN_IF_ERROR(SaveBind(database, bind));
  PODKIT_RETURN_IF_ERROR(DeleteNotification(database, bind.share_uid, NotificationKind::kRemoved));
  if (!worth_telling || bind.status == ShareStatus::kDeclined) return absl::OkStatus();
  return SaveNotification(
      database, MakeNotification(bind, NotificationKind::kInvite, message.from_uid, now), revision);
}

absl::Status ApplyUninvite(Database& database, absl::Time now, const Message& message,
                           const ShareUninvite& uninvite) {
  PODKIT_ASSIGN_OR_RETURN(const auto bind, FindBindByShare(database, uninvite.share_uid));
  if (!bind) return absl::OkStatus();
  if (!FromOwner(*bind, message)) return Forged(message);
  return RemoveShare(database, *bind, now);
}

absl::Status ApplyReply(Database& database, absl::Time now, const Message& message,
                        const ShareReply& reply) {
  PODKIT_ASSIGN_OR_RETURN(auto bind, FindBindByShare(database, reply.share_uid));
  // Taken back, or asked anew, while the reply was on its way: the viewer hears of that by a
  // message of its own.
  if (!bind || bind->generation != reply.generation) return absl::OkStatus();
  if (bind->viewer_uid != message.from_uid || bind->owner_uid != message.to_uid) {
    return Forged(message);
  }
  if (bind->status == reply.status) return absl::OkStatus();
  bind->status = reply.status;
  bind->modified = now;
  PODKIT_RETURN_IF_ERROR(SaveBind(database, *bind));
  PODKIT_ASSIGN_OR_RETURN(const auto own,
                          FindBindByViewer(database, bind->collection_id, bind->owner_uid));
  if (own) bind->display_name = own->display_name;
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, NextRevision(database));
  return SaveNotification(
      database, MakeNotification(*bind, NotificationKind::kReply, message.from_uid, now), revision);
}

absl::Status CheckLength(const Message& message, std::string_view name, const std::string& text,
                         size_t most) {
  if (text.size() <= most) return absl::OkStatus();
  return UnfitMessage(message,
                      fmt::format("{}: has {} bytes, {} are the limit", name, text.size(), most));
}

absl::Status CheckId(const Message& message, std::string_view name, const std::string& id) {
  constexpr size_t kMaxIdBytes = 128;
  if (id.empty()) return UnfitMessage(message, fmt::format("{}: is empty", name));
  return CheckLength(message, name, id, kMaxIdBytes);
}

absl::Status CheckGeneration(const Message& message, int64_t generation) {
  if (generation >= 1) return absl::OkStatus();
  return UnfitMessage(message, fmt::format("generation: {} is less than 1", generation));
}

// What an owner's own pod would not have let him say.
absl::Status Check(const Message& message, const ShareInvite& invite) {
  PODKIT_RETURN_IF_ERROR(CheckId(message, "share_uid", invite.share_uid));
  PODKIT_RETURN_IF_ERROR(CheckId(message, "collection_id", invite.collection_id));
  PODKIT_RETURN_IF_ERROR(CheckGeneration(message, invite.generation));
  const auto check = [&](std::string_view name, const std::string& text) {
    return CheckLength(message, name, text, kMaxPropertyBytes);
  };
  PODKIT_RETURN_IF_ERROR(check("summary", invite.summary));
  PODKIT_RETURN_IF_ERROR(check("display_name", invite.display_name));
  PODKIT_RETURN_IF_ERROR(check("color", invite.color));
  PODKIT_RETURN_IF_ERROR(check("description", invite.description));
  for (const std::string& component : invite.components) {
    if (IsComponentName(component)) continue;
    return UnfitMessage(message, fmt::format("components: '{}' is not a component type",
                                             calendar::Excerpt(component)));
  }
  return absl::OkStatus();
}

absl::Status Check(const Message& message, const ShareUninvite& uninvite) {
  return CheckId(message, "share_uid", uninvite.share_uid);
}

absl::Status Check(const Message& message, const ShareReply& reply) {
  PODKIT_RETURN_IF_ERROR(CheckId(message, "share_uid", reply.share_uid));
  PODKIT_RETURN_IF_ERROR(CheckGeneration(message, reply.generation));
  if (reply.status != ShareStatus::kInvited) return absl::OkStatus();
  return UnfitMessage(message, "status: is neither accepted nor declined");
}

// Decodes the body and hands it to `apply`.
template <typename Body>
absl::Status Apply(Database& database, absl::Time now, const Message& message,
                   absl::Status (*apply)(Database&, absl::Time, const Message&, const Body&)) {
  auto body = conduit::FromJson<Body>(message.body);
  if (!body.ok()) return UnfitMessage(message, std::string(body.status().message()));
  PODKIT_RETURN_IF_ERROR(Check(message, *body));
  return apply(database, now, message, *body);
}

}  // namespace

absl::Status RemoveShare(Database& database, const Bind& bind, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, NextRevision(database));
  PODKIT_RETURN_IF_ERROR(DeleteBind(database, bind, revision));
  PODKIT_RETURN_IF_ERROR(DeleteNotification(database, bind.share_uid, NotificationKind::kInvite));
  if (bind.status != ShareStatus::kAccepted) return absl::OkStatus();
  return SaveNotification(
      database, MakeNotification(bind, NotificationKind::kRemoved, bind.owner_uid, now), revision);
}

absl::Status ApplyShareMessage(Database& database, absl::Time now, const Message& message) {
  if (message.kind == ShareInvite::kKind) return Apply(database, now, message, &ApplyInvite);
  if (message.kind == ShareUninvite::kKind) return Apply(database, now, message, &ApplyUninvite);
  if (message.kind == ShareReply::kKind) return Apply(database, now, message, &ApplyReply);
  return MakeError(InvalidRequest{},
                   fmt::format("message {} is of kind '{}', which this version does not know",
                               message.id, calendar::Excerpt(message.kind)));
}

}  // namespace podkit::store
