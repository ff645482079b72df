#include "sqlite/user_stores.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/status_macros.h"
#include "hash.h"
#include "podkit/store/errors.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::FakeClock;
using testing::TempDir;
using testing::ValueOf;

struct Pod {
  TempDir folder;
  FakeClock clock;

  UserStoresOptions Options(size_t max_open_files = 256) {
    return {.folder = folder.File("pod"),
            .pod_id = "A",
            .max_open_files = max_open_files,
            .now = clock.function()};
  }
  std::string FileOf(const std::string& uid) {
    return folder.File("pod/users/" + Sha256Hex(uid).substr(0, 2) + "/" + uid + ".sqlite");
  }
};

mode_t ModeOf(const std::string& path) {
  struct stat found {};
  REQUIRE(stat(path.c_str(), &found) == 0);
  return found.st_mode & 0777;
}

int64_t Bump(UserStore& store) {
  int64_t revision = 0;
  REQUIRE(store.Write([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(revision, NextRevision(database));
    return absl::OkStatus();
  }) == absl::OkStatus());
  return revision;
}

}  // namespace

TEST_CASE("A user's file is made with his home when first asked for", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options()));
  CHECK(GetError<NoSuchHome>(stores->GetExisting("ann").status())->uid == "ann");
  CHECK(ValueOf(stores->ListHomes()).empty());
  const auto store = ValueOf(stores->Get("ann"));
  CHECK(store->uid() == "ann");
  CHECK(ValueOf(stores->GetExisting("ann")) == store);
  pod.clock.Advance(absl::Hours(1));
  ValueOf(stores->Get("Bob@example.com"));
  const auto homes = ValueOf(stores->ListHomes());
  REQUIRE(homes.size() == 2);
  CHECK(homes[0].uid == "Bob@example.com");
  CHECK(homes[0].created == pod.clock.Now());
  CHECK(homes[1].uid == "ann");
  CHECK(homes[1].pod == "A");
  CHECK(homes[1].created == pod.clock.Now() - absl::Hours(1));
}

TEST_CASE("Only the owner can use what the store makes", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options()));
  const auto store = ValueOf(stores->Get("ann"));
  Bump(*store);
  const std::string file = pod.FileOf("ann");
  CHECK(ModeOf(pod.folder.File("pod")) == 0700);
  CHECK(ModeOf(pod.folder.File("pod/users")) == 0700);
  CHECK(ModeOf(std::filesystem::path(file).parent_path().string()) == 0700);
  CHECK(ModeOf(pod.folder.File("pod/pod.sqlite")) == 0600);
  CHECK(ModeOf(file) == 0600);
  CHECK(ModeOf(file + "-wal") == 0600);
  CHECK(ModeOf(file + "-shm") == 0600);
}

TEST_CASE("Another process cannot take the folder", "[store][stores]") {
  Pod pod;
  auto stores = ValueOf(UserStores::Open(pod.Options()));
  const absl::Status refused = UserStores::Open(pod.Options()).status();
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(refused.message()).find("pod/lock") != std::string::npos);
  stores.reset();
  ValueOf(UserStores::Open(pod.Options()));
}

TEST_CASE("Another pod's folder is refused", "[store][stores]") {
  Pod pod;
  ValueOf(UserStores::Open(pod.Options()));
  auto options = pod.Options();
  options.pod_id = "B";
  const absl::Status refused = UserStores::Open(options).status();
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(refused.message()).find("belongs to pod 'A', not to 'B'") != std::string::npos);
}

TEST_CASE("A folder that is a file is refused by name", "[store][stores]") {
  Pod pod;
  REQUIRE(std::filesystem::copy_file("/etc/hostname", pod.folder.File("pod")));
  const absl::Status refused = UserStores::Open(pod.Options()).status();
  CHECK(refused.code() == absl::StatusCode::kNotFound);
  CHECK(std::string(refused.message()).find(pod.folder.File("pod")) != std::string::npos);
}

TEST_CASE("A uid that could leave the folder is refused", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options()));
  for (const char* uid : {"", "..", "../ann", "a/b", ".x"}) {
    CHECK(GetError<InvalidRequest>(stores->Get(uid).status()));
    CHECK(GetError<NoSuchHome>(stores->GetExisting(uid).status()));
  }
}

TEST_CASE("A home whose file is gone is damaged, not empty", "[store][stores]") {
  Pod pod;
  auto stores = ValueOf(UserStores::Open(pod.Options()));
  Bump(*ValueOf(stores->Get("ann")));
  stores.reset();
  std::filesystem::remove(pod.FileOf("ann"));
  stores = ValueOf(UserStores::Open(pod.Options()));
  for (const auto& status : {stores->Get("ann").status(), stores->GetExisting("ann").status()}) {
    CHECK(GetError<StoreDamaged>(status)->uid == "ann");
  }
  CHECK_FALSE(std::filesystem::exists(pod.FileOf("ann")));
}

TEST_CASE("A file that the pod does not know is taken up as it is", "[store][stores]") {
  Pod pod;
  auto stores = ValueOf(UserStores::Open(pod.Options()));
  const absl::Time created = pod.clock.Now();
  CHECK(Bump(*ValueOf(stores->Get("ann"))) == 1);
  stores.reset();
  for (const char* end : {"", "-wal", "-shm"}) {
    std::filesystem::remove(pod.folder.File("pod/pod.sqlite") + end);
  }
  pod.clock.Advance(absl::Hours(1));
  stores = ValueOf(UserStores::Open(pod.Options()));
  CHECK(ValueOf(stores->ListHomes()).empty());
  CHECK(Bump(*ValueOf(stores->Get("ann"))) == 2);
  CHECK(ValueOf(stores->ListHomes()).at(0).created == created);
}

