#include "sqlite/schema.h"

#include <array>
#include <fstream>
#include <string>

#include "podkit/store/errors.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::TempDir;
using testing::ValueOf;

constexpr int64_t kId = 0x74657374;
constexpr std::array kSteps = {
    "CREATE TABLE person (name TEXT NOT NULL); INSERT INTO person VALUES ('Ann');",
    "ALTER TABLE person ADD COLUMN age INTEGER NOT NULL DEFAULT 7;",
    "CREATE TABLE pet (name TEXT); UPDATE person SET age = age + 1;"};
constexpr std::array kBrokenSteps = {
    kSteps[0], kSteps[1], "CREATE TABLE pet (name TEXT); INSERT INTO missing VALUES (1);"};

Schema Version(size_t steps) { return {kId, std::span(kSteps).first(steps)}; }

struct File {
  TempDir folder;
  std::string path = folder.File("x.sqlite");
  std::unique_ptr<Database> Open() {
    return ValueOf(Database::Open(path, Database::Mode::kReadWrite, "ann"));
  }
};

// The tables of a schema as the page of the documentation writes them: "### `name`" and a row for
// each column.
std::string TablesOf(const Schema& schema) {
  File file;
  const auto database = file.Open();
  REQUIRE(Migrate(*database, schema) == absl::OkStatus());
  std::string text;
  std::string table;
  REQUIRE(
      database->Query(
          "SELECT t.name, c.name, c.type, c.\"notnull\" FROM sqlite_schema AS t,"
          " pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
          " ORDER BY t.rowid, c.cid",
          {}, [&](const Row& row) {
            if (row.Text(0) != table) text += "### `" + row.Text(0) + "`\n";
            table = row.Text(0);
            text += "| `" + row.Text(1) + "` | " + row.Text(2) +
                    (row.Integer(3) != 0 ? " |\n" : " or NULL |\n");
          }) == absl::OkStatus());
  return text;
}

// The same from the page: what is between two of its headings.
std::string TablesInPage(const std::string& begin, const std::string& end) {
  std::ifstream page(PODKIT_DOCS "/store-schema.md");
  std::string text;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) inside = line == begin || (inside && line != end);
    if (!inside) continue;
    if (line.starts_with("### ")) text += line + "\n";
    if (!line.starts_with("| `")) continue;
    const size_t second = line.find('|', line.find('|', 1) + 1);
    text += line.substr(0, second + 1) + "\n";
  }
  return text;
}

int64_t VersionOf(Database& database) {
  return ValueOf(database.QueryInteger("PRAGMA user_version")).value_or(-1);
}

}  // namespace

TEST_CASE("An empty file gets the newest schema", "[store][schema]") {
  File file;
  const auto database = file.Open();
  REQUIRE(Migrate(*database, Version(3)) == absl::OkStatus());
  CHECK(VersionOf(*database) == 3);
  CHECK(ValueOf(database->QueryInteger("PRAGMA application_id")) == kId);
  CHECK(ValueOf(database->QueryInteger("SELECT age FROM person")) == 8);
}

TEST_CASE("An older file keeps its data and gets what is missing", "[store][schema]") {
  File file;
  for (const size_t older : {1, 2}) {
    const auto database = file.Open();
    REQUIRE(Migrate(*database, Version(older)) == absl::OkStatus());
    REQUIRE(database->Execute("INSERT INTO person (name) VALUES (?)", {"Bob"}) == absl::OkStatus());
  }
  const auto database = file.Open();
  REQUIRE(Migrate(*database, Version(3)) == absl::OkStatus());
  CHECK(VersionOf(*database) == 3);
  CHECK(ValueOf(database->QueryText("SELECT group_concat(name || age) FROM person")) ==
        "Ann8,Bob8,Bob8");
  // Once is enough.
  REQUIRE(Migrate(*database, Version(3)) == absl::OkStatus());
  CHECK(ValueOf(database->QueryInteger("SELECT max(age) FROM person")) == 8);
}

