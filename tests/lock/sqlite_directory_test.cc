// What a restart, a full disk, a power loss and damage do to a directory in a file.
#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "directory_bed.h"
#include "journaled_directory.h"
#include "sqlite_journal.h"
#include "tests/support/faulty_disk.h"

namespace podkit::lock {
namespace {

using testing::FaultyDisk;

// Changes the file behind the directory's back.
void Edit(const std::string& path, const std::string& sql) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE);
  database.exec(sql);
}

TEST_CASE("A restart keeps grants, heads and tokens, and gives everybody a full term", "[sqlite]") {
  SqliteBed bed;
  OpenSession(bed.directory(), "s1", "alpha");
  const Grant ann = MustAcquire(bed.directory(), "s1", "ann", "a1");
  const Head head = ValueOf(MoveHead(bed.directory(), "s1", ann, "", "m1", "h1"));
  const Grant bob = MustAcquire(bed.directory(), "s1", "bob", "b1");
  REQUIRE(Release(bed.directory(), "s1", bob, "r1") == absl::OkStatus());
  bed.Pass(absl::Seconds(29));
  const Revision revision = ValueOf(bed.directory().List({})).revision;

  bed.Restart();
  WriteLockDirectory& directory = bed.directory();
  CHECK(ValueOf(directory.List({})).revision == revision);
  bed.Pass(absl::Seconds(29));
  const LockInfo info = ValueOf(directory.Find("ann"));
  CHECK(info.host == "alpha");
  CHECK(info.token == ann.token);
  CHECK(info.head == head);
  CHECK(info.remaining == absl::Seconds(1));
  // Requests whose answer got lost with the old process.
  CHECK(ValueOf(MoveHead(directory, "s1", ann, "", "m1", "h1")) == head);
  CHECK(MustAcquire(directory, "s1", "ann", "a1").token == ann.token);
  CHECK(Release(directory, "s1", bob, "r1") == absl::OkStatus());
  CHECK(ErrorOf(Release(directory, "s1", bob, "r2")).error == LockError::kAlreadyReleased);
  CHECK(MustAcquire(directory, "s1", "bob", "b2").token > revision);
  bed.Pass(absl::Seconds(1));
  CHECK(ErrorOf(directory.Renew("s1")).error == LockError::kSessionLost);
}

TEST_CASE("Tokens go on after the store with the greatest was deleted and the directory restarted",
          "[sqlite]") {
  SqliteBed bed;
  OpenSession(bed.directory(), "s1", "alpha");
  const Grant grant = MustAcquire(bed.directory(), "s1", "ann");
  REQUIRE(Release(bed.directory(), "s1", grant) == absl::OkStatus());
  REQUIRE(bed.directory().DeleteStore("ann", "root", "gone") == absl::OkStatus());
  bed.Restart();
  CHECK(ErrorOf(bed.directory().Find("ann")).error == LockError::kNoSuchStore);
  CHECK(MustAcquire(bed.directory(), "s1", "ann", "a2").token > grant.token);
  CHECK(ValueOf(bed.directory().ReadAudit(0)).at(0).kind == AuditEntry::Kind::kDeleted);
}

TEST_CASE("Wake-ups and the audit log survive a restart", "[sqlite]") {
  SqliteBed bed;
  OpenSession(bed.directory(), "s1", "alpha");
  const Grant grant = MustAcquire(bed.directory(), "s1", "ann");
  const absl::Time due = BedClock::Start() + absl::Hours(1) + absl::Microseconds(7);
  REQUIRE(bed.directory().SetWakeUp({"s1", "ann", grant.token}, due) == absl::OkStatus());
  REQUIRE(bed.directory().Break("ann", "root", "stuck").status() == absl::OkStatus());
  REQUIRE(bed.directory().CloseSession("s1") == absl::OkStatus());
  const auto audit = ValueOf(bed.directory().ReadAudit(0));
  bed.Restart();
  const auto kept = ValueOf(bed.directory().ReadAudit(0));
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].number == audit[0].number);
  CHECK(kept[0].at == audit[0].at);
  CHECK(kept[0].token == grant.token);
  CHECK(kept[0].by == "root");
  CHECK(kept[0].reason == "stuck");
  CHECK(ValueOf(bed.directory().Find("ann")).wake_at == due);
  bed.clock().Pass(absl::Hours(2));
  OpenSession(bed.directory(), "runner", "beta", true);
  CHECK(ValueOf(bed.directory().GrantsOf("runner")).at(0).reason == GrantReason::kWokenUp);
  CHECK_THROWS_WITH(Edit(bed.path(), "DELETE FROM audit"), Catch::Contains("only added to"));
  CHECK_THROWS_WITH(Edit(bed.path(), "UPDATE audit SET reason = ''"),
                    Catch::Contains("only added to"));
}

