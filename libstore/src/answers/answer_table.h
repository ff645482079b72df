// The answers that a user store keeps under the idempotency keys of their calls, in the transaction
// of what they tell of: tables `answer` and `answer_caller` of docs/store-schema.md.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/answers.h"
#include "sqlite/database.h"

namespace podkit::store {

struct KeptAnswer {
  std::string command;
  std::string digest;
  conduit::WireReply reply;
};

// For use inside of UserStore::Read or Write.

// What is kept under the key of the call; nothing if it was not used, or is not any more at `now`.
absl::StatusOr<std::optional<KeptAnswer>> FindAnswer(Database& database,
                                                     const conduit::KeyedCall& call,
                                                     absl::Time now);

// How long until the caller's next answer has room; zero if it has. What has expired makes room as
// soon as it is needed. Several calls that ask at the same time are all told of the same room.
absl::StatusOr<absl::Duration> UntilRoom(Database& database, const std::string& caller,
                                         const conduit::AnswerLimits& limits, absl::Time now);

// For use inside of UserStore::Write.

// Keeps the answer of a call whose key has none, from `now` on for limits.window. Removes some
// answers that have expired: more than one, so that they get fewer, and a few, so that no write
// pays for many.
absl::Status KeepAnswer(Database& database, const conduit::KeyedCall& call,
                        const conduit::WireReply& reply, const conduit::AnswerLimits& limits,
                        absl::Time now);

}  // namespace podkit::store
