#include "messages/message.h"

#include "common/status_macros.h"
#include "ids.h"
#include "sharing/delegates.h"
#include "sharing/share_messages.h"

namespace podkit::store {

absl::Status Enqueue(Database& database, absl::Time now, const std::string& to_uid,
                     const std::string& kind, std::string_view body) {
  const std::string id = NewId();
  return database.Execute(
      "INSERT INTO outbox (id, to_uid, kind, body, created_at, attempts, next_attempt_at, "
      "last_error)"
      " VALUES (?, ?, ?, ?, ?, 0, ?, '')",
      {id, to_uid, kind, body, ToSqlTime(now), ToSqlTime(now)});
}

absl::Status ReceiveOnce(Database& database, absl::Time now, const Message& message) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto seen,
      database.QueryInteger("SELECT 1 FROM inbox WHERE message_id = ?", {message.id}));
  if (seen) return absl::OkStatus();
  PODKIT_RETURN_IF_ERROR(message.kind == Delegation::kKind
                             ? ApplyDelegation(database, now, message)
                             : ApplyShareMessage(database, now, message));
  return database.Execute("INSERT INTO inbox (message_id, from_uid, received_at) VALUES (?, ?, ?)",
                          {message.id, message.from_uid, ToSqlTime(now)});
}

}  // namespace podkit::store
