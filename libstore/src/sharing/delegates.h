// Who may act for the user of a home, and what those are told of it.
//
// The rows of `delegate` decide, on the owner's pod, whenever somebody acts. The home of everybody
// who may act is told by a message, so that it can say by itself for whom its user may.
//
// All functions run inside of UserStore::Read or Write; what sends messages, within Postman::Post.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "messages/message.h"
#include "podkit/store/types.h"
#include "podkit/store/user_directory.h"
#include "sqlite/database.h"

namespace podkit::store {

// Owner to delegate: what he may do from now on.
struct Delegation {
  static constexpr std::string_view kKind = "delegation";
  std::optional<Access> access;  // Null: nothing. Required, so that a slip takes no right away.
  static constexpr auto Fields() {
    return std::make_tuple(Required("access", &Delegation::access));
  }
};

// By principal.
absl::StatusOr<std::vector<Delegate>> LoadDelegates(Database& database);
absl::Status SaveDelegate(Database& database, const Delegate& delegate, absl::Time now);
// False if there is none.
absl::StatusOr<bool> DeleteDelegate(Database& database, std::string_view principal);

// What the user may do in this home as a delegate, himself or through groups; nothing if he is
// none.
absl::StatusOr<std::optional<Access>> DelegateAccess(Database& database, std::string_view uid,
                                                     const UserDirectory* directory);

// Tells everybody of whom something else is true than he was told last.
absl::Status TellDelegates(Database& database, const std::string& owner_uid,
                           const UserDirectory& directory, absl::Time now);

// In the delegate's file. InvalidRequest if the body does not fit.
absl::Status ApplyDelegation(Database& database, absl::Time now, const Message& message);
// Delegate to owner: he acts for him no more, for his home goes. Its body says nothing.
inline constexpr std::string_view kResignation = "resignation";
// Tells everybody for whom the user may act.
absl::Status Resign(Database& database, absl::Time now);
// In the owner's file. What the delegate is through groups stays.
absl::Status ApplyResignation(Database& database, const Message& message);
// By owner.
absl::StatusOr<std::vector<Delegator>> LoadDelegators(Database& database);

}  // namespace podkit::store
