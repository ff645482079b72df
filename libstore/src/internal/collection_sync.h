// Sync tokens of collections: "data:,<collection id>/<revision of the collection>".
//
// For use inside of UserStore::Read.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "internal/object_table.h"
#include "podkit/store/types.h"

namespace podkit::store {

absl::StatusOr<std::string> CollectionSyncToken(ObjectTable& table);

// What happened since the token; InvalidSyncToken if it is not one that this collection gave out.
absl::StatusOr<Changes> CollectionChangesSince(ObjectTable& table, const std::string& sync_token);

}  // namespace podkit::store
