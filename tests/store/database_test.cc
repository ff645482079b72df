#include "sqlite/database.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "podkit/store/errors.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::TempDir;
using testing::ValueOf;
using Mode = Database::Mode;

// A database at `path` with one table `t` (a INTEGER PRIMARY KEY, b).
std::unique_ptr<Database> MakeTable(const std::string& path) {
  auto database = ValueOf(Database::Open(path, Mode::kReadWrite, "ann"));
  REQUIRE(database->Execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b)") == absl::OkStatus());
  return database;
}

bool Mentions(const absl::Status& status, const std::string& text) {
  UNSCOPED_INFO(status);
  return std::string(status.message()).find(text) != std::string::npos;
}

void Overwrite(const std::string& path, std::streamoff offset, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offset);
  file << bytes;
  REQUIRE(file.good());
}

// Makes the rest of the test an ordinary user: root may write everywhere.
class OrdinaryUser {
 public:
  OrdinaryUser() : was_root_(geteuid() == 0) {
    if (was_root_) REQUIRE(seteuid(65534) == 0);
  }
  ~OrdinaryUser() {
    if (was_root_ && seteuid(0) != 0) std::abort();
  }

 private:
  const bool was_root_;
};

}  // namespace

TEST_CASE("Values come back from the database as they were bound", "[store][database]") {
  const TempDir folder;
  const auto database = MakeTable(folder.File("x.sqlite"));
  const std::string bytes("\0\xff'\n", 4);
  const std::string empty;
  int64_t key = 0;
  const auto round_trip = [&](const SqlValue& value) {
    ++key;
    REQUIRE(database->Execute("INSERT INTO t VALUES (?, ?)", {key, value}) == absl::OkStatus());
    return ValueOf(
        database->QueryText("SELECT typeof(b) || ':' || hex(b) FROM t WHERE a = ?", {key}));
  };
  CHECK(round_trip(Blob{bytes}) == "blob:00FF270A");
  CHECK(round_trip(Blob{empty}) == "blob:");
  CHECK(round_trip(Blob{}) == "blob:");
  CHECK(round_trip(std::string_view("it's")) == "text:69742773");
  CHECK(round_trip(std::string_view()) == "text:");
  CHECK(round_trip(nullptr) == "null:");
  CHECK(round_trip(int64_t{-5}) == "integer:2D35");
  CHECK(ValueOf(database->QueryText("SELECT b FROM t WHERE a = 1")) == bytes);
  CHECK(ValueOf(database->QueryInteger("SELECT b FROM t WHERE a = 7")) == -5);
  CHECK(ValueOf(database->QueryInteger("SELECT b FROM t WHERE a = 6")) == std::nullopt);
  CHECK(ValueOf(database->QueryInteger("SELECT b FROM t WHERE a = 99")) == std::nullopt);
}

TEST_CASE("A query gives its rows in order and tells NULL from empty", "[store][database]") {
  const TempDir folder;
  const auto database = MakeTable(folder.File("x.sqlite"));
  REQUIRE(database->ExecuteScript("INSERT INTO t VALUES (2, 'two'), (1, NULL), (3, '')") ==
          absl::OkStatus());
  std::vector<std::string> rows;
  REQUIRE(database->Query("SELECT a, b FROM t WHERE a < ? ORDER BY a", {int64_t{9}},
                          [&](const Row& row) {
                            rows.push_back(std::to_string(row.Integer(0)) +
                                           (row.IsNull(1) ? " NULL" : " '" + row.Text(1) + "'"));
                          }) == absl::OkStatus());
  CHECK(rows == std::vector<std::string>{"1 NULL", "2 'two'", "3 ''"});
}

TEST_CASE("A statement is used again with other values", "[store][database]") {
  const TempDir folder;
  const auto database = MakeTable(folder.File("x.sqlite"));
  for (int64_t i = 0; i < 3; ++i) {
    const std::string text(static_cast<size_t>(i), 'x');
    REQUIRE(database->Execute("INSERT INTO t VALUES (?, ?)", {i, text}) == absl::OkStatus());
    CHECK(database->changes() == 1);
  }
  CHECK(ValueOf(database->QueryText("SELECT group_concat(b, '/') FROM t")) == "/x/xx");
  // What was bound before does not stay.
  REQUIRE(database->Execute("INSERT INTO t VALUES (?, ?)", {int64_t{9}}) == absl::OkStatus());
  CHECK(ValueOf(database->QueryText("SELECT b FROM t WHERE a = 9")) == std::nullopt);
}

TEST_CASE("A violated constraint is kAlreadyExists and the statement stays usable",
          "[store][database]") {
  const TempDir folder;
  const auto database = MakeTable(folder.File("x.sqlite"));
  const auto insert = [&](int64_t key) {
    return database->Execute("INSERT INTO t VALUES (?, 1)", {key});
  };
  CHECK(insert(1) == absl::OkStatus());
  CHECK(insert(1).code() == absl::StatusCode::kAlreadyExists);
  CHECK(insert(2) == absl::OkStatus());
}

TEST_CASE("Broken SQL is an internal error that names the file", "[store][database]") {
  const TempDir folder;
  const auto database = MakeTable(folder.File("x.sqlite"));
  const absl::Status status = database->Execute("INSERT INTO missing VALUES (1)");
  CHECK(status.code() == absl::StatusCode::kInternal);
  CHECK(Mentions(status, folder.File("x.sqlite")));
  CHECK(Mentions(status, "no such table: missing"));
  CHECK(database->Execute("INSERT INTO t VALUES (1, 2)", {int64_t{1}}).code() ==
        absl::StatusCode::kInternal);
}

