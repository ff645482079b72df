#include "messages/message.h"

#include <fmt/format.h>

#include "calendar/display_text.h"
#include "common/status_macros.h"
#include "ids.h"
#include "sharing/delegates.h"
#include "sharing/share_messages.h"

namespace podkit::store {
namespace {

// How long a copy of a message may wander about on the way.
constexpr absl::Duration kLongestWay = absl::Hours(7 * 24);

// A sender sends the next message when the one before is acknowledged: once a later one is here, an
// earlier one can come again only as a copy that was held up.
absl::Status ForgetEarlier(Database& database, absl::Time now, const Message& message) {
  return database.Execute(
      "DELETE FROM inbox WHERE from_uid = ? AND received_at < ? AND message_id <> ?",
      {message.from_uid, ToSqlTime(now - kLongestWay), message.id});
}

// Ids come from NewId; the room is for those of other makers.
absl::Status CheckId(const Message& message) {
  constexpr size_t kMaxBytes = 128;
  if (message.id.empty()) return UnfitMessage(message, "id: is empty");
  if (message.id.size() <= kMaxBytes) return absl::OkStatus();
  return UnfitMessage(message, fmt::format("id: has more than {} bytes", kMaxBytes));
}

absl::Status Apply(Database& database, absl::Time now, const Message& message) {
  if (message.kind == Delegation::kKind) return ApplyDelegation(database, now, message);
  if (message.kind == kResignation) return ApplyResignation(database, message);
  return ApplyShareMessage(database, now, message);
}

}  // namespace

absl::Status UnfitMessage(const Message& message, std::string_view what) {
  return MakeError(InvalidRequest{},
                   fmt::format("message {} ({}): {}", calendar::Excerpt(message.id),
                               calendar::Excerpt(message.kind), what));
}

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
  PODKIT_RETURN_IF_ERROR(CheckId(message));
  PODKIT_ASSIGN_OR_RETURN(
      const auto seen,
      database.QueryInteger("SELECT 1 FROM inbox WHERE message_id = ?", {message.id}));
  if (seen) return absl::OkStatus();
  PODKIT_RETURN_IF_ERROR(Apply(database, now, message));
  PODKIT_RETURN_IF_ERROR(
      database.Execute("INSERT INTO inbox (message_id, from_uid, received_at) VALUES (?, ?, ?)",
                       {message.id, message.from_uid, ToSqlTime(now)}));
  return ForgetEarlier(database, now, message);
}

}  // namespace podkit::store
