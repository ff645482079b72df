#include "sqlite/schema.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "common/status_macros.h"

namespace podkit::store {
namespace {

// Element i brings a file from version i to version i + 1. Never change one that was released: add
// the next.
constexpr std::array<const char*, 1> kUserStoreSteps = {R"sql(
CREATE TABLE home (
  uid TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revision INTEGER NOT NULL
);

CREATE TABLE collection (
  id TEXT NOT NULL PRIMARY KEY,
  components TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE bind (
  share_uid TEXT NOT NULL PRIMARY KEY,
  collection_id TEXT NOT NULL,
  owner_uid TEXT NOT NULL,
  viewer_uid TEXT NOT NULL,
  name TEXT,
  access TEXT NOT NULL,
  status TEXT NOT NULL,
  generation INTEGER NOT NULL,
  summary TEXT NOT NULL,
  display_name TEXT NOT NULL,
  color TEXT NOT NULL,
  description TEXT NOT NULL,
  components TEXT NOT NULL,
  transparent INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX bind_by_name ON bind (name) WHERE name IS NOT NULL;
CREATE UNIQUE INDEX bind_by_viewer ON bind (collection_id, viewer_uid);

CREATE TABLE bind_tombstone (
  name TEXT NOT NULL PRIMARY KEY,
  revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE object (
  row_id INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  component TEXT NOT NULL,
  etag TEXT NOT NULL,
  size INTEGER NOT NULL,
  summary TEXT NOT NULL,
  starts_at INTEGER,
  ends_at INTEGER,
  created_at INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  text BLOB NOT NULL
);
CREATE UNIQUE INDEX object_by_name ON object (collection_id, name);
CREATE UNIQUE INDEX object_by_uid ON object (collection_id, uid);
CREATE INDEX object_by_revision ON object (collection_id, revision);
CREATE INDEX object_by_time ON object (collection_id, starts_at, ends_at);

CREATE TABLE object_tombstone (
  collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (collection_id, name)
) WITHOUT ROWID;
CREATE INDEX object_tombstone_by_revision ON object_tombstone (collection_id, revision);

CREATE TABLE notification (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  share_uid TEXT NOT NULL,
  from_uid TEXT NOT NULL,
  collection_id TEXT NOT NULL,
  display_name TEXT NOT NULL,
  access TEXT NOT NULL,
  status TEXT NOT NULL,
  summary TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX notification_by_share ON notification (share_uid, kind);

CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  to_uid TEXT NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  last_error TEXT NOT NULL
);
CREATE INDEX outbox_by_recipient ON outbox (to_uid, sequence);

CREATE TABLE inbox (
  message_id TEXT NOT NULL PRIMARY KEY,
  from_uid TEXT NOT NULL,
  received_at INTEGER NOT NULL
) WITHOUT ROWID;
)sql"};

constexpr std::array<const char*, 1> kPodDatabaseSteps = {R"sql(
CREATE TABLE pod (
  id TEXT NOT NULL
);

CREATE TABLE home (
  uid TEXT NOT NULL PRIMARY KEY,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE pending (
  uid TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
)sql"};

absl::Status ApplySteps(Database& database, int64_t version, std::span<const char* const> steps) {
  for (size_t step = static_cast<size_t>(version); step < steps.size(); ++step) {
    PODKIT_RETURN_IF_ERROR(database.ExecuteScript(steps[step]));
  }
  return database.ExecuteScript(fmt::format("PRAGMA user_version = {}", steps.size()));
}

absl::Status Migrate(Database& database, std::span<const char* const> steps) {
  PODKIT_ASSIGN_OR_RETURN(const auto found, database.QueryInteger("PRAGMA user_version"));
  const int64_t version = found.value_or(0);
  const auto newest = static_cast<int64_t>(steps.size());
  if (version == newest) return absl::OkStatus();
  if (version < 0 || version > newest) {
    return absl::FailedPreconditionError(fmt::format(
        "the file has schema version {}, this software knows versions up to {}: use the "
        "software that wrote it, or a newer one",
        version, newest));
  }
  PODKIT_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  absl::Status status = ApplySteps(database, version, steps);
  if (status.ok()) status = database.Execute("COMMIT");
  if (!status.ok()) database.Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace

absl::Status MigrateUserStore(Database& database) { return Migrate(database, kUserStoreSteps); }

absl::Status MigratePodDatabase(Database& database) { return Migrate(database, kPodDatabaseSteps); }

}  // namespace podkit::store
