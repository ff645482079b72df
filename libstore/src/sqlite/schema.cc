#include "sqlite/schema.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

// Element i brings a file from version i to version i + 1. Never change one that was released: add
// the next.
constexpr std::array<const char*, 9> kUserStoreSteps = {R"sql(
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
)sql",
                                                        R"sql(
CREATE TABLE object_span (
  collection_id TEXT NOT NULL,
  level INTEGER NOT NULL,
  starts_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  object_row INTEGER NOT NULL REFERENCES object (row_id) ON DELETE CASCADE,
  PRIMARY KEY (collection_id, level, starts_at, ends_at, object_row)
) WITHOUT ROWID;
CREATE INDEX object_span_by_object ON object_span (object_row);
INSERT INTO object_span SELECT collection_id,
  CASE
    WHEN starts_at IS NULL OR ends_at IS NULL THEN 12
    WHEN ends_at - starts_at <= 3600000000 THEN 0
    WHEN ends_at - starts_at <= 14400000000 THEN 1
    WHEN ends_at - starts_at <= 57600000000 THEN 2
    WHEN ends_at - starts_at <= 230400000000 THEN 3
    WHEN ends_at - starts_at <= 921600000000 THEN 4
    WHEN ends_at - starts_at <= 3686400000000 THEN 5
    WHEN ends_at - starts_at <= 14745600000000 THEN 6
    WHEN ends_at - starts_at <= 58982400000000 THEN 7
    WHEN ends_at - starts_at <= 235929600000000 THEN 8
    WHEN ends_at - starts_at <= 943718400000000 THEN 9
    WHEN ends_at - starts_at <= 3774873600000000 THEN 10
    WHEN ends_at - starts_at <= 15099494400000000 THEN 11
    ELSE 12
  END,
  ifnull(starts_at, -9223372036854775807 - 1), ifnull(ends_at, 9223372036854775807), row_id
  FROM object;
DROP INDEX object_by_time;
ALTER TABLE object DROP COLUMN starts_at;
ALTER TABLE object DROP COLUMN ends_at;
ALTER TABLE object_tombstone ADD COLUMN object_id TEXT NOT NULL DEFAULT '';
)sql",
                                                        R"sql(
ALTER TABLE object ADD COLUMN shared_etag TEXT;
ALTER TABLE object ADD COLUMN shared_size INTEGER;
UPDATE object SET shared_etag = etag, shared_size = size
  WHERE instr(upper(replace(replace(replace(replace(CAST(text AS TEXT), char(13), ''), char(10), ''),
                                    char(9), ''), ' ', '')), 'VALARM') = 0;
ALTER TABLE bind ADD COLUMN personal_revision INTEGER NOT NULL DEFAULT 0;
CREATE TABLE personal (
  object_id TEXT NOT NULL REFERENCES object (id) ON DELETE CASCADE,
  viewer_uid TEXT NOT NULL,
  data TEXT NOT NULL,
  modified_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (object_id, viewer_uid)
) WITHOUT ROWID;
CREATE INDEX personal_by_viewer ON personal (viewer_uid, revision);
)sql",
                                                        R"sql(
CREATE TABLE notification_tombstone (
  id TEXT NOT NULL PRIMARY KEY,
  revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX notification_tombstone_by_revision ON notification_tombstone (revision);
)sql",
                                                        R"sql(
ALTER TABLE object ADD COLUMN modified_by TEXT NOT NULL DEFAULT '';
CREATE TABLE delegate (
  principal TEXT NOT NULL PRIMARY KEY,
  is_group INTEGER NOT NULL,
  access TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE delegation (
  delegate_uid TEXT NOT NULL PRIMARY KEY,
  access TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE delegator (
  owner_uid TEXT NOT NULL PRIMARY KEY,
  access TEXT NOT NULL,
  told_at INTEGER NOT NULL
) WITHOUT ROWID;
)sql",
                                                        R"sql(
ALTER TABLE bind ADD COLUMN own_access TEXT;
UPDATE bind SET own_access = access WHERE viewer_uid <> owner_uid
  AND owner_uid = (SELECT uid FROM home);
CREATE TABLE group_share (
  collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
  group_id TEXT NOT NULL,
  access TEXT NOT NULL,
  summary TEXT NOT NULL,
  modified_at INTEGER NOT NULL,
  PRIMARY KEY (collection_id, group_id)
) WITHOUT ROWID;
)sql",
                                                        R"sql(
CREATE INDEX inbox_by_sender ON inbox (from_uid, received_at);
)sql",
                                                        R"sql(
