#include "answers/answer_table.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/status_macros.h"

namespace podkit::store {
namespace {

// At most so many expired answers go with each that comes.
constexpr int64_t kMostPruned = 16;

absl::Status PruneAnswers(Database& database, absl::Time now) {
  return database.Execute(
      "DELETE FROM answer WHERE row_id IN"
      " (SELECT row_id FROM answer WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
      {ToSqlTime(now), kMostPruned});
}

}  // namespace

absl::StatusOr<std::optional<KeptAnswer>> FindAnswer(Database& database,
                                                     const conduit::KeyedCall& call,
                                                     absl::Time now) {
  std::optional<KeptAnswer> found;
  PODKIT_RETURN_IF_ERROR(
      database.Query("SELECT command, digest, status, content_type, body FROM answer"
                     " WHERE caller = ? AND key = ? AND expires_at > ?",
                     {call.caller, call.key, ToSqlTime(now)}, [&](const Row& row) {
                       found = KeptAnswer{.command = row.Text(0),
                                          .digest = row.Text(1),
                                          .reply = {.status = static_cast<int>(row.Integer(2)),
                                                    .content_type = row.Text(3),
                                                    .body = row.Text(4)}};
                     }));
  return found;
}

absl::StatusOr<absl::Duration> UntilRoom(Database& database, const std::string& caller,
                                         const conduit::AnswerLimits& limits, absl::Time now) {
  uint64_t keys = 0;
  uint64_t bytes = 0;
  PODKIT_RETURN_IF_ERROR(database.Query("SELECT keys, bytes FROM answer_caller WHERE caller = ?",
                                        {caller}, [&](const Row& row) {
                                          keys = static_cast<uint64_t>(row.Integer(0));
                                          bytes = static_cast<uint64_t>(row.Integer(1));
                                        }));
  if (keys < limits.max_keys && bytes < limits.max_bytes) return absl::ZeroDuration();
  // By expiry, not by caller: the first that is found is what is asked for.
  PODKIT_ASSIGN_OR_RETURN(
      const auto oldest,
      database.QueryInteger(
          "SELECT expires_at FROM answer WHERE +caller = ? ORDER BY expires_at LIMIT 1", {caller}));
  if (!oldest) return limits.window;  // The limits leave room for none.
  return std::max(FromSqlTime(*oldest) - now, absl::ZeroDuration());
}

absl::Status KeepAnswer(Database& database, const conduit::KeyedCall& call,
                        const conduit::WireReply& reply, const conduit::AnswerLimits& limits,
                        absl::Time now) {
  PODKIT_RETURN_IF_ERROR(PruneAnswers(database, now));
  // The same key again, after its time: its row may wait to be pruned yet.
  PODKIT_RETURN_IF_ERROR(
      database.Execute("DELETE FROM answer WHERE caller = ? AND key = ? AND expires_at <= ?",
                       {call.caller, call.key, ToSqlTime(now)}));
  return database.Execute(
      "INSERT INTO answer (caller, key, command, digest, status, content_type, body, expires_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      {call.caller, call.key, call.command, call.digest, int64_t{reply.status}, reply.content_type,
       Blob{reply.body}, ToSqlTime(now + limits.window)});
}

}  // namespace podkit::store
