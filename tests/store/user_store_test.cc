#include "sqlite/user_store.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "sqlite/schema.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::TempDir;
using testing::ValueOf;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

struct File {
  TempDir folder;
  std::string path = folder.File("ann.sqlite");

  std::shared_ptr<UserStore> Open() { return ValueOf(UserStore::Open(path, "ann", kNow)); }
  absl::Status OpenStatus() { return UserStore::Open(path, "ann", kNow).status(); }
};

// A write of one row into `inbox`, a table without references.
TransactionBody AddRow(const std::string& id) {
  return [id](Database& database) {
    return database.Execute(
        "INSERT INTO inbox (message_id, from_uid, received_at) VALUES (?, 'bob', 0)", {id});
  };
}

int64_t CountRows(UserStore& store) {
  std::optional<int64_t> count;
  REQUIRE(store.Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(count, database.QueryInteger("SELECT count(*) FROM inbox"));
    return absl::OkStatus();
  }) == absl::OkStatus());
  return *count;
}

// Runs `bodies` at once, so that those beside the first can share a commit.
std::vector<absl::Status> WriteTogether(UserStore& store,
                                        const std::vector<TransactionBody>& bodies) {
  std::vector<absl::Status> results(bodies.size());
  std::atomic<size_t> waiting = bodies.size();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      results[i] = store.Write(bodies[i]);
    });
  }
  for (auto& thread : threads) thread.join();
  return results;
}

}  // namespace

TEST_CASE("A new store has its home, and keeps it", "[store][user_store]") {
  File file;
  for (const char* round : {"new", "again"}) {
    INFO(round);
    const auto store = file.Open();
    CHECK(store->uid() == "ann");
    CHECK(store->Read([](Database& database) -> absl::Status {
      CHECK(ValueOf(database.QueryText("SELECT uid FROM home")) == "ann");
      CHECK(ValueOf(database.QueryInteger("SELECT created_at FROM home")) == ToSqlTime(kNow));
      CHECK(ValueOf(database.QueryInteger("SELECT revision FROM home")) == 0);
      return absl::OkStatus();
    }) == absl::OkStatus());
  }
}

TEST_CASE("Another user's file is refused", "[store][user_store]") {
  File file;
  ValueOf(UserStore::Open(file.path, "bob", kNow));
  const absl::Status status = file.OpenStatus();
  REQUIRE(GetError<StoreDamaged>(status));
  CHECK(GetError<StoreDamaged>(status)->uid == "ann");
  CHECK(std::string(status.message()).find("'bob'") != std::string::npos);
}

