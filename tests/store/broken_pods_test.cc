// What users of two pods get when one of these is ill: docs/failure-model.md, from a disk that is
// full to keys that differ.
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "pod_cluster.h"
#include "sqlite/database.h"
#include "tests/support/faulty_disk.h"

namespace podkit::testing {
namespace {

using conduit::Outcome;
using store::Access;
using store::HomeChild;
using store::PodUnavailable;
using store::StoreDamaged;
using store::StoreFull;

// The pods file of `pod`, with another key for the other one, or without it.
enum class Mistake { kNone, kOtherKey, kLeftOut };
std::vector<conduit::Pod> PodsOf(PodCluster& cluster, const std::string& pod, Mistake mistake) {
  std::vector<conduit::Pod> known;
  for (const auto& one : cluster.conduit(pod).pods().All()) {
    if (one->id != pod && mistake == Mistake::kLeftOut) continue;
    known.push_back(*one);
    if (one->id != pod && mistake == Mistake::kOtherKey) {
      known.back().keys = {"a key that the other pod does not have"};
    }
  }
  return known;
}

// For a conduit that logs into `log`, which outlives it.
conduit::ConduitOptions LoggingTo(std::string* log) {
  return {.log = [log](conduit::LogLevel, std::string_view line) { log->append(line) += '\n'; }};
}

// Two pods, one of which lies on a disk that has no room from Fill to MakeRoom.
class FullDisk {
 public:
  explicit FullDisk(const std::string& pod) {
    // Of the other pod all that is written to is open before there is such a disk.
    for (const char* uid : {"ann", "abe", "bob", "bea"}) cluster_.HomeOf(uid);
    cluster_.Stop(pod);
    disk_ = std::make_unique<FaultyDisk>();
    cluster_.Start(pod);
  }
  PodCluster& cluster() { return cluster_; }
  void Fill() { disk_->FailAt(FaultyDisk::Operation::kWrite, 1, FaultyDisk::Error::kFull, true); }
  void MakeRoom() { REQUIRE(disk_->Repair()); }

 private:
  std::unique_ptr<FaultyDisk> disk_;  // Goes after the files on it.
  PodCluster cluster_;
};

void CheckFull(const absl::Status& status) {
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  const auto full = conduit::GetError<StoreFull>(status);
  REQUIRE(full);
  CHECK(full->object.empty());
}

// bob's pod does not reach ann's for the calendar `anns` that she shares with him. Reading and
// writing say so; he goes on with what is his own, and sees that he has the share. Returns the
// outcome of the write.
Outcome CheckOnlyTheShareIsGone(store::Store& pod_of_bob, std::string_view why) {
  const auto bob = ValueOf(pod_of_bob.HomeFor("bob", "bob"));
  const auto anns = ValueOf(bob->ChildWith({.name = "anns"}));
  const absl::Status put = anns->PutObject("2.ics", {Event("2")}, {}).status();
  for (const absl::Status& status : {anns->ListObjects().status(), put}) {
    const auto down = conduit::GetError<PodUnavailable>(status);
    REQUIRE(down);
    CHECK(down->pod == "A");
    CHECK(down->retry_after > absl::ZeroDuration());
    CHECK_THAT(std::string(status.message()), Catch::Contains(std::string(why)));
  }
  const auto own = ValueOf(bob->ChildWith({.name = "calendar"}));
  ValueOf(own->PutObject("own.ics", {Event("own")}, {}));
  CHECK(ValueOf(bob->ListChildren()) == std::vector<std::string>{"anns", "calendar"});
  const auto tokens = ValueOf(bob->SyncTokens());
  REQUIRE(tokens.size() == 2);
  CHECK(tokens[0].error == "PodUnavailable");
  CHECK(tokens[0].sync_token.empty());
  CHECK(tokens[1].error.empty());
  return conduit::OutcomeOf(put);
}

}  // namespace

TEST_CASE("When the disk of the owner's pod is full everybody is told so, and nothing is half done",
          "[store][external][fault]") {
  FullDisk disk("A");
  PodCluster& cluster = disk.cluster();
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const auto anns = cluster.Child("bob", "anns");
  const std::string etag = ValueOf(anns->PutObject("1.ics", {Event("1")}, {})).object.etag;
  const std::string token = ValueOf(anns->SyncToken());
  disk.Fill();
  for (const char* uid : {"ann", "bob"}) {
    CAPTURE(uid);
    const auto child = cluster.Child(uid, uid == std::string("ann") ? "calendar" : "anns");
    CheckFull(child->PutObject("2.ics", {Event("2")}, {}).status());
    CheckFull(child->PutObject("1.ics", {Event("1", "Another")}, {.etag = etag}).status());
    CheckFull(child->RemoveObject("1.ics", {}));
    // What is there is read as ever, and is what it was.
    CHECK(ValueOf(child->ListObjects()) == std::vector<std::string>{"1.ics"});
    CHECK(ValueOf(ValueOf(child->ObjectWith({.name = "1.ics"}))->Text()).data == Event("1"));
    CHECK(ValueOf(child->SyncToken()) == token);
  }
  CheckFull(cluster.HomeOf("ann")->Invite("calendar", "bea", Access::kRead, "").status());
  CHECK(cluster.PendingMessages() == 0);
  ValueOf(cluster.Child("bob", "calendar")->PutObject("own.ics", {Event("own")}, {}));
  // With room everything goes on, without a restart.
  disk.MakeRoom();
  ValueOf(anns->PutObject("2.ics", {Event("2")}, {.must_not_exist = true}));
  const auto changed = ValueOf(anns->ChangesSince(token)).changed;
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].name == "2.ics");
  ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bea", Access::kRead, ""));
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("bea")->ListInvitations()).size() == 1);
}