TEST_CASE("The file of a directory is open in one place, and for its owner only", "[sqlite]") {
  SqliteBed bed;
  const auto second = OpenSqliteDirectory(bed.path(), bed.Options());
  CHECK(second.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(second.status().message()), Catch::Contains(bed.path()));
  struct stat info = {};
  REQUIRE(stat(bed.path().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("A file of another kind or version is refused and left alone", "[sqlite]") {
  testing::TempDir folder;
  const std::string path = folder.File("other.sqlite");
  {
    SQLite::Database other(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    other.exec("CREATE TABLE calendar (name TEXT)");
  }
  CHECK(OpenSqliteDirectory(path).status().code() == absl::StatusCode::kFailedPrecondition);
  Edit(path, "INSERT INTO calendar VALUES ('still there')");
  const std::string text = folder.File("text");
  std::ofstream(text) << std::string(4096, 'x');
  CHECK(ErrorOf(OpenSqliteDirectory(text)).error == LockError::kDamaged);
  CHECK(std::filesystem::file_size(text) == 4096);
  const std::string newer = folder.File("newer.sqlite");
  CHECK(OpenSqliteDirectory(newer).status() == absl::OkStatus());
  Edit(newer, "PRAGMA user_version = 2");
  const auto refused = OpenSqliteDirectory(newer);
  CHECK(refused.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(refused.status().message()), Catch::Contains("version 2"));
  CHECK(ErrorOf(OpenSqliteDirectory(folder.File("no/such/folder"))).error ==
        LockError::kDirectoryUnavailable);
}

TEST_CASE("A row that was changed behind the directory's back is found at the next start",
          "[sqlite]") {
  const std::string changed =
      GENERATE("UPDATE store SET token = token - 1", "UPDATE store SET session = ''",
               "UPDATE store SET head_manifest = 'm0'", "UPDATE store SET wake_at = 5",
               "UPDATE session SET term = 1", "UPDATE directory SET revision = 1",
               "DELETE FROM directory", "DELETE FROM session");
  CAPTURE(changed);
  testing::TempDir folder;
  const std::string path = folder.File("locks.sqlite");
  {
    const auto directory = ValueOf(OpenSqliteDirectory(path));
    OpenSession(*directory, "s1", "alpha");
    const Grant grant = MustAcquire(*directory, "s1", "ann");
    REQUIRE(MoveHead(*directory, "s1", grant, "", "m1", "h1").status() == absl::OkStatus());
  }
  CHECK(OpenSqliteDirectory(path).status() == absl::OkStatus());
  Edit(path, changed);
  const auto damaged = OpenSqliteDirectory(path);
  CHECK(damaged.status().code() == absl::StatusCode::kDataLoss);
  CHECK(ErrorOf(damaged).error == LockError::kDamaged);
}

TEST_CASE("A revision from before the last grant is found", "[sqlite]") {
  testing::TempDir folder;
  const std::string path = folder.File("locks.sqlite");
  const std::string fresh = folder.File("fresh.sqlite");
  CHECK(OpenSqliteDirectory(fresh).status() == absl::OkStatus());
  {
    const auto directory = ValueOf(OpenSqliteDirectory(path));
    REQUIRE(directory->CreateStore("ann") == absl::OkStatus());
  }
  Edit(path, "ATTACH '" + fresh +
                 "' AS fresh; UPDATE directory SET revision = old.revision, checksum = "
                 "old.checksum FROM fresh.directory AS old");
  const auto damaged = OpenSqliteDirectory(path);
  CHECK(ErrorOf(damaged).error == LockError::kDamaged);
  CHECK_THAT(std::string(damaged.status().message()), Catch::Contains("beyond the revision"));
}

TEST_CASE("A cursor of notices from before a restart skips nothing", "[sqlite]") {
  SqliteBed bed;
  OpenSession(bed.directory(), "s1", "alpha");
  MustAcquire(bed.directory(), "s1", "ann");
  REQUIRE(bed.directory().AskToHandOver("ann", "root", "") == absl::OkStatus());
  const auto before = ValueOf(bed.directory().WaitForNotices("s1", {}, absl::ZeroDuration())).next;
  bed.Restart();
  REQUIRE(bed.directory().AskToHandOver("ann", "root", "again") == absl::OkStatus());
  const auto page = ValueOf(bed.directory().WaitForNotices("s1", before, absl::ZeroDuration()));
  CHECK(page.next.incarnation != before.incarnation);
  REQUIRE(page.notices.size() == 1);
  CHECK(page.notices[0].reason == "again");
}

TEST_CASE("A failing disk gives no grant, and the directory goes on when it is well again",
          "[sqlite]") {
  const auto operation = GENERATE(FaultyDisk::Operation::kWrite, FaultyDisk::Operation::kSync);
  const auto error = GENERATE(FaultyDisk::Error::kFull, FaultyDisk::Error::kInputOutput);
  FaultyDisk disk;
  SqliteBed bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  const Grant before = MustAcquire(directory, "s1", "ann");
  disk.FailAt(operation, 1, error, true);
  const auto failed = TryAcquire(directory, "s1", "bob");
  CHECK(ErrorOf(failed).error ==
        (error == FaultyDisk::Error::kFull ? LockError::kFull : LockError::kDirectoryUnavailable));
  REQUIRE(disk.Repair());
  // It starts from what is durable, by itself; until then it says that it cannot answer.
  auto found = directory.Find("ann");
  while (!found.ok()) {
    CHECK((ErrorOf(found).error == LockError::kFull ||
           ErrorOf(found).error == LockError::kDirectoryUnavailable));
    found = directory.Find("ann");
  }
  CHECK(found->token == before.token);
  CHECK(found->host == "alpha");
  // Whether the failed request reached the disk or not, it can be repeated.
  const Grant bob = MustAcquire(directory, "s1", "bob");
  CHECK(bob.token > before.token);
  CHECK(ErrorOf(TryAcquire(directory, "s2", "bob")).error == LockError::kAlreadyAcquired);
  bed.Restart();
  CHECK(ValueOf(bed.directory().Find("bob")).token == bob.token);
}

TEST_CASE("What was acknowledged survives a power loss", "[sqlite]") {
  const auto seed = GENERATE(range(uint64_t{1}, uint64_t{21}));
  CAPTURE(seed);
  FaultyDisk disk;
  testing::TempDir before;
  testing::TempDir after;
  std::vector<Grant> grants;
  Head head;
  {
    const auto directory = ValueOf(OpenSqliteDirectory(before.File("locks.sqlite")));
    OpenSession(*directory, "s1", "alpha");
    for (uint64_t i = 0; i < seed; ++i) {
      grants.push_back(MustAcquire(*directory, "s1", "store " + std::to_string(i)));
      head = ValueOf(MoveHead(*directory, "s1", grants.back(), "", "m", "h" + std::to_string(i)));
    }
    disk.CopyAfterPowerLoss(before.path().string(), after.path().string(), seed);
  }
  const auto directory = ValueOf(OpenSqliteDirectory(after.File("locks.sqlite")));
  for (const Grant& grant : grants) {
    const LockInfo info = ValueOf(directory->Find(grant.store));
    CHECK(info.token == grant.token);
    CHECK(info.host == "alpha");
    CHECK(info.head.manifest == "m");
  }
  CHECK(ValueOf(directory->Find(grants.back().store)).head == head);
  CHECK(MustAcquire(*directory, "s1", "next").token > head.token);
}

// A journal whose commits wait while it is held, as for a slow disk.
class HeldJournal final : public Journal {
 public:
  explicit HeldJournal(std::unique_ptr<Journal> journal) : journal_(std::move(journal)) {}

  void Hold(bool held) {
    MutexLock lock(&mutex_);
    held_ = held;
    changed_.SignalAll();
  }

  absl::StatusOr<DurableState> Load() override { return journal_->Load(); }
  absl::Status Commit(const Changes& changes) override {
    {
      MutexLock lock(&mutex_);
      while (held_) changed_.Wait(&mutex_);
    }
    return journal_->Commit(changes);
  }
  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) override {
    return journal_->ReadAudit(after);
  }

 private:
  const std::unique_ptr<Journal> journal_;
  Mutex mutex_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST_CASE("Requests that come at the same time are committed together", "[sqlite]") {
  testing::TempDir folder;
  auto journal =
      std::make_unique<HeldJournal>(ValueOf(OpenSqliteJournal(folder.File("locks.sqlite"))));
  HeldJournal& disk = *journal;
  const auto directory = ValueOf(JournaledDirectory::Open({}, std::move(journal), false));
  OpenSession(*directory, "s1", "alpha");
  const int64_t before = directory->counters().commits;
  disk.Hold(true);
  constexpr int64_t kThreads = 16;
  std::vector<std::future<bool>> granted;
  for (int64_t thread = 0; thread < kThreads; ++thread) {
    granted.push_back(std::async(std::launch::async, [&directory, thread] {
      return TryAcquire(*directory, "s1", std::to_string(thread)).ok();
    }));
  }
  while (directory->counters().requests < kThreads + 1) std::this_thread::yield();
  CHECK(directory->counters().commits == before);
  disk.Hold(false);
  for (auto& one : granted) CHECK(one.get());
  // Those that the clerk had taken when the disk became slow, and all others.
  CHECK(directory->counters().commits <= before + 2);
  CHECK(ValueOf(directory->GrantsOf("s1")).size() == kThreads);
}

TEST_CASE("Closing a directory ends the calls that wait", "[sqlite]") {
  SqliteBed bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  MustAcquire(directory, "s1", "ann");
  auto acquire = std::async(std::launch::async, [&directory] {
    return directory.Acquire(
        {.session = "s2", .request_id = "w", .store = "ann", .wait = absl::Minutes(1)});
  });
  while (ValueOf(directory.Find("ann")).waiting == 0) std::this_thread::yield();
  bed.Restart();
  CHECK(ErrorOf(acquire.get()).error == LockError::kDirectoryUnavailable);
}

}  // namespace
}  // namespace podkit::lock
