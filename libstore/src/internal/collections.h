// The collections of one home: its own rows of `collection`, and all that `bind` makes show in it.
//
// All functions run inside of UserStore::Read or Write.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/types.h"
#include "sharing/binds.h"
#include "sqlite/database.h"

namespace podkit::store {

// The shown collection that `key` means. NoSuchCollection; InvalidRequest unless exactly one member
// of `key` is set.
absl::StatusOr<Bind> FindShownBind(Database& database, const std::string& home_uid,
                                   const CollectionKey& key);
// The same, but the collection must be the home's own: AccessDenied.
absl::StatusOr<Bind> FindOwnBind(Database& database, const std::string& home_uid,
                                 const std::string& name);

// How the collection behind a shown bind looks in its viewer's home.
absl::StatusOr<CollectionInfo> DescribeCollection(Database& database, const Bind& bind);

// All that show in this home, by name.
absl::StatusOr<std::vector<CollectionInfo>> DescribeShown(Database& database);

absl::StatusOr<Bind> CreateCollection(Database& database, const std::string& home_uid,
                                      const std::string& name,
                                      const CollectionProperties& properties, absl::Time now);
absl::Status ChangeProperties(Database& database, Bind bind, const CollectionProperties& properties,
                              absl::Time now);
absl::Status RenameCollection(Database& database, Bind bind, const std::string& new_name,
                              absl::Time now);
// Deletes an own collection with its objects; the binds of others must be gone.
absl::Status DeleteCollection(Database& database, const Bind& bind);

// The home's sync token, and what happened since an earlier one.
absl::StatusOr<std::string> HomeSyncToken(Database& database);
absl::StatusOr<HomeChanges> HomeChangesSince(Database& database, const std::string& sync_token,
                                             bool depth_infinity);

}  // namespace podkit::store
