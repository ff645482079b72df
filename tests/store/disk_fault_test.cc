// What is acknowledged is there afterwards, and what is refused is not there by half, whatever the
// disk does.
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "sqlite/user_store.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::FaultyDisk;
using testing::TempDir;
using testing::ValueOf;
using Operation = FaultyDisk::Operation;
using Error = FaultyDisk::Error;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr int kPutsInARow = 8;

// Two rows that belong together, large enough to fill some pages.
absl::Status WritePair(UserStore& store, int number) {
  const std::string id = std::to_string(number);
  return store.Write([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(
        database.Execute("INSERT INTO inbox (message_id, from_uid, received_at) VALUES (?, ?, 0)",
                         {id, std::string(3000, 'x')}));
    return database.Execute("INSERT INTO bind_tombstone (name, revision) VALUES (?, 0)", {id});
  });
}

// Opens the store so that its log is folded back into the database after every few writes.
std::shared_ptr<UserStore> OpenStore(const std::string& path) {
  auto store = ValueOf(UserStore::Open(path, "ann", kNow));
  REQUIRE(store->Write([](Database& database) {
    return database.ExecuteScript("PRAGMA wal_autocheckpoint = 10");
  }) == absl::OkStatus());
  return store;
}

// The numbers that are there. Fails the test if a pair was torn.
std::set<int> Pairs(UserStore& store) {
  std::set<int> pairs;
  CHECK(store.Read([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(database.Query("SELECT message_id FROM inbox", {}, [&](const Row& row) {
      pairs.insert(std::stoi(row.Text(0)));
    }));
    std::set<int> others;
    PODKIT_RETURN_IF_ERROR(
        database.Query("SELECT name FROM bind_tombstone", {},
                       [&](const Row& row) { others.insert(std::stoi(row.Text(0))); }));
    CHECK(pairs == others);
    CHECK(ValueOf(database.QueryText("PRAGMA integrity_check")) == "ok");
    return absl::OkStatus();
  }) == absl::OkStatus());
  return pairs;
}

bool Contains(const std::set<int>& all, const std::set<int>& part) {
  return std::includes(all.begin(), all.end(), part.begin(), part.end());
}

absl::StatusCode CodeOf(Error error) {
  return error == Error::kFull ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal;
}

// Writes on a disk whose n-th operation fails. Returns whether one failed.
bool RunWithFault(Operation operation, int64_t n, Error error, bool for_ever) {
  const TempDir folder;
  FaultyDisk disk;
  std::set<int> acknowledged;
  std::set<int> refused;
  bool failed = false;
  {
    const auto store = OpenStore(folder.File("ann.sqlite"));
    disk.FailAt(operation, n, error, for_ever);
    for (int i = 0; i < kPutsInARow; ++i) {
      const absl::Status status = WritePair(*store, i);
      (status.ok() ? acknowledged : refused).insert(i);
      if (!status.ok()) CHECK(status.code() == CodeOf(error));
    }
    // The store shows what it acknowledged, and works again without being opened anew.
    CHECK(Pairs(*store) == acknowledged);
    failed = disk.Repair();
    CHECK(WritePair(*store, 100) == absl::OkStatus());
    acknowledged.insert(100);
    CHECK(Pairs(*store) == acknowledged);
  }
  const auto store = OpenStore(folder.File("ann.sqlite"));
  CHECK(Pairs(*store) == acknowledged);
  if (!for_ever) CHECK(refused.size() <= 1);
  return failed;
}

}  // namespace

TEST_CASE("Whichever operation fails, no acknowledged write is lost and none is torn",
          "[store][fault]") {
  const Operation operation = GENERATE(Operation::kWrite, Operation::kSync);
  const Error error = GENERATE(Error::kFull, Error::kInputOutput);
  const bool for_ever = GENERATE(false, true);
  int64_t n = 1;
  while (RunWithFault(operation, n, error, for_ever)) ++n;
  // Every write is one sync at least.
  CHECK(n > kPutsInARow);
}

TEST_CASE("A full disk is told as StoreFull", "[store][fault]") {
  const TempDir folder;
  FaultyDisk disk;
  const auto store = OpenStore(folder.File("ann.sqlite"));
  disk.FailAt(Operation::kWrite, 1, Error::kFull, true);
  const absl::Status status = WritePair(*store, 1);
  CHECK(GetError<StoreFull>(status));
  CHECK(std::string(status.message()).find("ann.sqlite") != std::string::npos);
}

TEST_CASE("A store cannot be made half when the disk fails", "[store][fault]") {
  const Operation operation = GENERATE(Operation::kWrite, Operation::kSync);
  bool failed = true;
  for (int64_t n = 1; failed; ++n) {
    const TempDir folder;
    FaultyDisk disk;
    disk.FailAt(operation, n, Error::kFull, false);
    const absl::Status status = UserStore::Open(folder.File("ann.sqlite"), "ann", kNow).status();
    failed = disk.Repair();
    if (!status.ok()) CHECK(GetError<StoreFull>(status));
    const auto store = OpenStore(folder.File("ann.sqlite"));
    CHECK(WritePair(*store, 1) == absl::OkStatus());
    CHECK(Pairs(*store) == std::set<int>{1});
  }
}

TEST_CASE("What was acknowledged survives a power loss", "[store][fault]") {
  const uint64_t seed = Catch::rngSeed() != 0 ? Catch::rngSeed() : 20260302;
  CAPTURE(seed);
  const TempDir folder;
  FaultyDisk disk;
  std::set<int> acknowledged;
  std::filesystem::create_directory(folder.File("pod"));
  const auto store = OpenStore(folder.File("pod/ann.sqlite"));
  for (int i = 0; i < 60; ++i) {
    CHECK(WritePair(*store, i) == absl::OkStatus());
    acknowledged.insert(i);
    const std::string copy = folder.File("copy" + std::to_string(i));
    disk.CopyAfterPowerLoss(folder.File("pod"), copy, seed + static_cast<uint64_t>(i));
    const auto found = OpenStore(copy + "/ann.sqlite");
    CHECK(Contains(Pairs(*found), acknowledged));
  }
}

}  // namespace podkit::store