TEST_CASE("When the disk of the viewer's pod is full he has what others share, and nothing new",
          "[store][external][fault]") {
  FullDisk disk("B");
  PodCluster& cluster = disk.cluster();
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const auto bob = cluster.HomeOf("bob");
  const auto own = cluster.Child("bob", "calendar");
  disk.Fill();
  const auto anns = cluster.Child("bob", "anns");
  ValueOf(anns->PutObject("1.ics", {Event("1")}, {}));
  CHECK(ValueOf(anns->ListObjects()) == std::vector<std::string>{"1.ics"});
  CHECK(anns->RemoveObject("1.ics", {}) == absl::OkStatus());
  CheckFull(own->PutObject("own.ics", {Event("own")}, {}).status());
  CheckFull(bob->RemoveChild("anns"));
  CHECK(ValueOf(bob->ListChildren()) == std::vector<std::string>{"anns", "calendar"});
  // What others send him waits where it comes from.
  ValueOf(cluster.HomeOf("abe")->Invite("calendar", "bob", Access::kRead, ""));
  cluster.Deliver();
  CHECK(cluster.PendingMessages() == 1);
  CHECK(ValueOf(bob->ListInvitations()).size() == 1);  // ann's, which he has accepted.
  disk.MakeRoom();
  cluster.clock().Advance(absl::Minutes(1));
  cluster.Settle();
  CHECK(ValueOf(bob->ListInvitations()).size() == 2);
  CHECK(bob->RemoveChild("anns") == absl::OkStatus());
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status ==
        store::ShareStatus::kDeclined);
}

TEST_CASE("Where the keys of two pods differ each says what is wrong, until they are the same",
          "[store][external][security]") {
  const std::string changed = GENERATE(as<std::string>(), "A", "B");
  CAPTURE(changed);
  std::string log;
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.RestartWith(changed, PodsOf(cluster, changed, Mistake::kOtherKey), LoggingTo(&log));
  // A pod that has just started asks first what the other one serves: nothing else is sent.
  CHECK(CheckOnlyTheShareIsGone(cluster.store("B"), "does not accept our signature") ==
        (changed == "A" ? Outcome::kUnknown : Outcome::kNotExecuted));
  if (changed == "A") {
    CHECK_THAT(log, Catch::Contains("it says that it is from pod 'B' and is not signed with a key "
                                    "of ours"));
  }
  // Nothing came through.
  CHECK(ValueOf(cluster.Child("ann", "calendar")->CountObjects()) == 0);
  // What she has to tell the other pod waits.
  ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bea", Access::kRead, ""));
  cluster.store("A").DeliverMessages();
  CHECK(ValueOf(cluster.store("A").PendingMessages()).size() == 1);
  cluster.Stop(changed);
  cluster.Start(changed);
  ValueOf(cluster.Child("bob", "anns")->PutObject("2.ics", {Event("2")}, {}));
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("bea")->ListInvitations()).size() == 1);
}

TEST_CASE("A pod that is not in the pods file is told by name, with what to do",
          "[store][external][security]") {
  std::string log;
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  SECTION("of the viewer's pod: nothing is sent") {
    cluster.RestartWith("B", PodsOf(cluster, "B", Mistake::kLeftOut));
    CHECK(CheckOnlyTheShareIsGone(cluster.store("B"), "no pod 'A' for 'homechild-") ==
          Outcome::kNotExecuted);
    CHECK_THAT(std::string(cluster.Child("bob", "anns")->ListObjects().status().message()),
               Catch::Contains("add it to the pods file"));
  }
  SECTION("of the owner's pod: to the viewer it looks as if the keys differed") {
    cluster.RestartWith("A", PodsOf(cluster, "A", Mistake::kLeftOut), LoggingTo(&log));
    CHECK(CheckOnlyTheShareIsGone(cluster.store("B"), "does not accept our signature") ==
          Outcome::kUnknown);
    CHECK_THAT(log, Catch::Contains("it comes from a pod that is not listed here"));
  }
}

