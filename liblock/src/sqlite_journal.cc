#include "sqlite_journal.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "common/durable.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "podkit/lock/errors.h"
#include "row_checksum.h"

namespace podkit::lock {
namespace {

constexpr int64_t kApplicationId = 0x706f644c;  // "podL"
constexpr int64_t kVersion = 1;
constexpr int64_t kAuditPage = 1000;
constexpr int kBusyTimeoutMs = 5000;

// Small pages: a grant changes one row somewhere, and the whole page around it goes to the log.
constexpr const char* kSettings = R"sql(
PRAGMA page_size = 1024;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 16384;
PRAGMA journal_size_limit = 33554432;
PRAGMA cell_size_check = ON;
PRAGMA trusted_schema = OFF;
)sql";

constexpr const char* kSchema = R"sql(
CREATE TABLE directory (
  revision INTEGER NOT NULL,
  checksum INTEGER NOT NULL
);

CREATE TABLE session (
  id TEXT NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  term INTEGER NOT NULL,
  runs_wakeups INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE store (
  name TEXT NOT NULL PRIMARY KEY,
  token INTEGER NOT NULL,
  session TEXT NOT NULL,
  request TEXT NOT NULL,
  reason INTEGER NOT NULL,
  position INTEGER NOT NULL,
  end_request TEXT NOT NULL,
  end_token INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  head_manifest TEXT NOT NULL,
  head_position INTEGER NOT NULL,
  head_token INTEGER NOT NULL,
  head_request TEXT NOT NULL,
  wake_at INTEGER,
  checksum INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  store TEXT NOT NULL,
  token INTEGER NOT NULL,
  host TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  reason TEXT NOT NULL,
  head_manifest TEXT NOT NULL,
  head_position INTEGER NOT NULL,
  head_token INTEGER NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;
)sql";

absl::Status Failure(LockError error, const std::string& path, std::string_view what) {
  return MakeLockError({.error = error}, fmt::format("{}: {}", path, what));
}

// The one translator of SQLite's errors.
absl::Status FromSqlite(const SQLite::Exception& error, const std::string& path) {
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_FULL:
      return Failure(LockError::kFull, path, error.what());
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Failure(LockError::kDamaged, path, error.what());
    default:
      return Failure(LockError::kDirectoryUnavailable, path, error.what());
  }
}

// Where an exception of SQLiteCpp becomes a status.
template <typename Body>
absl::Status Guard(const std::string& path, const Body& body) {
  try {
    return body();
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error, path);
  }
}

absl::Status FromErrno(int error, const std::string& path, std::string_view action) {
  return Failure(error == ENOSPC ? LockError::kFull : LockError::kDirectoryUnavailable, path,
                 fmt::format("cannot {}: {}", action, std::generic_category().message(error)));
}

// Held as long as the directory is open.
absl::StatusOr<UniqueFd> TakeFileLock(const std::string& path) {
  UniqueFd file(open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return FromErrno(errno, path + ".lock", "open it");
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return FromErrno(errno, path + ".lock", "lock it");
  return absl::FailedPreconditionError(
      fmt::format("{}: another process has this lock directory open: stop it first", path));
}

// Makes the file, for its owner only, and its name durable.
absl::Status MakeFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return errno == EEXIST ? absl::OkStatus() : FromErrno(errno, path, "make the file");
  }
  const std::string folder = FolderOf(path);
  const int error = SyncFolder(folder);
  return error == 0 ? absl::OkStatus() : FromErrno(error, folder, "sync the folder");
}

int64_t Pragma(SQLite::Database& database, const char* name) {
  return database.execAndGet(fmt::format("PRAGMA {}", name)).getInt64();
}

// SQLite's own column of a time: NULL is never.
std::optional<int64_t> SqlTime(absl::Time time) {
  if (time == absl::InfiniteFuture()) return std::nullopt;
  return absl::ToUnixMicros(time);
}

class Binder {
 public:
  explicit Binder(SQLite::Statement& statement) : statement_(statement) {}
  Binder& operator<<(int64_t value) {
    statement_.bind(++index_, value);
    return *this;
  }
  Binder& operator<<(const std::string& text) {
    statement_.bindNoCopy(++index_, text);
    return *this;
  }
  Binder& operator<<(const std::optional<int64_t>& value) {
    if (value) return *this << *value;
    statement_.bind(++index_);
    return *this;
  }

 private:
  SQLite::Statement& statement_;
  int index_ = 0;
};

StoreRow StoreRowOf(SQLite::Statement& row) {
  StoreRow store;
  store.store = row.getColumn(0).getString();
  store.token = row.getColumn(1).getInt64();
  store.session = row.getColumn(2).getString();
  store.request = row.getColumn(3).getString();
  store.reason = static_cast<GrantReason>(row.getColumn(4).getInt());
  store.position = row.getColumn(5).getInt64();
  store.end_request = row.getColumn(6).getString();
  store.end_token = row.getColumn(7).getInt64();
  store.refused = row.getColumn(8).getInt64();
  store.end = static_cast<GrantEnd>(row.getColumn(9).getInt());
  store.head.manifest = row.getColumn(10).getString();
  store.head.position = row.getColumn(11).getInt64();
  store.head.token = row.getColumn(12).getInt64();
  store.head_request = row.getColumn(13).getString();
  if (!row.isColumnNull(14)) store.wake_at = absl::FromUnixMicros(row.getColumn(14).getInt64());
  return store;
}