TEST_CASE("A step that fails leaves the older file as it was", "[store][schema]") {
  File file;
  const auto database = file.Open();
  REQUIRE(Migrate(*database, Version(1)) == absl::OkStatus());
  CHECK_FALSE(Migrate(*database, Schema{kId, kBrokenSteps}) == absl::OkStatus());
  CHECK_FALSE(database->in_transaction());
  CHECK(VersionOf(*database) == 1);
  CHECK(ValueOf(database->QueryInteger("SELECT count(*) FROM sqlite_schema")) == 1);
  CHECK(database->QueryInteger("SELECT age FROM person").status().code() ==
        absl::StatusCode::kInternal);
  CHECK(Migrate(*database, Version(3)) == absl::OkStatus());
}

TEST_CASE("A newer file is refused and told so", "[store][schema]") {
  File file;
  const auto database = file.Open();
  REQUIRE(Migrate(*database, Version(3)) == absl::OkStatus());
  const absl::Status status = Migrate(*database, Version(2));
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  const std::string message(status.message());
  CHECK(message.find(file.path) != std::string::npos);
  CHECK(message.find("version 3") != std::string::npos);
  CHECK(message.find("up to 2") != std::string::npos);
  CHECK(VersionOf(*database) == 3);
}

TEST_CASE("A database of something else is not touched", "[store][schema]") {
  File file;
  const auto database = file.Open();
  const std::string foreign = GENERATE(
      as<std::string>(), "CREATE TABLE photo (name TEXT)", "PRAGMA user_version = 1",
      "PRAGMA application_id = 5",
      "PRAGMA application_id = 5; PRAGMA user_version = 1; CREATE TABLE photo (name TEXT)");
  REQUIRE(database->ExecuteScript(foreign) == absl::OkStatus());
  const int64_t version = VersionOf(*database);
  const auto tables = ValueOf(database->QueryInteger("SELECT count(*) FROM sqlite_schema"));
  const absl::Status status = Migrate(*database, Version(3));
  REQUIRE(GetError<StoreDamaged>(status));
  CHECK(GetError<StoreDamaged>(status)->uid == "ann");
  CHECK(VersionOf(*database) == version);
  CHECK(ValueOf(database->QueryInteger("SELECT count(*) FROM sqlite_schema")) == tables);
}

TEST_CASE("The two schemas of the store are told apart", "[store][schema]") {
  File file;
  const auto database = file.Open();
  REQUIRE(Migrate(*database, PodDatabaseSchema()) == absl::OkStatus());
  CHECK(GetError<StoreDamaged>(Migrate(*database, UserStoreSchema())));
}

TEST_CASE("Texts of older files without alarms are known to be what viewers see",
          "[store][schema][personal]") {
  File file;
  const auto database = file.Open();
  const Schema newest = UserStoreSchema();
  REQUIRE(Migrate(*database, {newest.application_id, newest.steps.first(2)}) == absl::OkStatus());
  REQUIRE(database->Execute("INSERT INTO collection VALUES ('c', '', 0, 0, 0)") ==
          absl::OkStatus());
  const std::pair<const char*, const char*> texts[] = {{"plain", "SUMMARY:alarms\r\n"},
                                                       {"alarm", "BEGIN:VALARM\r\n"},
                                                       {"small", "begin:valarm\n"},
                                                       {"folded", "BEGIN:VA\r\n\tLA\r\n RM\r\n"}};
  for (const auto& [id, text] : texts) {
    REQUIRE(database->Execute(
                "INSERT INTO object (id, collection_id, name, uid, component, etag, size, summary,"
                " created_at, modified_at, revision, text)"
                " VALUES (?1, 'c', ?1, ?1, 'VEVENT', 'e', 5, '', 0, 0, 0, ?2)",
                {id, Blob{text}}) == absl::OkStatus());
  }
  REQUIRE(Migrate(*database, newest) == absl::OkStatus());
  CHECK(ValueOf(database->QueryText(
            "SELECT group_concat(id || shared_etag || shared_size) FROM object")) == "plaine5");
}

TEST_CASE("The documentation shows every table and column", "[store][schema]") {
  CHECK(TablesInPage("## User store", "## Pod database") == TablesOf(UserStoreSchema()));
  CHECK(TablesInPage("## Pod database", "") == TablesOf(PodDatabaseSchema()));
}

}  // namespace podkit::store