TEST_CASE("A pod does not start on a database of its own that is damaged", "[store][damage]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.Stop("A");
  const std::string file = cluster.FolderOf("A") + "/pod.sqlite";
  const std::string backup = cluster.FolderOf("A") + "/backup";
  std::filesystem::copy_file(file, backup);
  std::ofstream(file, std::ios::binary) << std::string(8192, 'x');
  const absl::Status start =
      store::Store::Open({.folder = cluster.FolderOf("A")},
                         ValueOf(store::FileUserDirectory::Create({{"ann", "Ann", "A"}})), nullptr,
                         "A")
          .status();
  const auto damaged = conduit::GetError<StoreDamaged>(start);
  REQUIRE(damaged);
  CHECK(damaged->uid.empty());
  CHECK_THAT(std::string(start.message()), Catch::Contains("pod.sqlite"));
  std::filesystem::copy_file(backup, file, std::filesystem::copy_options::overwrite_existing);
  cluster.Start("A");
  ValueOf(cluster.Child("bob", "anns")->PutObject("1.ics", {Event("1")}, {}));
}

TEST_CASE("A pod whose own database is damaged while it runs serves the homes that there are",
          "[store][damage]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const std::string file = cluster.FolderOf("A") + "/pod.sqlite";
  const std::string backup = cluster.FolderOf("A") + "/backup";
  {
    // The pod has read the file, and does so again when it sees that another one has written it.
    const auto other = ValueOf(store::Database::Open(file, store::Database::Mode::kReadWrite, ""));
    REQUIRE(other->ExecuteScript("UPDATE pod SET id = id") == absl::OkStatus());
    REQUIRE(other->ExecuteScript("PRAGMA wal_checkpoint(TRUNCATE)") == absl::OkStatus());
  }
  std::filesystem::copy_file(file, backup);
  const auto size = static_cast<std::streamsize>(std::filesystem::file_size(file));
  std::fstream(file, std::ios::binary | std::ios::in | std::ios::out)
      .write(std::string(static_cast<size_t>(size), 'x').data(), size);
  const auto check = [](const absl::Status& status) {
    const auto damaged = conduit::GetError<StoreDamaged>(status);
    REQUIRE(damaged);
    CHECK(damaged->uid.empty());
    CHECK_THAT(std::string(status.message()), Catch::Contains("pod.sqlite"));
  };
  check(cluster.store("A").HomeFor("abe", "abe").status());
  check(cluster.HomeOf("ann")->Invite("calendar", "bea", Access::kRead, "").status());
  check(cluster.store("A").ListHomes().status());
  // Who has a home goes on, from the other pod too.
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1.ics", {Event("1")}, {}));
  ValueOf(cluster.Child("bob", "anns")->PutObject("2.ics", {Event("2")}, {}));
  cluster.Stop("A");
  for (const char* end : {"-wal", "-shm"}) std::filesystem::remove(file + end);
  std::filesystem::copy_file(backup, file, std::filesystem::copy_options::overwrite_existing);
  cluster.Start("A");
  CHECK(ValueOf(cluster.Child("ann", "calendar")->CountObjects()) == 2);
  cluster.HomeOf("abe");
  CHECK(ValueOf(cluster.store("A").ListHomes()).size() == 2);
}

TEST_CASE("What is too large for the call to another pod is refused, and the rest goes on",
          "[store][external]") {
  constexpr size_t kLimit = 256 << 10;
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.RestartWith("B", PodsOf(cluster, "B", Mistake::kNone), {.max_body_bytes = kLimit});
  const auto anns = cluster.Child("bob", "anns");
  const auto check = [](const absl::Status& status, Outcome outcome) {
    const auto large = conduit::GetError<conduit::BodyTooLarge>(status);
    REQUIRE(large);
    CHECK(large->limit == int64_t{kLimit});
    CHECK(conduit::OutcomeOf(status) == outcome);
  };
  const std::string large = Event("0", std::string(kLimit, 'x'));
  check(anns->PutObject("0.ics", {large}, {}).status(), Outcome::kNotExecuted);
  CHECK(ValueOf(anns->CountObjects()) == 0);
  // It is the call that is too large, not the object.
  ValueOf(cluster.Child("ann", "calendar")->PutObject("0.ics", {large}, {}));
  std::vector<std::string> names;
  for (const char* uid : {"1", "2", "3"}) {
    names.push_back(std::string(uid) + ".ics");
    ValueOf(anns->PutObject(names.back(), {Event(uid, std::string(kLimit / 3, 'x'))}, {}));
  }
  check(anns->Multiget(names).status(), Outcome::kUnknown);
  CHECK(ValueOf(anns->Multiget({"1.ics"})).size() == 1);
  CHECK(ValueOf(anns->CountObjects()) == 4);
}

}  // namespace podkit::testing