TEST_CASE("The database is set to what the store relies on", "[store][database]") {
  const TempDir folder;
  const auto database = MakeTable(folder.File("x.sqlite"));
  CHECK(ValueOf(database->QueryText("PRAGMA journal_mode")) == "wal");
  CHECK(ValueOf(database->QueryInteger("PRAGMA synchronous")) == 2);
  CHECK(ValueOf(database->QueryInteger("PRAGMA foreign_keys")) == 1);
  CHECK(ValueOf(database->QueryInteger("PRAGMA trusted_schema")) == 0);
  CHECK(ValueOf(database->QueryInteger("PRAGMA cell_size_check")) == 1);
  // Defensive: the schema cannot be forged through SQL.
  REQUIRE(database->Execute("PRAGMA writable_schema = ON") == absl::OkStatus());
  CHECK_FALSE(database->Execute("DELETE FROM sqlite_schema") == absl::OkStatus());
}

TEST_CASE("A read-only connection sees commits and cannot write", "[store][database]") {
  const TempDir folder;
  const auto writer = MakeTable(folder.File("x.sqlite"));
  const auto reader = ValueOf(Database::Open(folder.File("x.sqlite"), Mode::kReadOnly));
  REQUIRE(writer->Execute("INSERT INTO t VALUES (1, 2)") == absl::OkStatus());
  CHECK(ValueOf(reader->QueryInteger("SELECT count(*) FROM t")) == 1);
  CHECK(reader->Execute("INSERT INTO t VALUES (2, 2)").code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(ValueOf(writer->QueryInteger("SELECT count(*) FROM t")) == 1);
}

TEST_CASE("A missing file is only made by who writes", "[store][database]") {
  const TempDir folder;
  CHECK(Database::Open(folder.File("none.sqlite"), Mode::kReadOnly).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK_FALSE(std::filesystem::exists(folder.File("none.sqlite")));
  const absl::Status status =
      Database::Open(folder.File("no/folder.sqlite"), Mode::kReadWrite).status();
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(Mentions(status, folder.File("no/folder.sqlite")));
}

TEST_CASE("A file that is no database is damaged", "[store][database]") {
  const TempDir folder;
  std::ofstream(folder.File("x.sqlite")) << std::string(5000, 'x');
  const absl::Status status =
      Database::Open(folder.File("x.sqlite"), Mode::kReadWrite, "ann").status();
  REQUIRE(GetError<StoreDamaged>(status));
  CHECK(GetError<StoreDamaged>(status)->uid == "ann");
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(Mentions(status, folder.File("x.sqlite")));
  CHECK(Mentions(status, "backup"));
}

TEST_CASE("A page that was overwritten is damage when it is read", "[store][database]") {
  const TempDir folder;
  const std::string path = folder.File("x.sqlite");
  auto database = MakeTable(path);
  for (int64_t i = 0; i < 100; ++i) {
    REQUIRE(database->Execute("INSERT INTO t VALUES (?, ?)", {i, std::string(500, 'x')}) ==
            absl::OkStatus());
  }
  database.reset();
  Overwrite(path, 4096, std::string(8192, '\x7f'));
  database = ValueOf(Database::Open(path, Mode::kReadWrite, "ann"));
  const absl::Status status = database->QueryText("SELECT max(b) FROM t").status();
  REQUIRE(GetError<StoreDamaged>(status));
  CHECK(GetError<StoreDamaged>(status)->uid == "ann");
}

TEST_CASE("A database that another one has locked is busy", "[store][database]") {
  const TempDir folder;
  const auto first = MakeTable(folder.File("x.sqlite"));
  const auto second = ValueOf(Database::Open(folder.File("x.sqlite"), Mode::kReadWrite, "ann"));
  REQUIRE(second->Execute("PRAGMA busy_timeout = 1") == absl::OkStatus());
  REQUIRE(first->Execute("BEGIN IMMEDIATE") == absl::OkStatus());
  CHECK(first->in_transaction());
  const absl::Status status = second->Execute("BEGIN IMMEDIATE");
  REQUIRE(GetError<StoreBusy>(status));
  CHECK(GetError<StoreBusy>(status)->uid == "ann");
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  REQUIRE(first->Execute("ROLLBACK") == absl::OkStatus());
  CHECK_FALSE(first->in_transaction());
  CHECK(second->Execute("BEGIN IMMEDIATE") == absl::OkStatus());
}

TEST_CASE("A folder without write permission is refused by name", "[store][database]") {
  const TempDir folder;
  REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
  std::filesystem::create_directory(folder.File("sealed"));
  REQUIRE(chmod(folder.File("sealed").c_str(), 0555) == 0);
  const OrdinaryUser user;
  const absl::Status status =
      Database::Open(folder.File("sealed/x.sqlite"), Mode::kReadWrite).status();
  CHECK(status.code() == absl::StatusCode::kPermissionDenied);
  CHECK(Mentions(status, folder.File("sealed/x.sqlite")));
}

TEST_CASE("A file that somebody else may not touch is refused by name", "[store][database]") {
  const TempDir folder;
  REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
  MakeTable(folder.File("x.sqlite"));
  REQUIRE(chmod(folder.File("x.sqlite").c_str(), 0000) == 0);
  const OrdinaryUser user;
  const absl::Status status = Database::Open(folder.File("x.sqlite"), Mode::kReadWrite).status();
  CHECK(status.code() == absl::StatusCode::kPermissionDenied);
  CHECK(Mentions(status, folder.File("x.sqlite")));
}

}  // namespace podkit::store