CREATE TABLE attachment (
  managed_id TEXT NOT NULL PRIMARY KEY,
  file_name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE attachment_chunk (
  managed_id TEXT NOT NULL REFERENCES attachment (managed_id) ON DELETE CASCADE,
  begins_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  chunk TEXT NOT NULL,
  PRIMARY KEY (managed_id, begins_at)
) WITHOUT ROWID;
CREATE INDEX attachment_chunk_by_chunk ON attachment_chunk (chunk);
CREATE TABLE attachment_use (
  object_id TEXT NOT NULL REFERENCES object (id) ON DELETE CASCADE,
  managed_id TEXT NOT NULL REFERENCES attachment (managed_id),
  PRIMARY KEY (object_id, managed_id)
) WITHOUT ROWID;
CREATE INDEX attachment_use_by_attachment ON attachment_use (managed_id);
CREATE TRIGGER attachment_unused AFTER DELETE ON attachment_use
WHEN NOT EXISTS (SELECT 1 FROM attachment_use WHERE managed_id = old.managed_id)
BEGIN
  DELETE FROM attachment WHERE managed_id = old.managed_id;
END;
CREATE TABLE upload (
  chunk TEXT NOT NULL,
  uploaded_by TEXT NOT NULL,
  size INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (chunk, uploaded_by)
) WITHOUT ROWID;
)sql",
                                                        R"sql(
CREATE TABLE answer (
  row_id INTEGER PRIMARY KEY,
  caller TEXT NOT NULL,
  key TEXT NOT NULL,
  command TEXT NOT NULL,
  digest TEXT NOT NULL,
  status INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  body BLOB NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX answer_by_key ON answer (caller, key);
CREATE INDEX answer_by_expiry ON answer (expires_at);
CREATE TABLE answer_caller (
  caller TEXT NOT NULL PRIMARY KEY,
  keys INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER answer_came AFTER INSERT ON answer
BEGIN
  INSERT INTO answer_caller (caller, keys, bytes) VALUES (new.caller, 1, length(new.body))
    ON CONFLICT (caller) DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER answer_went AFTER DELETE ON answer
BEGIN
  UPDATE answer_caller SET keys = keys - 1, bytes = bytes - length(old.body)
    WHERE caller = old.caller;
  DELETE FROM answer_caller WHERE caller = old.caller AND keys = 0;
END;
)sql"};

constexpr std::array<const char*, 5> kPodDatabaseSteps = {R"sql(
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
)sql",
                                                          R"sql(
CREATE TABLE group_user (
  uid TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
)sql",
                                                          R"sql(
ALTER TABLE pod ADD COLUMN answers_id TEXT NOT NULL DEFAULT '';
)sql",
                                                          R"sql(
CREATE TABLE purge (
  uid TEXT NOT NULL PRIMARY KEY,
  started_at INTEGER NOT NULL
) WITHOUT ROWID;
)sql",
                                                          R"sql(
CREATE TABLE disabled (
  uid TEXT NOT NULL PRIMARY KEY,
  since INTEGER NOT NULL
) WITHOUT ROWID;
)sql"};

// "podU" and "podP".
constexpr int64_t kUserStoreId = 0x706f6455;
constexpr int64_t kPodDatabaseId = 0x706f6450;

absl::Status ApplySteps(Database& database, int64_t version, const Schema& schema) {
  for (const char* const step : schema.steps.subspan(static_cast<size_t>(version))) {
    PODKIT_RETURN_IF_ERROR(database.ExecuteScript(step));
  }
  return database.ExecuteScript(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                            schema.application_id, schema.steps.size()));
}

absl::Status NotOurs(const Database& database) {
  return MakeError(StoreDamaged{.uid = database.uid()},
                   fmt::format("{}: a database of something else: move it away, or restore ours "
                               "from a backup",
                               database.path()));
}

// The version of a file of this kind; 0 if it is empty.
absl::StatusOr<int64_t> VersionOf(Database& database, const Schema& schema) {
  PODKIT_ASSIGN_OR_RETURN(const auto id, database.QueryInteger("PRAGMA application_id"));
  PODKIT_ASSIGN_OR_RETURN(const auto user_version, database.QueryInteger("PRAGMA user_version"));
  const int64_t version = user_version.value_or(0);
  if (id == schema.application_id && version > 0) return version;
  PODKIT_ASSIGN_OR_RETURN(const auto tables,
                          database.QueryInteger("SELECT count(*) FROM sqlite_schema"));
  if (id != 0 || version != 0 || tables != 0) return NotOurs(database);
  return 0;
}

}  // namespace

const Schema& UserStoreSchema() {
  static constexpr Schema kSchema = {kUserStoreId, kUserStoreSteps};
  return kSchema;
}

const Schema& PodDatabaseSchema() {
  static constexpr Schema kSchema = {kPodDatabaseId, kPodDatabaseSteps};
  return kSchema;
}

absl::Status Migrate(Database& database, const Schema& schema) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t version, VersionOf(database, schema));
  const auto newest = static_cast<int64_t>(schema.steps.size());
  if (version == newest) return absl::OkStatus();
  if (version > newest) {
    return absl::FailedPreconditionError(
        fmt::format("{}: the file has schema version {}, this software knows versions up to {}: "
                    "use the software that wrote it, or a newer one",
                    database.path(), version, newest));
  }
  PODKIT_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  absl::Status status = ApplySteps(database, version, schema);
  if (status.ok()) status = database.Execute("COMMIT");
  if (database.in_transaction()) database.Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace podkit::store
