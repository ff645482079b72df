#include "sharing/notifications.h"

#include <fmt/format.h>

#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "sqlite/user_store.h"
#include "sync_token.h"

namespace podkit::store {

namespace {

constexpr std::string_view kTokenPrefix = "data:,notifications/";

absl::StatusOr<std::vector<Notification>> LoadAfter(Database& database, int64_t revision) {
  std::vector<Notification> notifications;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT id, kind, share_uid, from_uid, collection_id, display_name, access, status, summary,"
      " created_at FROM notification WHERE revision > ? ORDER BY revision",
      {revision}, [&](const Row& row) {
        notifications.push_back(
            {.id = row.Text(0),
             .kind = conduit::EnumFromName<NotificationKind>(row.Text(1))
                         .value_or(NotificationKind::kInvite),
             .share_uid = row.Text(2),
             .from_uid = row.Text(3),
             .collection_id = row.Text(4),
             .display_name = row.Text(5),
             .access = conduit::EnumFromName<Access>(row.Text(6)).value_or(Access::kBusy),
             .status =
                 conduit::EnumFromName<ShareStatus>(row.Text(7)).value_or(ShareStatus::kInvited),
             .summary = row.Text(8),
             .created = FromSqlTime(row.Integer(9))});
      }));
  return notifications;
}

// Deletes those that `where` finds, and remembers that they are gone.
absl::StatusOr<bool> Delete(Database& database, std::string_view where,
                            std::initializer_list<SqlValue> values) {
  std::vector<std::string> ids;
  PODKIT_RETURN_IF_ERROR(database.Query(fmt::format("SELECT id FROM notification {}", where),
                                        values,
                                        [&](const Row& row) { ids.push_back(row.Text(0)); }));
  for (const std::string& id : ids) {
    PODKIT_ASSIGN_OR_RETURN(const int64_t revision, NextRevision(database));
    PODKIT_RETURN_IF_ERROR(database.Execute(
        "INSERT INTO notification_tombstone (id, revision) VALUES (?, ?)", {id, revision}));
    PODKIT_RETURN_IF_ERROR(database.Execute("DELETE FROM notification WHERE id = ?", {id}));
  }
  return !ids.empty();
}

}  // namespace

absl::StatusOr<std::vector<Notification>> LoadNotifications(Database& database) {
  return LoadAfter(database, -1);
}

absl::StatusOr<NotificationChanges> LoadNotificationsSince(Database& database,
                                                           const std::string& sync_token) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto newest,
      database.QueryInteger("SELECT max(revision) FROM (SELECT revision FROM notification"
                            " UNION ALL SELECT revision FROM notification_tombstone)"));
  NotificationChanges changes;
  changes.sync_token = fmt::format("{}{}", kTokenPrefix, newest.value_or(0));
  if (sync_token.empty()) {
    PODKIT_ASSIGN_OR_RETURN(changes.changed, LoadAfter(database, -1));
    return changes;
  }
  const auto since = RevisionOfToken(kTokenPrefix, sync_token, newest.value_or(0));
  if (!since) {
    return MakeError(InvalidSyncToken{.token = sync_token},
                     "the sync token is not one of these notifications: list them and start anew");
  }
  PODKIT_ASSIGN_OR_RETURN(changes.changed, LoadAfter(database, *since));
  PODKIT_RETURN_IF_ERROR(
      database.Query("SELECT id FROM notification_tombstone WHERE revision > ? ORDER BY id",
                     {*since}, [&](const Row& row) { changes.deleted.push_back(row.Text(0)); }));
  return changes;
}

absl::Status SaveNotification(Database& database, const Notification& notification,
                              int64_t revision) {
  PODKIT_RETURN_IF_ERROR(DeleteNotification(database, notification.share_uid, notification.kind));
  return database.Execute(
      "INSERT INTO notification (id, kind, share_uid, from_uid, collection_id,"
      " display_name, access, status, summary, created_at, revision)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {notification.id, conduit::EnumName(notification.kind), notification.share_uid,
       notification.from_uid, notification.collection_id, notification.display_name,
       conduit::EnumName(notification.access), conduit::EnumName(notification.status),
       notification.summary, ToSqlTime(notification.created), revision});
}

absl::Status DeleteNotification(Database& database, std::string_view share_uid,
                                NotificationKind kind) {
  return Delete(database, "WHERE share_uid = ? AND kind = ?", {share_uid, conduit::EnumName(kind)})
      .status();
}

absl::StatusOr<bool> DeleteNotificationById(Database& database, std::string_view id) {
  return Delete(database, "WHERE id = ?", {id});
}

}  // namespace podkit::store
