// What one store tells another, exactly once: a row of the sender's outbox, committed with its
// cause, repeated until the receiver has committed its effect together with the message's id.
#pragma once

#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/command.h"
#include "podkit/store/errors.h"
#include "podkit/store/types.h"
#include "sqlite/database.h"

namespace podkit::store {

struct Message {
  std::string id;
  std::string from_uid;
  std::string to_uid;
  std::string kind;  // Says what `body` holds: see sharing/share_messages.h.
  std::string body;  // JSON.
};

// Puts a message from the owner of this file to `to_uid` into the outbox. Inside of
// UserStore::Write.
absl::Status Enqueue(Database& database, absl::Time now, const std::string& to_uid,
                     const std::string& kind, std::string_view body);

// Applies the effect of `message` on the file of its receiver, unless that was done before: which
// is remembered until a later message of the same sender comes, and for a week. Inside of
// UserStore::Write.
absl::Status ReceiveOnce(Database& database, absl::Time now, const Message& message);

// InvalidRequest: `what` is wrong with the body of `message`.
absl::Status UnfitMessage(const Message& message, std::string_view what);

// Carries a message to a home on another pod.
struct DeliverMessage {
  static constexpr conduit::CommandInfo kInfo = {
      .name = "deliver-message", .since = 1, .effect = conduit::Effect::kIdempotent};
  struct Target {
    std::string homeUID;  // NOLINT(readability-identifier-naming): the member's name on the wire.
    static constexpr auto Fields() {
      return std::make_tuple(Required("homeUID", &Target::homeUID));
    }
  };
  struct Arguments {
    std::string id;
    std::string from;
    std::string kind;
    std::string body;
    static constexpr auto Fields() {
      return std::make_tuple(Required("id", &Arguments::id), Required("from", &Arguments::from),
                             Required("kind", &Arguments::kind),
                             Required("body", &Arguments::body));
    }
  };
  using Response = conduit::Nothing;
  using Errors = StoreErrors;
};

}  // namespace podkit::store
