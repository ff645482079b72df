// The tables of a user store and of the pod's database, and how older files are brought up to date.
// docs/store-schema.md explains each table.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "sqlite/database.h"

namespace podkit::store {

// One kind of file. PRAGMA application_id tells it from others, PRAGMA user_version counts the
// steps that it has seen.
struct Schema {
  int64_t application_id = 0;
  // Element i brings a file from version i to version i + 1.
  std::span<const char* const> steps;
};

const Schema& UserStoreSchema();
const Schema& PodDatabaseSchema();

// Applies in one transaction what is missing since the file's version; an empty file gets
// everything. StoreDamaged for a file of another kind, kFailedPrecondition for a newer version.
absl::Status Migrate(Database& database, const Schema& schema);

}  // namespace podkit::store
