#include "sqlite/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <map>
#include <utility>

#include "common/status_macros.h"
#include "files.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr int kBusyTimeoutMs = 5000;

// What every connection is set to. cell_size_check and trusted_schema keep a damaged or forged file
// from misleading SQLite.
constexpr const char* kSettings = R"sql(
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA journal_size_limit = 4194304;
PRAGMA cache_size = -1024;
PRAGMA temp_store = MEMORY;
PRAGMA cell_size_check = ON;
PRAGMA trusted_schema = OFF;
)sql";

// Which file, and whose: for error messages.
struct FileLabel {
  std::string path;
  std::string uid;
};

// The one translator of SQLite's errors.
absl::Status FromSqlite(const SQLite::Exception& error, int system_error, const FileLabel& file) {
  // An exception that does not come from a connection has no extended code.
  const int code = error.getErrorCode() & 0xff;
  const std::string text = fmt::format("{}: {}", file.path, error.what());
  switch (code) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
      return MakeError(StoreFull{}, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return MakeError(StoreBusy{.uid = file.uid}, text + ": try again");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return MakeError(StoreDamaged{.uid = file.uid}, text + ": restore it from a backup");
    case SQLITE_CONSTRAINT:
      return absl::AlreadyExistsError(text);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::PermissionDeniedError(text);
    default:
      break;
  }
  if (error.getExtendedErrorCode() == SQLITE_IOERR_CORRUPTFS) {
    return MakeError(StoreDamaged{.uid = file.uid}, text + ": restore it from a backup");
  }
  // The system says more than "disk I/O error" and "unable to open database file".
  if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && system_error != 0) {
    return FromErrno(system_error, code == SQLITE_IOERR ? "read or write it" : "open it",
                     file.path);
  }
  return absl::InternalError(text);
}

class StatementRow final : public Row {
 public:
  explicit StatementRow(SQLite::Statement& statement) : statement_(statement) {}
  bool IsNull(int column) const override { return statement_.isColumnNull(column); }
  int64_t Integer(int column) const override { return statement_.getColumn(column).getInt64(); }
  std::string Text(int column) const override { return statement_.getColumn(column).getString(); }

 private:
  SQLite::Statement& statement_;
};

struct Binder {
  SQLite::Statement& statement;
  int index = 0;

  void operator()(std::nullptr_t) const { statement.bind(index); }
  void operator()(int64_t value) const { statement.bind(index, value); }
  void operator()(std::string_view value) const { statement.bind(index, std::string(value)); }
  void operator()(const Blob& value) const {
    // A null pointer would be bound as NULL.
    const char* const data = value.bytes.empty() ? "" : value.bytes.data();
    statement.bindNoCopy(index, data, static_cast<int>(value.bytes.size()));
  }
};

// Makes the statement ready for its next use, however this one ends.
class StatementUse {
 public:
  StatementUse(SQLite::Statement& statement, std::initializer_list<SqlValue> values)
      : statement_(statement) {
    // Also forgets values that were bound without a copy and are gone.
    statement.clearBindings();
    Binder bind{statement};
    for (const SqlValue& value : values) {
      ++bind.index;
      std::visit(bind, value);
    }
  }
  ~StatementUse() { statement_.tryReset(); }
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;

  bool Step() { return statement_.executeStep(); }

 private:
  SQLite::Statement& statement_;
};

}  // namespace

struct Database::State {
  FileLabel file;
  std::unique_ptr<SQLite::Database> connection;  // From Open on.
  // By text. Declared after the connection, which must be closed last.
  std::map<std::string, SQLite::Statement, std::less<>> statements;

  // Runs `body`. The one place that catches what SQLiteCpp throws.
  template <typename Body>
  absl::Status Guard(const Body& body) {
    try {
      body();
      return absl::OkStatus();
    } catch (const SQLite::Exception& error) {
      const int system_error = connection ? sqlite3_system_errno(connection->getHandle()) : errno;
      return FromSqlite(error, system_error, file);
    }
  }

  SQLite::Statement& Prepare(std::string_view sql) {
    auto found = statements.find(sql);
    if (found == statements.end()) {
      std::string text(sql);
      SQLite::Statement statement(*connection, text);
      found = statements.emplace(std::move(text), std::move(statement)).first;
    }
    return found->second;
  }

  void Connect(Mode mode) {
    const int flags = mode == Mode::kReadOnly ? SQLite::OPEN_READONLY : SQLite::OPEN_READWRITE;
    connection =
        std::make_unique<SQLite::Database>(file.path, flags | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs);
    sqlite3_extended_result_codes(connection->getHandle(), 1);
    sqlite3_db_config(connection->getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    connection->exec(kSettings);
  }
};

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, Mode mode,
                                                         const std::string& uid) {
  if (mode == Mode::kReadWrite) PODKIT_RETURN_IF_ERROR(MakePrivateFile(path));
  auto state = std::make_unique<State>();
  state->file = {path, uid};
  State& opened = *state;
  errno = 0;
  PODKIT_RETURN_IF_ERROR(state->Guard([&opened, mode] { opened.Connect(mode); }));
  std::unique_ptr<Database> database(new Database(std::move(state)));
  if (mode == Mode::kReadOnly) return database;
  PODKIT_ASSIGN_OR_RETURN(const auto journal, database->QueryText("PRAGMA journal_mode = WAL"));
  if (journal != "wal") {
    return absl::FailedPreconditionError(fmt::format(
        "{}: the file system does not carry SQLite's WAL mode: use a local disk", path));
  }
  return database;
}

absl::Status Database::Execute(std::string_view sql, std::initializer_list<SqlValue> values) {
  return state_->Guard([&] {
    StatementUse use(state_->Prepare(sql), values);
    while (use.Step()) {
    }
  });
}

absl::Status Database::ExecuteScript(const std::string& sql) {
  return state_->Guard([&] { state_->connection->exec(sql); });
}

absl::Status Database::Query(std::string_view sql, std::initializer_list<SqlValue> values,
                             const std::function<void(const Row&)>& row) {
  return state_->Guard([&] {
    SQLite::Statement& statement = state_->Prepare(sql);
    StatementUse use(statement, values);
    const StatementRow present(statement);
    while (use.Step()) row(present);
  });
}

absl::StatusOr<std::optional<int64_t>> Database::QueryInteger(
    std::string_view sql, std::initializer_list<SqlValue> values) {
  std::optional<int64_t> result;
  PODKIT_RETURN_IF_ERROR(state_->Guard([&] {
    SQLite::Statement& statement = state_->Prepare(sql);
    StatementUse use(statement, values);
    const StatementRow present(statement);
    if (use.Step() && !present.IsNull(0)) result = present.Integer(0);
  }));
  return result;
}

absl::StatusOr<std::optional<std::string>> Database::QueryText(
    std::string_view sql, std::initializer_list<SqlValue> values) {
  std::optional<std::string> result;
  PODKIT_RETURN_IF_ERROR(state_->Guard([&] {
    SQLite::Statement& statement = state_->Prepare(sql);
    StatementUse use(statement, values);
    const StatementRow present(statement);
    if (use.Step() && !present.IsNull(0)) result = present.Text(0);
  }));
  return result;
}

int64_t Database::changes() const { return state_->connection->getChanges(); }

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(state_->connection->getHandle()) == 0;
}

const std::string& Database::path() const { return state_->file.path; }
const std::string& Database::uid() const { return state_->file.uid; }

}  // namespace podkit::store
