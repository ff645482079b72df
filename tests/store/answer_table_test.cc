// The table of kept answers, and how older files come to have it.
#include "answers/answer_table.h"

#include <functional>
#include <memory>
#include <string>

#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "sqlite/pod_database.h"
#include "sqlite/schema.h"
#include "sqlite/user_store.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using conduit::AnswerLimits;
using conduit::JsonDocument;
using conduit::KeyedCall;
using testing::FakeClock;
using testing::TempDir;
using testing::ValueOf;

// One user store, of which only the answers matter.
class AnswerFile {
 public:
  AnswerFile() { Open(); }

  // Closes the file and opens it again.
  void Open() {
    store_ = nullptr;
    store_ = ValueOf(UserStore::Open(path(), "ann", clock.Now()));
  }
  std::string path() const { return folder_.File("ann.sqlite"); }
  UserStore& store() { return *store_; }

  KeyedCall Call(const std::string& key, const std::string& caller = "B") const {
    return {
        .caller = caller, .key = key, .command = "put", .digest = "d", .request = document_.root()};
  }
  absl::Status Keep(const std::string& key, const std::string& body = "yes",
                    const std::string& caller = "B") {
    return store_->Write([&](Database& database) {
      return KeepAnswer(database, Call(key, caller),
                        {.content_type = "application/json", .body = body}, limits, clock.Now());
    });
  }
  // The body of what is kept under the key; "none" if there is nothing.
  std::string Find(const std::string& key, const std::string& caller = "B") {
    std::string body;
    CHECK(store_->Read([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(const auto found,
                              FindAnswer(database, Call(key, caller), clock.Now()));
      body = found ? found->reply.body : "none";
      return absl::OkStatus();
    }) == absl::OkStatus());
    return body;
  }
  absl::Duration Wait(const std::string& caller = "B") {
    absl::Duration wait;
    CHECK(store_->Read([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(wait, UntilRoom(database, caller, limits, clock.Now()));
      return absl::OkStatus();
    }) == absl::OkStatus());
    return wait;
  }
  // How many rows the file has, and that they are counted as what they are.
  int64_t Rows() {
    int64_t rows = 0;
    CHECK(store_->Read([&](Database& database) -> absl::Status {
      rows = ValueOf(database.QueryInteger("SELECT count(*) FROM answer")).value_or(-1);
      CHECK(ValueOf(database.QueryInteger(
                "SELECT count(*) FROM (SELECT caller, count(*), sum(length(body)) FROM answer"
                " GROUP BY caller EXCEPT SELECT caller, keys, bytes FROM answer_caller)")) == 0);
      CHECK(ValueOf(database.QueryInteger("SELECT count(*) FROM answer_caller")) ==
            ValueOf(database.QueryInteger("SELECT count(DISTINCT caller) FROM answer")));
      return absl::OkStatus();
    }) == absl::OkStatus());
    return rows;
  }

  FakeClock clock;
  AnswerLimits limits;

 private:
  TempDir folder_;
  const JsonDocument document_ = ValueOf(JsonDocument::Parse("{}"));
  std::shared_ptr<UserStore> store_;
};

TEST_CASE("An answer is kept as it is, for the pod that called, until its time is over",
          "[store][keys]") {
  AnswerFile file;
  const std::string body("{}\0\xff", 4);
  REQUIRE(file.Keep("k", body) == absl::OkStatus());
  file.Open();
  CHECK(file.Find("k") == body);
  CHECK(file.Find("other") == "none");
  CHECK(file.Find("k", "C") == "none");
  CHECK(file.store().Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const auto found,
                            FindAnswer(database, file.Call("k"), file.clock.Now()));
    CHECK(found->command == "put");
    CHECK(found->digest == "d");
    CHECK(found->reply.status == 200);
    CHECK(found->reply.content_type == "application/json");
    return absl::OkStatus();
  }) == absl::OkStatus());
  file.clock.Advance(file.limits.window - absl::Microseconds(1));
  CHECK(file.Find("k") == body);
  file.clock.Advance(absl::Microseconds(1));
  CHECK(file.Find("k") == "none");
  // The key is as if it had never been used.
  REQUIRE(file.Keep("k", "again") == absl::OkStatus());
  CHECK(file.Find("k") == "again");
  CHECK(file.Rows() == 1);
}

TEST_CASE("A key is used once, and an answer goes with its transaction", "[store][keys]") {
  AnswerFile file;
  REQUIRE(file.Keep("k", "first") == absl::OkStatus());
  CHECK(file.Keep("k", "second").code() == absl::StatusCode::kAlreadyExists);
  CHECK(file.Find("k") == "first");
  const absl::Status failed = file.store().Write([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(
        KeepAnswer(database, file.Call("l"), {.body = "?"}, file.limits, file.clock.Now()));
    return absl::AbortedError("changed my mind");
  });
  CHECK(failed.code() == absl::StatusCode::kAborted);
  CHECK(file.Find("l") == "none");
  CHECK(file.Rows() == 1);
}

