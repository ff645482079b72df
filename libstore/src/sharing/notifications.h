// The rows of `notification`: what a user is told about his shares. At most one of each kind for
// one share.
//
// All functions run inside of UserStore::Read or Write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/types.h"
#include "sqlite/database.h"

namespace podkit::store {

// Oldest first.
absl::StatusOr<std::vector<Notification>> LoadNotifications(Database& database);
// What happened since the token "data:,notifications/<revision>"; everything if it is empty.
// InvalidSyncToken.
absl::StatusOr<NotificationChanges> LoadNotificationsSince(Database& database,
                                                           const std::string& sync_token);
// Replaces the notification of the same kind for the same share.
absl::Status SaveNotification(Database& database, const Notification& notification,
                              int64_t revision);
absl::Status DeleteNotification(Database& database, std::string_view share_uid,
                                NotificationKind kind);
// False if there is none.
absl::StatusOr<bool> DeleteNotificationById(Database& database, std::string_view id);

}  // namespace podkit::store
