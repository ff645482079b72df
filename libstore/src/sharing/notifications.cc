#include "sharing/notifications.h"

#include "common/status_macros.h"

namespace podkit::store {

absl::StatusOr<std::vector<Notification>> LoadNotifications(Database& database) {
  std::vector<Notification> notifications;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT id, kind, share_uid, from_uid, collection_id, display_name, access, status, summary,"
      " created_at FROM notification ORDER BY revision",
      {}, [&](const Row& row) {
        notifications.push_back(
            {.id = row.Text(0),
             .kind = conduit::EnumFromName<NotificationKind>(row.Text(1))
                         .value_or(NotificationKind::kInvite),
             .share_uid = row.Text(2),
             .from_uid = row.Text(3),
             .collection_id = row.Text(4),
             .display_name = row.Text(5),
             .access = conduit::EnumFromName<Access>(row.Text(6)).value_or(Access::kRead),
             .status =
                 conduit::EnumFromName<ShareStatus>(row.Text(7)).value_or(ShareStatus::kInvited),
             .summary = row.Text(8),
             .created = FromSqlTime(row.Integer(9))});
      }));
  return notifications;
}

absl::Status SaveNotification(Database& database, const Notification& notification,
                              int64_t revision) {
  return database.Execute(
      "INSERT OR REPLACE INTO notification (id, kind, share_uid, from_uid, collection_id,"
      " display_name, access, status, summary, created_at, revision)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {notification.id, conduit::EnumName(notification.kind), notification.share_uid,
       notification.from_uid, notification.collection_id, notification.display_name,
       conduit::EnumName(notification.access), conduit::EnumName(notification.status),
       notification.summary, ToSqlTime(notification.created), revision});
}

absl::Status DeleteNotification(Database& database, std::string_view share_uid,
                                NotificationKind kind) {
  return database.Execute("DELETE FROM notification WHERE share_uid = ? AND kind = ?",
                          {share_uid, conduit::EnumName(kind)});
}

absl::StatusOr<bool> DeleteNotificationById(Database& database, std::string_view id) {
  PODKIT_RETURN_IF_ERROR(database.Execute("DELETE FROM notification WHERE id = ?", {id}));
  return database.changes() > 0;
}

}  // namespace podkit::store