TEST_CASE("Each answer that comes takes a few with it that have expired", "[store][keys]") {
  AnswerFile file;
  for (int i = 0; i < 40; ++i) REQUIRE(file.Keep("b" + std::to_string(i)) == absl::OkStatus());
  // Of a pod that never calls again.
  for (int i = 0; i < 10; ++i) {
    REQUIRE(file.Keep("c" + std::to_string(i), "no", "C") == absl::OkStatus());
  }
  file.clock.Advance(file.limits.window / 2);
  REQUIRE(file.Keep("young") == absl::OkStatus());
  CHECK(file.Rows() == 51);
  file.clock.Advance(file.limits.window / 2);
  int come = 0;
  for (const int64_t left : {36, 21, 6, 5, 6}) {
    REQUIRE(file.Keep("n" + std::to_string(++come)) == absl::OkStatus());
    CHECK(file.Rows() == left);
  }
  CHECK(file.Find("young") == "yes");
  CHECK(file.Find("n1") == "yes");
}

TEST_CASE("A pod has room for so many answers, and what has expired makes room", "[store][keys]") {
  AnswerFile file;
  const bool by_bytes = GENERATE(false, true);
  if (by_bytes) {
    file.limits.max_bytes = 6;
  } else {
    file.limits.max_keys = 2;
  }
  CHECK(file.Wait() == absl::ZeroDuration());
  REQUIRE(file.Keep("1", "yes", "C") == absl::OkStatus());
  REQUIRE(file.Keep("1") == absl::OkStatus());
  file.clock.Advance(absl::Minutes(1));
  CHECK(file.Wait() == absl::ZeroDuration());
  REQUIRE(file.Keep("2") == absl::OkStatus());
  CHECK(file.Wait() == file.limits.window - absl::Minutes(1));
  CHECK(file.Wait("C") == absl::ZeroDuration());
  CHECK(file.Wait("D") == absl::ZeroDuration());
  file.clock.Advance(file.limits.window - absl::Minutes(1));
  CHECK(file.Wait() == absl::ZeroDuration());
  REQUIRE(file.Keep("3") == absl::OkStatus());
  CHECK(file.Rows() == 2);
  CHECK(file.Wait() == absl::Minutes(1));
}

// What the schema of a file is made of.
std::string SchemaText(Database& database) {
  std::string text;
  CHECK(database.Query("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name", {},
                       [&](const Row& row) {
                         text += row.Text(0) + " " + row.Text(1) + ": " + row.Text(2) + "\n";
                       }) == absl::OkStatus());
  return text;
}

// Makes the file as the software of an older schema version left it, with these rows.
void MakeOld(const std::string& path, Schema schema, size_t version, const std::string& rows) {
  const auto database = ValueOf(Database::Open(path, Database::Mode::kReadWrite));
  schema.steps = schema.steps.first(version);
  REQUIRE(Migrate(*database, schema) == absl::OkStatus());
  REQUIRE(ValueOf(database->QueryInteger("PRAGMA user_version")) == static_cast<int64_t>(version));
  REQUIRE(database->ExecuteScript(rows) == absl::OkStatus());
}

TEST_CASE("A user store of version 8 keeps what it has and begins to keep answers",
          "[store][keys][schema]") {
  constexpr size_t kBefore = 8;
  const TempDir folder;
  const std::string path = folder.File("ann.sqlite");
  MakeOld(path, UserStoreSchema(), kBefore,
          "INSERT INTO home VALUES ('ann', 5, 7);"
          "INSERT INTO collection VALUES ('c', '', 0, 0, 7);"
          "INSERT INTO object (id, collection_id, name, uid, component, etag, size, summary,"
          " created_at, modified_at, revision, text)"
          " VALUES ('o', 'c', '1.ics', 'u', 'VEVENT', 'e', 4, '', 0, 0, 7, 'text');");
  AnswerFile fresh;
  const auto store = ValueOf(UserStore::Open(path, "ann", fresh.clock.Now()));
  CHECK(store->Write([&](Database& database) {
    return KeepAnswer(database, fresh.Call("k"), {.body = "yes"}, {}, fresh.clock.Now());
  }) == absl::OkStatus());
  std::string fresh_schema;
  CHECK(fresh.store().Read([&](Database& database) {
    fresh_schema = SchemaText(database);
    return absl::OkStatus();
  }) == absl::OkStatus());
  CHECK(store->Read([&](Database& database) {
    CHECK(ValueOf(database.QueryText("SELECT name || etag || text FROM object")) == "1.icsetext");
    CHECK(ValueOf(database.QueryInteger("SELECT revision FROM home")) == 7);
    CHECK(ValueOf(database.QueryInteger("SELECT keys FROM answer_caller")) == 1);
    CHECK(SchemaText(database) == fresh_schema);
    return absl::OkStatus();
  }) == absl::OkStatus());
}

TEST_CASE("A pod's database gets an id of its answers once, also one of version 2",
          "[store][keys][schema]") {
  constexpr size_t kBefore = 2;
  const TempDir folder;
  const std::string old = folder.File("old.sqlite");
  MakeOld(old, PodDatabaseSchema(), kBefore,
          "INSERT INTO pod VALUES ('A'); INSERT INTO home VALUES ('ann', 5);");
  const auto id_of = [](const std::string& path) {
    const auto pod = ValueOf(PodDatabase::Open(path, "A"));
    CHECK(pod->HasHome("ann") == path.ends_with("old.sqlite"));
    return pod->answers_id();
  };
  const std::string id = id_of(old);
  CHECK(id.size() == 36);
  CHECK(id_of(old) == id);
  const std::string other = id_of(folder.File("new.sqlite"));
  CHECK(other.size() == 36);
  CHECK(other != id);
  CHECK(id_of(folder.File("new.sqlite")) == other);
}

}  // namespace
}  // namespace podkit::store