AuditEntry AuditEntryOf(SQLite::Statement& row) {
  return {.number = row.getColumn(0).getInt64(),
          .at = absl::FromUnixMicros(row.getColumn(1).getInt64()),
          .kind = static_cast<AuditEntry::Kind>(row.getColumn(2).getInt()),
          .store = row.getColumn(3).getString(),
          .token = row.getColumn(4).getInt64(),
          .host = row.getColumn(5).getString(),
          .by = row.getColumn(6).getString(),
          .reason = row.getColumn(7).getString(),
          .head = {.manifest = row.getColumn(8).getString(),
                   .position = row.getColumn(9).getInt64(),
                   .token = row.getColumn(10).getInt64()}};
}

class SqliteJournal final : public Journal {
 public:
  SqliteJournal(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  absl::Status Open() {
    PODKIT_RETURN_IF_ERROR(Guard(path_, [this] {
      connection_ = std::make_unique<SQLite::Database>(
          path_, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs);
      sqlite3_db_config(connection_->getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
      connection_->exec(kSettings);
      return Migrate();
    }));
    return Guard(path_, [this] {
      PrepareStatements();
      MutexLock lock(&readers_mutex_);
      reader_ = std::make_unique<SQLite::Database>(
          path_, SQLite::OPEN_READONLY | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<DurableState> Load() override {
    DurableState state;
    PODKIT_RETURN_IF_ERROR(Guard(path_, [&] { return LoadInto(state); }));
    return state;
  }

  absl::Status Commit(const Changes& changes) override {
    const absl::Status status = Guard(path_, [&] {
      connection_->exec("BEGIN IMMEDIATE");
      for (const Change& change : changes.list) {
        std::visit([this](const auto& row) { Write(row); }, change);
      }
      Run(*set_revision_,
          [&](Binder& bind) { bind << changes.revision << ChecksumOf(changes.revision); });
      connection_->exec("COMMIT");
      return absl::OkStatus();
    });
    if (!status.ok() && sqlite3_get_autocommit(connection_->getHandle()) == 0) {
      Guard(path_, [this] {
        connection_->exec("ROLLBACK");
        return absl::OkStatus();
      }).IgnoreError();
    }
    return status;
  }

  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) override {
    std::vector<AuditEntry> page;
    MutexLock lock(&readers_mutex_);
    PODKIT_RETURN_IF_ERROR(Guard(path_, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      SQLite::Statement query(*reader_,
                              "SELECT number, at, kind, store, token, host, by_whom, reason, "
                              "head_manifest, head_position, head_token FROM audit "
                              "WHERE number > ? ORDER BY number LIMIT ?");
      Binder(query) << after << kAuditPage;
      while (query.executeStep()) page.push_back(AuditEntryOf(query));
      return absl::OkStatus();
    }));
    return page;
  }

 private:
  absl::Status Migrate() {
    const int64_t id = Pragma(*connection_, "application_id");
    const int64_t version = Pragma(*connection_, "user_version");
    if (id == kApplicationId && version == kVersion) return absl::OkStatus();
    if (id == kApplicationId && version > kVersion) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: a lock directory of version {}; this software knows version {}: use a newer one",
          path_, version, kVersion));
    }
    const auto tables = connection_->execAndGet("SELECT count(*) FROM sqlite_schema").getInt64();
    if (id != 0 || version != 0 || tables != 0) {
      return absl::FailedPreconditionError(
          fmt::format("{}: a database of something else: name another file", path_));
    }
    connection_->exec("BEGIN IMMEDIATE");
    connection_->exec(kSchema);
    connection_->exec(fmt::format("INSERT INTO directory VALUES (0, {})", ChecksumOf(Revision{0})));
    connection_->exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                  kApplicationId, kVersion));
    connection_->exec("COMMIT");
    return absl::OkStatus();
  }

  void PrepareStatements() {
    SQLite::Database& database = *connection_;
    set_revision_ = std::make_unique<SQLite::Statement>(
        database, "UPDATE directory SET revision = ?, checksum = ?");
    put_session_ = std::make_unique<SQLite::Statement>(
        database, "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)");
    drop_session_ =
        std::make_unique<SQLite::Statement>(database, "DELETE FROM session WHERE id = ?");
    put_store_ =
        std::make_unique<SQLite::Statement>(database,
                                            "INSERT OR REPLACE INTO store VALUES "
                                            "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    drop_store_ = std::make_unique<SQLite::Statement>(database, "DELETE FROM store WHERE name = ?");
    add_audit_ = std::make_unique<SQLite::Statement>(
        database, "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  }

  template <typename Bind>
  static void Run(SQLite::Statement& statement, const Bind& bind) {
    statement.tryReset();
    Binder binder(statement);
    bind(binder);
    statement.exec();
  }

  void Write(const SessionRow& row) {
    Run(*put_session_, [&](Binder& bind) {
      bind << row.id << row.host << absl::ToInt64Microseconds(row.term) << int64_t{row.runs_wakeups}
           << ChecksumOf(row);
    });
  }
  void Write(const SessionGone& gone) {
    Run(*drop_session_, [&](Binder& bind) { bind << gone.id; });
  }
  void Write(const StoreRow& row) {
    Run(*put_store_, [&](Binder& bind) {
      bind << row.store << row.token << row.session << row.request
           << static_cast<int64_t>(row.reason) << row.position << row.end_request << row.end_token
           << row.refused << static_cast<int64_t>(row.end) << row.head.manifest << row.head.position
           << row.head.token << row.head_request << SqlTime(row.wake_at) << ChecksumOf(row);
    });
  }
  void Write(const StoreGone& gone) {
    Run(*drop_store_, [&](Binder& bind) { bind << gone.store; });
  }
  void Write(const AuditEntry& entry) {
    Run(*add_audit_, [&](Binder& bind) {
      bind << entry.number << absl::ToUnixMicros(entry.at) << static_cast<int64_t>(entry.kind)
           << entry.store << entry.token << entry.host << entry.by << entry.reason
           << entry.head.manifest << entry.head.position << entry.head.token;
    });
  }

  absl::Status LoadInto(DurableState& state) {
    PODKIT_RETURN_IF_ERROR(LoadRevision(state));
    PODKIT_RETURN_IF_ERROR(LoadSessions(state));
    PODKIT_RETURN_IF_ERROR(LoadStores(state));
    state.audit_entries =
        connection_->execAndGet("SELECT ifnull(max(number), 0) FROM audit").getInt64();
    return absl::OkStatus();
  }

  absl::Status LoadRevision(DurableState& state) {
    SQLite::Statement query(*connection_, "SELECT revision, checksum FROM directory");
    if (!query.executeStep()) return Damaged("the revision is missing");
    state.revision = query.getColumn(0).getInt64();
    if (query.getColumn(1).getInt64() == ChecksumOf(state.revision)) return absl::OkStatus();
    return Damaged("the revision fails its checksum");
  }

  absl::Status LoadSessions(DurableState& state) {
    SQLite::Statement query(*connection_,
                            "SELECT id, host, term, runs_wakeups, checksum FROM session");
    while (query.executeStep()) {
      SessionRow row;
      row.id = query.getColumn(0).getString();
      row.host = query.getColumn(1).getString();
      row.term = absl::Microseconds(query.getColumn(2).getInt64());
      row.runs_wakeups = query.getColumn(3).getInt() != 0;
      if (query.getColumn(4).getInt64() != ChecksumOf(row)) {
        return Damaged(fmt::format("a session of host '{}' fails its checksum", row.host));
      }
      state.sessions.emplace(row.id, row);
    }
    return absl::OkStatus();
  }

  absl::Status LoadStores(DurableState& state) {
    SQLite::Statement query(*connection_, "SELECT * FROM store");
    while (query.executeStep()) {
      StoreRow row = StoreRowOf(query);
      if (query.getColumn(15).getInt64() != ChecksumOf(row)) {
        return Damaged(fmt::format("store '{}' fails its checksum", row.store));
      }
      if (row.token > state.revision || row.head.token > state.revision) {
        return Damaged(fmt::format("store '{}' has a token beyond the revision", row.store));
      }
      if (!row.session.empty() && !state.sessions.contains(row.session)) {
        return Damaged(fmt::format("store '{}' is held by a session that is missing", row.store));
      }
      state.stores.emplace(row.store, std::move(row));
    }
    return absl::OkStatus();
  }

  absl::Status Damaged(std::string_view what) const {
    return Failure(LockError::kDamaged, path_, what);
  }

  const std::string path_;
  const UniqueFd lock_;
  std::unique_ptr<SQLite::Database> connection_;
  // Declared after the connection, which must be closed last.
  std::unique_ptr<SQLite::Statement> set_revision_;
  std::unique_ptr<SQLite::Statement> put_session_;
  std::unique_ptr<SQLite::Statement> drop_session_;
  std::unique_ptr<SQLite::Statement> put_store_;
  std::unique_ptr<SQLite::Statement> drop_store_;
  std::unique_ptr<SQLite::Statement> add_audit_;
  Mutex readers_mutex_;
  std::unique_ptr<SQLite::Database> reader_ ABSL_GUARDED_BY(readers_mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> OpenSqliteJournal(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(UniqueFd lock, TakeFileLock(path));
  PODKIT_RETURN_IF_ERROR(MakeFile(path));
  auto journal = std::make_unique<SqliteJournal>(path, std::move(lock));
  PODKIT_RETURN_IF_ERROR(journal->Open());
  return journal;
}

}  // namespace podkit::lock
