// Sync tokens of collections: "data:,<collection id>/<revision of the collection>", with "busy/"
// before the revision for who may know only that time is taken.
//
// For use inside of UserStore::Read.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "internal/object_view.h"
#include "podkit/store/types.h"

namespace podkit::store {

absl::StatusOr<std::string> CollectionSyncToken(ObjectView& view);

// What happened since the token; InvalidSyncToken if it is not one that this collection gave out.
absl::StatusOr<Changes> CollectionChangesSince(ObjectView& view, const std::string& sync_token);

}  // namespace podkit::store
