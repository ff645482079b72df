// Who may do what with a home and its collections, decided from the owner's file in the transaction
// that does it, and from the directory's groups as they are then.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/types.h"
#include "podkit/store/user_directory.h"
#include "sqlite/database.h"

namespace podkit::store {

// In whose name something is done.
struct Actor {
  std::string uid;           // Empty: the operator, who may do everything.
  std::string share_uid;     // By which share a collection is used; empty: not through a share.
  std::string delegate_uid;  // Who acts for `uid`, if not he himself.
  bool read_only = false;    // That delegate may only read.
  const UserDirectory* directory = nullptr;  // Says who is in which group; null: nobody in any.

  // Who is recorded.
  const std::string& author() const { return delegate_uid.empty() ? uid : delegate_uid; }
};

// What somebody may do with a collection.
struct Grant {
  Access access = Access::kBusy;
  bool as_owner = false;  // Sees it as its owner does, with the owner's own alarms.
};

// What `actor` may do with the collection in the file of its owner. NoSuchCollection if it does not
// exist; NoSuchShare if the share that he names is not there (any more) or was declined;
// AccessDenied if he names none and has none.
absl::StatusOr<Grant> GrantOf(Database& database, const std::string& collection_id,
                              const Actor& actor);

// OK if `actor` may know more of the collection than when time is taken; else as GrantOf, or
// AccessDenied.
absl::Status CheckReadAll(Database& database, const std::string& collection_id, const Actor& actor);

// OK if `actor` may write to the collection; else as GrantOf, or AccessDenied.
absl::Status CheckWrite(Database& database, const std::string& collection_id, const Actor& actor);

// OK if he may write at least what he keeps for himself in it; else the same.
absl::Status CheckWriteOwn(Database& database, const std::string& collection_id,
                           const Actor& actor);

enum class HomeUse {
  kRead,
  kWrite,
  kManage,  // Who else may use it, or what is in it.
};

// What `actor` may do with the home of this file: kOwner for its user and the operator, kReadWrite
// or kRead for delegates. AccessDenied.
absl::StatusOr<Access> HomeAccessOf(Database& database, const std::string& home_uid,
                                    const Actor& actor);

// OK if he may use it so; else AccessDenied.
absl::Status CheckHome(Database& database, const std::string& home_uid, const Actor& actor,
                       HomeUse use);

// What people know a collection as whose id is in the owner's file: the name that its owner shows.
// Its id if that cannot be read.
std::string TitleOf(Database& database, const std::string& collection_id);

// What a delegate who may only read sees of a collection that shows in the home.
CollectionInfo Limited(CollectionInfo info, Access home_access);

}  // namespace podkit::store
