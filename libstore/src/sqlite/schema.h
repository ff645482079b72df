// The tables of a user store and of the pod's database, and how older files are brought up to date.
// docs/store-schema.md explains each table.
#pragma once

#include "absl/status/status.h"
#include "sqlite/database.h"

namespace podkit::store {

// Applies in one transaction what is missing since the file's version (PRAGMA user_version).
// kFailedPrecondition for a file of a newer version.
absl::Status MigrateUserStore(Database& database);
absl::Status MigratePodDatabase(Database& database);

}  // namespace podkit::store
