// Who may do what with a collection, decided from the owner's file in the transaction that does it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/types.h"
#include "sqlite/database.h"

namespace podkit::store {

// In whose name a collection is used, and by which share if it is not his own.
struct Actor {
  std::string uid;        // Empty: the operator, who may do everything.
  std::string share_uid;  // Empty: not through a share.
};

// What `actor` may do with the collection in the file of its owner. NoSuchCollection if it does not
// exist; NoSuchShare if the share that he names is not there (any more) or was declined;
// AccessDenied if he names none and has none.
absl::StatusOr<Access> AccessOf(Database& database, const std::string& collection_id,
                                const Actor& actor);

// OK if `actor` may read all of the collection, not only when it takes time; else as AccessOf, or
// AccessDenied.
absl::Status CheckReadAll(Database& database, const std::string& collection_id, const Actor& actor);

// OK if `actor` may write to the collection; else as AccessOf, or AccessDenied.
absl::Status CheckWrite(Database& database, const std::string& collection_id, const Actor& actor);

// OK if `actor_uid`, the operator if empty, may use the home; else AccessDenied.
absl::Status CheckHome(const std::string& home_uid, const std::string& actor_uid);

}  // namespace podkit::store