TEST_CASE("Idle files are closed when too many are open", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options(2)));
  const auto held = ValueOf(stores->Get("ann"));
  for (const char* uid : {"bob", "cy", "dee"}) Bump(*ValueOf(stores->Get(uid)));
  // "ann" is held, "dee" is the newest.
  CHECK(stores->open_files() == 2);
  CHECK_FALSE(std::filesystem::exists(pod.FileOf("bob") + "-wal"));
  CHECK_FALSE(std::filesystem::exists(pod.FileOf("cy") + "-wal"));
  CHECK(std::filesystem::exists(pod.FileOf("dee") + "-wal"));
  CHECK(ValueOf(stores->Get("ann")) == held);
  CHECK(Bump(*held) == 1);
  // Closed ones come back with what they had, and their counters stay in the sum.
  CHECK(Bump(*ValueOf(stores->Get("bob"))) == 2);
  CHECK(stores->counters().writes == 5);
  CHECK(stores->counters().commits == 5);
}

TEST_CASE("The file that was used last stays open", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options(2)));
  std::weak_ptr<UserStore> ann = ValueOf(stores->Get("ann"));
  std::weak_ptr<UserStore> bob = ValueOf(stores->Get("bob"));
  CHECK(ValueOf(stores->Get("ann")) == ann.lock());
  ValueOf(stores->Get("cy"));
  CHECK(bob.expired());
  CHECK_FALSE(ann.expired());
}

TEST_CASE("All files in use stay open beyond the limit", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options(1)));
  std::vector<std::shared_ptr<UserStore>> held;
  for (const char* uid : {"ann", "bob", "cy"}) held.push_back(ValueOf(stores->Get(uid)));
  CHECK(stores->open_files() == 3);
  held.clear();
  ValueOf(stores->Get("dee"));
  CHECK(stores->open_files() == 1);
}

TEST_CASE("Idle files leave descriptors for others", "[store][stores]") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 200;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options()));
  for (int i = 0; i < 30; ++i) Bump(*ValueOf(stores->Get("user" + std::to_string(i))));
  CHECK(stores->open_files() == 20);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("Threads that ask for the same user share one store", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options()));
  constexpr size_t kThreads = 16;
  std::vector<std::shared_ptr<UserStore>> got(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      auto store = stores->Get("ann");
      if (store.ok()) got[i] = *store;
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& store : got) {
    REQUIRE(store != nullptr);
    CHECK(store == got[0]);
  }
  CHECK(stores->open_files() == 1);
}

TEST_CASE("Files opened and closed by many threads lose no write", "[store][stores]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options(2)));
  const std::vector<std::string> uids = {"ann", "bob", "cy", "dee", "eve"};
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 50; ++i) {
        auto store = stores->Get(uids[(i * (t + 1)) % uids.size()]);
        const auto bump = [](Database& database) { return NextRevision(database).status(); };
        if (!store.ok() || !(*store)->Write(bump).ok()) ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
  int64_t revisions = 0;
  for (const auto& uid : uids) revisions += Bump(*ValueOf(stores->Get(uid))) - 1;
  CHECK(revisions == 200);
  CHECK(stores->counters().writes == 205);
}

TEST_CASE("Who has messages waiting is known after a restart", "[store][stores]") {
  Pod pod;
  auto stores = ValueOf(UserStores::Open(pod.Options()));
  CHECK(stores->MarkPending("cy") == absl::OkStatus());
  CHECK(stores->MarkPending("ann") == absl::OkStatus());
  CHECK(stores->MarkPending("ann") == absl::OkStatus());
  CHECK(stores->MarkPending("bob") == absl::OkStatus());
  CHECK(stores->ClearPending("bob") == absl::OkStatus());
  CHECK(stores->ClearPending("nobody") == absl::OkStatus());
  const std::vector<std::string> expected = {"ann", "cy"};
  CHECK(ValueOf(stores->ListPending()) == expected);
  stores.reset();
  stores = ValueOf(UserStores::Open(pod.Options()));
  CHECK(ValueOf(stores->ListPending()) == expected);
}

TEST_CASE("Who asks for a home just when it goes does not make it anew", "[store][purge]") {
  Pod pod;
  const auto stores = ValueOf(UserStores::Open(pod.Options()));
  for (int i = 0; i < 200; ++i) {
    ValueOf(stores->Get("ann"));
    REQUIRE(stores->MarkPurging("ann") == absl::OkStatus());
    std::atomic<bool> asking = false;
    absl::Status asked;
    std::thread other;
    const auto gone = stores->RemoveHome(
        "ann", [](UserStore&) { return true; },
        [&] {
          other = std::thread([&] {
            asking = true;
            asked = stores->GetUntilGone("ann").status();
          });
          while (!asking) std::this_thread::yield();
          for (int pause = 0; pause < i; ++pause) std::this_thread::yield();
          return absl::OkStatus();
        });
    other.join();
    REQUIRE(gone.ok());
    CHECK(*gone);
    CHECK(GetError<NoSuchHome>(asked));
    REQUIRE_FALSE(stores->HasHome("ann"));
    REQUIRE_FALSE(std::filesystem::exists(pod.FileOf("ann")));
  }
}

}  // namespace podkit::store
