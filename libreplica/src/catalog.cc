#include "catalog.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

absl::Status FromSqlite(const SQLite::Exception& error, std::string_view path) {
  const std::string text = fmt::format("catalog {}: {}", path, error.what());
  switch (error.getErrorCode()) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_BUSY:
      return absl::UnavailableError(text);
    default:
      return absl::InternalError(text);
  }
}

}  // namespace

std::string KeyOf(const ChunkName& name) {
  return fmt::format("{}.{}.{}.{}{}.{}", name.volume, name.file, name.file_version,
                     name.kind == ChunkKind::kManifest ? "m" : "b", name.id, name.version);
}

class Catalog::Connection {
 public:
  explicit Connection(const std::string& path)
      : database_(Prepared(path)),
        find_(database_, "SELECT hash, size FROM chunks WHERE key = ?"),
        put_(database_, "INSERT OR REPLACE INTO chunks (key, hash, size) VALUES (?, ?, ?)"),
        remove_(database_, "DELETE FROM chunks WHERE key = ?") {}

  std::optional<Entry> Find(const std::string& key) {
    find_.reset();
    find_.bindNoCopy(1, key);
    std::optional<Entry> entry;
    if (find_.executeStep()) {
      const SQLite::Column hash = find_.getColumn(0);
      entry.emplace();
      if (hash.getBytes() != static_cast<int>(ChunkHash::kSize)) {
        throw SQLite::Exception("a hash of wrong size", SQLITE_CORRUPT);
      }
      std::copy_n(static_cast<const uint8_t*>(hash.getBlob()), ChunkHash::kSize,
                  entry->hash.bytes.begin());
      entry->size = static_cast<uint64_t>(find_.getColumn(1).getInt64());
    }
    find_.reset();  // Ends the read transaction.
    return entry;
  }

  void Apply(const std::vector<Change*>& changes) {
    SQLite::Transaction transaction(database_);
    for (const Change* change : changes) {
      SQLite::Statement& statement = change->entry ? put_ : remove_;
      statement.reset();
      statement.bindNoCopy(1, change->key);
      if (change->entry) {
        statement.bind(2, change->entry->hash.bytes.data(), static_cast<int>(ChunkHash::kSize));
        statement.bind(3, static_cast<int64_t>(change->entry->size));
      }
      statement.exec();
      statement.reset();
    }
    transaction.commit();
  }

 private:
  static SQLite::Database Prepared(const std::string& path) {
    SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000);
    database.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE IF NOT EXISTS chunks (key TEXT PRIMARY KEY, hash BLOB NOT NULL,"
        " size INTEGER NOT NULL) STRICT, WITHOUT ROWID");
    return database;
  }

  SQLite::Database database_;
  SQLite::Statement find_;
  SQLite::Statement put_;
  SQLite::Statement remove_;
};

Catalog::Catalog(std::string path) : path_(std::move(path)) {}
Catalog::~Catalog() = default;

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Open(const std::string& path) {
  std::unique_ptr<Catalog> catalog(new Catalog(path));
  try {
    catalog->writer_ = std::make_unique<Connection>(path);
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error, path);
  }
  return catalog;
}

absl::StatusOr<std::unique_ptr<Catalog::Connection>> Catalog::TakeReader() {
  {
    MutexLock lock(&mutex_);
    if (!readers_.empty()) {
      auto reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
  }
  try {
    return std::make_unique<Connection>(path_);
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error, path_);
  }
}

absl::StatusOr<std::optional<Catalog::Entry>> Catalog::Find(const std::string& key) {
  PODKIT_ASSIGN_OR_RETURN(auto reader, TakeReader());
  std::optional<Entry> entry;
  try {
    entry = reader->Find(key);
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error, path_);
  }
  MutexLock lock(&mutex_);
  readers_.push_back(std::move(reader));
  return entry;
}

absl::Status Catalog::Put(const std::string& key, const Entry& entry) {
  return Commit({.key = key, .entry = entry});
}

absl::Status Catalog::Remove(const std::string& key) { return Commit({.key = key}); }

// The first that comes commits for all who come while the commit before runs.
absl::Status Catalog::Commit(Change change) {
  std::vector<Change*> batch;
  {
    MutexLock lock(&mutex_);
    waiting_.push_back(&change);
    while (!change.done && committing_) committed_.Wait(&mutex_);
    if (change.done) return change.status;
    committing_ = true;
    batch.swap(waiting_);
  }
  absl::Status status;
  try {
    writer_->Apply(batch);
  } catch (const SQLite::Exception& error) {
    status = FromSqlite(error, path_);
  }
  MutexLock lock(&mutex_);
  committing_ = false;
  for (Change* one : batch) {
    one->status = status;
    one->done = true;
  }
  committed_.SignalAll();
  return status;
}

}  // namespace podkit::replica
