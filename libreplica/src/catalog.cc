#include "catalog.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

constexpr int kVersion = 2;  // Of the schema.

absl::Status FromSqlite(const SQLite::Exception& error, std::string_view path) {
  const std::string text = fmt::format("catalog {}: {}", path, error.what());
  switch (error.getErrorCode()) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_SCHEMA:
      return absl::FailedPreconditionError(text);
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

std::optional<ChunkName> NameOfKey(std::string_view key) {
  const auto parts = SplitText(key, '.');
  if (parts.size() != 5 || parts[3].empty()) return std::nullopt;
  const auto file_version = ParseNumber<uint64_t>(parts[2]);
  const auto id = ParseNumber<uint64_t>(parts[3].substr(1));
  const auto version = ParseNumber<uint64_t>(parts[4]);
  if (!file_version || !id || !version) return std::nullopt;
  ChunkName name = {.volume = std::string(parts[0]),
                    .file = std::string(parts[1]),
                    .file_version = *file_version,
                    .kind = parts[3][0] == 'm' ? ChunkKind::kManifest : ChunkKind::kBlock,
                    .id = *id,
                    .version = *version};
  if (!ValidateChunkName(name).ok() || KeyOf(name) != key) return std::nullopt;
  return name;
}

class Catalog::Connection {
 public:
  explicit Connection(const std::string& path)
      : database_(Prepared(path)),
        find_(database_, "SELECT hash, size, damage FROM chunks WHERE key = ?"),
        put_(database_,
             "INSERT OR REPLACE INTO chunks (key, hash, size, damage) VALUES (?, ?, ?, ?)"),
        remove_(database_, "DELETE FROM chunks WHERE key = ?"),
        next_(database_,
              "SELECT hash, size, damage, key FROM chunks WHERE key > ? ORDER BY key LIMIT 1") {}

  std::optional<Entry> Find(const std::string& key) {
    find_.reset();
    find_.bindNoCopy(1, key);
    std::optional<Entry> entry;
    if (find_.executeStep()) entry = EntryAt(find_, 0);
    find_.reset();  // Ends the read transaction.
    return entry;
  }

  std::optional<std::pair<std::string, Entry>> Next(const std::string& key) {
    next_.reset();
    next_.bindNoCopy(1, key);
    std::optional<std::pair<std::string, Entry>> found;
    if (next_.executeStep()) found.emplace(next_.getColumn(3).getString(), EntryAt(next_, 0));
    next_.reset();
    return found;
  }

  std::optional<ScrubState> LoadScrub() {
    SQLite::Statement row(database_,
                          "SELECT after, running, began, ended, passes, chunks, bytes, damaged,"
                          " mended, unchecked FROM scrub");
    if (!row.executeStep()) return std::nullopt;
    const auto number = [&row](int column) {
      return static_cast<uint64_t>(row.getColumn(column).getInt64());
    };
    const auto time = [&row](int column) {
      const int64_t ms = row.getColumn(column).getInt64();
      return ms == 0 ? absl::InfinitePast() : absl::FromUnixMillis(ms);
    };
    return ScrubState{.after = row.getColumn(0).getString(),
                      .report = {.running = number(1) != 0,
                                 .began = time(2),
                                 .ended = time(3),
                                 .passes = number(4),
                                 .chunks = number(5),
                                 .bytes = number(6),
                                 .damaged = number(7),
                                 .mended = number(8),
                                 .unchecked = number(9)}};
  }

  void SaveScrub(const ScrubState& state) {
    SQLite::Statement row(database_,
                          "INSERT OR REPLACE INTO scrub VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    row.bind(1, state.after);
    const ScrubReport& report = state.report;
    row.bind(2, report.running ? 1 : 0);
    int column = 3;
    for (const absl::Time time : {report.began, report.ended}) {
      row.bind(column++, time == absl::InfinitePast() ? int64_t{0} : absl::ToUnixMillis(time));
    }
    for (const uint64_t number : {report.passes, report.chunks, report.bytes, report.damaged,
                                  report.mended, report.unchecked}) {
      row.bind(column++, static_cast<int64_t>(number));
    }
    row.exec();
  }

  uint64_t BytesOf(const std::string& volume) {
    SQLite::Statement sum(database_,
                          "SELECT coalesce(sum(size), 0) FROM chunks WHERE key > ? AND key < ?");
    sum.bind(1, volume + '.');
    sum.bind(2, volume + '/');  // The character behind '.'.
    sum.executeStep();
    return static_cast<uint64_t>(sum.getColumn(0).getInt64());
  }

  uint64_t Damaged() {
    return static_cast<uint64_t>(
        database_.execAndGet("SELECT count(*) FROM chunks WHERE damage > 0").getInt64());
  }

  void Apply(const std::vector<Change*>& changes) {
    SQLite::Transaction transaction(database_);
    for (const Change* change : changes) {
      if (change->scrub != nullptr) {
        SaveScrub(*change->scrub);
        continue;
      }
      SQLite::Statement& statement = change->entry ? put_ : remove_;
      statement.reset();
      statement.bindNoCopy(1, change->key);
      if (change->entry) {
        statement.bind(2, change->entry->hash.bytes.data(), static_cast<int>(ChunkHash::kSize));
        statement.bind(3, static_cast<int64_t>(change->entry->size));
        statement.bind(4, static_cast<int>(change->entry->damage));
      }
      statement.exec();
      statement.reset();
    }
    transaction.commit();
  }

 private:
  // Three columns from `first` on.
  static Entry EntryAt(SQLite::Statement& row, int first) {
    const SQLite::Column hash = row.getColumn(first);
    const int damage = row.getColumn(first + 2).getInt();
    if (hash.getBytes() != static_cast<int>(ChunkHash::kSize) || damage < 0 ||
        damage > static_cast<int>(ChunkDamage::kOtherBytes)) {
      throw SQLite::Exception("a row that no gateway wrote", SQLITE_CORRUPT);
    }
    Entry entry;
    std::copy_n(static_cast<const uint8_t*>(hash.getBlob()), ChunkHash::kSize,
                entry.hash.bytes.begin());
    entry.size = static_cast<uint64_t>(row.getColumn(first + 1).getInt64());
    entry.damage = static_cast<ChunkDamage>(damage);
    return entry;
  }

  static SQLite::Database Prepared(const std::string& path) {
    SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    Upgrade(&database);
    return database;
  }

  static void Upgrade(SQLite::Database* database) {
    if (VersionOf(database) == kVersion) return;
    SQLite::Transaction transaction(*database, SQLite::TransactionBehavior::IMMEDIATE);
    const int version = VersionOf(database);
    if (version > kVersion) {
      throw SQLite::Exception("a newer version of this gateway wrote it", SQLITE_SCHEMA);
    }
    if (version < 1) {  // The first form had no version.
      database->exec(
          "CREATE TABLE IF NOT EXISTS chunks (key TEXT PRIMARY KEY, hash BLOB NOT NULL,"
          " size INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
          "ALTER TABLE chunks ADD COLUMN damage INTEGER NOT NULL DEFAULT 0;"
          "CREATE INDEX damaged_chunks ON chunks (damage) WHERE damage > 0");
    }
    if (version < 2) {
      database->exec(
          "CREATE TABLE scrub (one INTEGER PRIMARY KEY CHECK (one = 1), after TEXT NOT NULL,"
          " running INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL,"
          " passes INTEGER NOT NULL, chunks INTEGER NOT NULL, bytes INTEGER NOT NULL,"
          " damaged INTEGER NOT NULL, mended INTEGER NOT NULL, unchecked INTEGER NOT NULL) STRICT");
    }
    database->exec(fmt::format("PRAGMA user_version = {}", kVersion));
    transaction.commit();
  }

  static int VersionOf(SQLite::Database* database) {
    return database->execAndGet("PRAGMA user_version").getInt();
  }

  SQLite::Database database_;
  SQLite::Statement find_;
  SQLite::Statement put_;
  SQLite::Statement remove_;
  SQLite::Statement next_;
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

template <typename Ask>
auto Catalog::Read(const Ask& ask) -> absl::StatusOr<decltype(ask(nullptr))> {
  PODKIT_ASSIGN_OR_RETURN(auto reader, TakeReader());
  decltype(ask(nullptr)) answer;
  try {
    answer = ask(reader.get());
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error, path_);
  }
  MutexLock lock(&mutex_);
  readers_.push_back(std::move(reader));
  return answer;
}

absl::StatusOr<std::optional<Catalog::Entry>> Catalog::Find(const std::string& key) {
  return Read([&](Connection* reader) { return reader->Find(key); });
}

absl::StatusOr<uint64_t> Catalog::BytesOf(const std::string& volume) {
  return Read([&](Connection* reader) { return reader->BytesOf(volume); });
}

absl::StatusOr<uint64_t> Catalog::Damaged() {
  return Read([](Connection* reader) { return reader->Damaged(); });
}

absl::StatusOr<std::optional<std::pair<std::string, Catalog::Entry>>> Catalog::Next(
    const std::string& key) {
  return Read([&](Connection* reader) { return reader->Next(key); });
}

absl::StatusOr<std::optional<ScrubState>> Catalog::LoadScrub() {
  return Read([](Connection* reader) { return reader->LoadScrub(); });
}

absl::Status Catalog::SaveScrub(const ScrubState& state) { return Commit({.scrub = &state}); }

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