TEST_CASE("A store of a newer version is refused", "[store][user_store]") {
  File file;
  REQUIRE(file.Open()->Write([](Database& database) {
    return database.ExecuteScript("PRAGMA user_version = 1000");
  }) == absl::OkStatus());
  CHECK(file.OpenStatus().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Every change takes a greater revision", "[store][user_store]") {
  File file;
  for (int64_t expected = 1; expected <= 4; expected += 2) {
    const auto store = file.Open();
    CHECK(store->Write([&](Database& database) -> absl::Status {
      CHECK(ValueOf(NextRevision(database)) == expected);
      CHECK(ValueOf(NextRevision(database)) == expected + 1);
      return absl::OkStatus();
    }) == absl::OkStatus());
    // One that is given up does not count.
    CHECK(store->Write([&](Database& database) -> absl::Status {
      CHECK(ValueOf(NextRevision(database)) == expected + 2);
      return absl::AbortedError("given up");
    }) == absl::AbortedError("given up"));
  }
}

TEST_CASE("A write that fails leaves nothing, whatever it did before", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  CHECK(store->Write([](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(AddRow("a")(database));
    return absl::AbortedError("no");
  }) == absl::AbortedError("no"));
  CHECK(CountRows(*store) == 0);
  CHECK(store
            ->Write([](Database& database) -> absl::Status {
              PODKIT_RETURN_IF_ERROR(AddRow("a")(database));
              return AddRow("a")(database);
            })
            .code() == absl::StatusCode::kAlreadyExists);
  CHECK(CountRows(*store) == 0);
  CHECK(store->counters().writes == 0);
}

TEST_CASE("A write that throws fails alone", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  const absl::Status thrown = store->Write([](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(AddRow("a")(database));
    throw std::runtime_error("boom");
  });
  CHECK(thrown.code() == absl::StatusCode::kInternal);
  CHECK(std::string(thrown.message()).find("boom") != std::string::npos);
  CHECK(store->Write([](Database&) -> absl::Status { throw 1; }).code() ==
        absl::StatusCode::kInternal);
  CHECK(store->Write(AddRow("b")) == absl::OkStatus());
  CHECK(CountRows(*store) == 1);
  CHECK(store->Read([](Database&) -> absl::Status { throw 1; }).code() ==
        absl::StatusCode::kInternal);
  CHECK(CountRows(*store) == 1);
}

TEST_CASE("A write that ends its transaction is an error and does no harm", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  const TransactionBody rollback = [](Database& database) { return database.Execute("ROLLBACK"); };
  for (int round = 0; round < 20; ++round) {
    const auto results = WriteTogether(*store, {rollback, AddRow("a" + std::to_string(round)),
                                                rollback, AddRow("b" + std::to_string(round))});
    CHECK(results[0].code() == absl::StatusCode::kInternal);
    CHECK(results[2].code() == absl::StatusCode::kInternal);
  }
  const int64_t before = CountRows(*store);
  CHECK(store->Write(AddRow("last")) == absl::OkStatus());
  CHECK(CountRows(*store) == before + 1);
}

TEST_CASE("Reads see one state while a write goes on", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  REQUIRE(store->Write(AddRow("a")) == absl::OkStatus());
  CHECK(store->Read([&](Database& database) -> absl::Status {
    CHECK(ValueOf(database.QueryInteger("SELECT count(*) FROM inbox")) == 1);
    std::thread([&] { CHECK(store->Write(AddRow("b")) == absl::OkStatus()); }).join();
    CHECK(ValueOf(database.QueryInteger("SELECT count(*) FROM inbox")) == 1);
    return absl::OkStatus();
  }) == absl::OkStatus());
  CHECK(CountRows(*store) == 2);
}

TEST_CASE("A read cannot write, and its error is returned", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  CHECK(store->Read(AddRow("a")).code() == absl::StatusCode::kPermissionDenied);
  CHECK(store->Read([](Database&) { return absl::NotFoundError("x"); }) ==
        absl::NotFoundError("x"));
  CHECK(CountRows(*store) == 0);
  CHECK(store->counters().reads == 3);
}

TEST_CASE("More reads at once than connections all get their turn", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        good += store
                    ->Read([](Database& database) {
                      return database.QueryInteger("SELECT revision FROM home").status();
                    })
                    .ok();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 240);
}

TEST_CASE("Writes that wait commit together", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  constexpr int64_t kThreads = 16;
  constexpr int64_t kRounds = 30;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < kRounds; ++i) {
        const std::string id = std::to_string(t) + "/" + std::to_string(i);
        if (!store->Write(AddRow(id)).ok()) ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(CountRows(*store) == kThreads * kRounds);
  CHECK(store->counters().writes == kThreads * kRounds);
  CHECK(store->counters().commits < kThreads * kRounds);
  CHECK(store->counters().commits >= kRounds);
}

TEST_CASE("One failing write among good ones fails alone", "[store][user_store]") {
  File file;
  const auto store = file.Open();
  // Again until they did share a commit; one round does nearly always.
  for (int round = 0; round < 200; ++round) {
    const UserStore::Counters before = store->counters();
    const int64_t rows = CountRows(*store);
    const auto id = [&](int i) { return std::to_string(round) + "/" + std::to_string(i); };
    const TransactionBody fail = [&](Database& database) -> absl::Status {
      PODKIT_RETURN_IF_ERROR(AddRow(id(99))(database));
      return absl::AbortedError("this one");
    };
    const auto results = WriteTogether(*store, {AddRow(id(0)), AddRow(id(1)), fail, AddRow(id(2)),
                                                AddRow(id(3)), fail, AddRow(id(4)), AddRow(id(5))});
    for (size_t i = 0; i < results.size(); ++i) {
      CHECK(results[i] == (i == 2 || i == 5 ? absl::AbortedError("this one") : absl::OkStatus()));
    }
    CHECK(CountRows(*store) == rows + 6);
    const UserStore::Counters after = store->counters();
    CHECK(after.writes == before.writes + 6);
    if (after.commits < before.commits + 6 && round >= 20) return;
  }
  FAIL("the writes never shared a commit");
}

}  // namespace podkit::store
