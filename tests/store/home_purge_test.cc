// A home goes for ever: everybody who knows of it is told, nothing of it is left, and whatever
// stops the purge on the way, it goes on.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "attachment_bed.h"
#include "pod_cluster.h"
#include "tests/support/faulty_disk.h"

namespace podkit::testing {
namespace {

using store::HomeElsewhere;
using store::NoSuchHome;
using store::NotificationKind;
using store::PurgedHome;
using store::ShareStatus;
using Names = std::vector<std::string>;

// bob shares with abe and cat, has abe's calendar, acts for abe, and cat acts for him.
class Known {
 public:
  Known() {
    cluster.SetGroups({{.id = "staff", .name = "Staff", .members = {"cat"}}});
    cluster.Share("bob", "calendar", "abe", Access::kReadWrite, "bobs");
    ValueOf(cluster.HomeOf("bob")->Invite("calendar", "staff", Access::kRead, ""));
    cluster.Share("abe", "calendar", "bob", Access::kRead, "abes");
    ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kRead, "Join"));
    ValueOf(cluster.HomeOf("abe")->SetDelegate("bob", Access::kRead));
    ValueOf(cluster.HomeOf("bob")->SetDelegate("cat", Access::kReadWrite));
    cluster.Settle();
  }

  absl::StatusOr<PurgedHome> Purge() { return cluster.store("B").PurgeHome("bob"); }

  // What is wrong with the world without bob's home.
  Names Leftovers() {
    Names wrong;
    const auto expect = [&](bool good, const char* what) {
      if (!good) wrong.emplace_back(what);
    };
    const auto abe = cluster.HomeOf("abe");
    const auto cat = cluster.HomeOf("cat");
    expect(ValueOf(cluster.store("B").ListHomes()).empty(), "his home");
    expect(Files() == Names(), "files");
    expect(cluster.PendingMessages() == 0, "messages");
    expect(ValueOf(abe->ListChildren()) == Names{"calendar"}, "abe's collection");
    expect(ValueOf(abe->ListInvitations()).empty(), "abe's invitation");
    expect(ValueOf(cat->ListInvitations()).empty(), "cat's invitation");
    expect(ValueOf(cat->Delegators()).empty(), "cat as a delegate");
    expect(ValueOf(abe->Delegates()).empty(), "abe's delegate");
    for (const std::string owner : {"abe", "ann"}) {
      const auto shares = ValueOf(cluster.HomeOf(owner)->ListShares("calendar"));
      expect(shares.size() == 1 && shares[0].status == ShareStatus::kDeclined, "a share with him");
    }
    return wrong;
  }
  // All files below B's folder that are a user's.
  Names Files() {
    Names files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(cluster.FolderOf("B") + "/users")) {
      if (entry.path().filename().string().starts_with("bob")) files.push_back(entry.path());
    }
    return files;
  }
  void RestartB() {
    cluster.Stop("B");
    cluster.Start("B");
  }

  PodCluster cluster{{"A", "B", "C"}};
};

TEST_CASE("A home is purged with everything that others know of it", "[store][purge]") {
  Known known;
  const auto child = known.cluster.Child("bob", "calendar");
  ValueOf(child->PutObject("1.ics", {Event("1")}, {}));
  const auto object = ValueOf(child->ObjectWith({.name = "1.ics"}));
  ValueOf(object->AddAttachment({.file_name = "a"}, From("bytes")));
  CHECK(known.Files().size() > 1);
  PurgedHome purged = ValueOf(known.Purge());
  CHECK_FALSE(purged.gone);
  CHECK(purged.messages == 6);
  CHECK(known.cluster.store("B").Stats().homes_being_purged == 1);
  // Nobody uses it meanwhile, with what he has open neither.
  CHECK(IsError<NoSuchHome>(known.cluster.store("B").HomeFor("bob", "bob")));
  CHECK(IsError<NoSuchHome>(known.cluster.Child("abe", "bobs")->ListObjects()));
  CHECK(IsError<NoSuchHome>(child->PutObject("2.ics", {Event("2")}, {})));
  CHECK(IsError<NoSuchHome>(child->ListObjects()));
  CHECK(IsError<NoSuchHome>(object->Text()));
  CHECK(IsError<NoSuchHome>(known.cluster.store("B").CheckHome("bob")));
  CHECK(ValueOf(known.Purge()).messages == 6);
}

TEST_CASE("When everybody is told, nothing is left of a home", "[store][purge]") {
  Known known;
  {
    const auto child = known.cluster.Child("bob", "calendar");
    ValueOf(child->PutObject("1.ics", {Event("1")}, {}));
    const auto object = ValueOf(child->ObjectWith({.name = "1.ics"}));
    ValueOf(object->AddAttachment({.file_name = "a"}, From("bytes")));
  }
  CHECK_FALSE(ValueOf(known.Purge()).gone);
  known.cluster.Settle();
  CHECK(known.Leftovers() == Names());
  CHECK(known.cluster.store("B").Stats().homes_being_purged == 0);
  CHECK(IsError<NoSuchHome>(known.Purge()));
  const auto told = ValueOf(known.cluster.HomeOf("abe")->Notifications());
  CHECK(told.size() == 2);  // That bob had accepted and then declined hers counts as one.
  CHECK(std::ranges::count(told, NotificationKind::kRemoved, &store::Notification::kind) == 1);
  // Both sides of what is left agree.
  for (const std::string pod : {"A", "C"}) {
    const auto result = ValueOf(known.cluster.store(pod).ReconcileShares());
    CHECK(result.healed.asked_anew + result.healed.removed + result.healed.withdrawn == 0);
  }
  // An owner who takes back what he declined makes no home for that.
  REQUIRE(known.cluster.HomeOf("abe")->Uninvite("calendar", "bob") == absl::OkStatus());
  known.cluster.Settle();
  CHECK(ValueOf(known.cluster.store("B").ListHomes()).empty());
  // While the directory has him he may begin anew.
  CHECK(ValueOf(known.cluster.HomeOf("bob")->ListChildren()) == Names{"calendar"});
  CHECK(ValueOf(known.cluster.Child("bob", "calendar")->CountObjects()) == 0);
}

TEST_CASE("A purge waits for a pod that is down, also across restarts", "[store][purge]") {
  Known known;
  known.cluster.network().SetFault("A", PodCluster::Fault::kRefuse);
  CHECK_FALSE(ValueOf(known.Purge()).gone);
  known.cluster.Deliver();
  CHECK(ValueOf(known.Purge()).messages > 0);
  known.RestartB();
  CHECK(known.cluster.store("B").Stats().homes_being_purged == 1);
  CHECK(IsError<NoSuchHome>(known.cluster.store("B").HomeFor("bob", "bob")));
  known.cluster.network().SetFault("A", PodCluster::Fault::kNone);
  known.cluster.Settle();
  CHECK(known.Leftovers() == Names());
}

TEST_CASE("What comes to a home that is being purged is turned down", "[store][purge]") {
  Known known;
  CHECK_FALSE(ValueOf(known.Purge()).gone);
  ValueOf(known.cluster.HomeOf("cat")->Invite("calendar", "bob", Access::kRead, ""));
  ValueOf(known.cluster.HomeOf("ann")->SetDelegate("bob", Access::kRead));
  known.cluster.store("C").DeliverMessages();
  known.cluster.store("A").DeliverMessages();
  known.cluster.Settle();
  CHECK(ValueOf(known.cluster.HomeOf("cat")->ListShares("calendar"))[0].status ==
        ShareStatus::kDeclined);
  CHECK(ValueOf(known.cluster.HomeOf("ann")->Delegates()).empty());
  CHECK(known.Leftovers() == Names());
}

TEST_CASE("Who holds a home open delays the end of its purge, no more", "[store][purge]") {
  Known known;
  auto held = known.cluster.HomeOf("bob");
  CHECK_FALSE(ValueOf(known.Purge()).gone);
  known.cluster.Settle();
  CHECK(ValueOf(known.Purge()).messages == 0);
  CHECK_FALSE(ValueOf(known.Purge()).gone);
  CHECK(IsError<NoSuchHome>(held->CreateChild("work", {})));
  CHECK(IsError<NoSuchHome>(held->Invite("calendar", "ann", Access::kRead, "")));
  held.reset();
  CHECK(ValueOf(known.Purge()).gone);
  CHECK(known.Leftovers() == Names());
}

TEST_CASE("A purge is refused where it could not be carried out", "[store][purge]") {
  Known known;
  CHECK(IsError<HomeElsewhere>(known.cluster.store("B").PurgeHome("ann")));
  CHECK(IsError<store::NoSuchUser>(known.cluster.store("B").PurgeHome("nobody")));
  CHECK(IsError<NoSuchHome>(known.cluster.store("B").PurgeHome("bea")));
  known.cluster.Stop("B");
  std::filesystem::resize_file(known.cluster.FileOf("bob"), 100);
  known.cluster.Start("B");
  CHECK(IsError<store::StoreDamaged>(known.Purge()));
  CHECK(known.cluster.store("B").Stats().homes_being_purged == 0);
}

// Stops at the n-th write of a database, as if the process were killed there. False if it came to
// the end before.
bool PurgeAndStopAt(int64_t n) {
  FaultyDisk disk;
  Known known;
  disk.FailAt(FaultyDisk::Operation::kWrite, n, FaultyDisk::Error::kInputOutput, true);
  static_cast<void>(known.Purge());
  for (int i = 0; i < 3; ++i) {
    known.cluster.Deliver();
    known.cluster.clock().Advance(absl::Minutes(1));
  }
  const bool stopped = disk.Repair();
  for (const std::string pod : {"A", "B", "C"}) {
    known.cluster.Stop(pod);
    known.cluster.Start(pod);
  }
  known.cluster.Settle();
  // Before it was marked it has not begun.
  if (!ValueOf(known.cluster.store("B").ListHomes()).empty()) static_cast<void>(known.Purge());
  known.cluster.Settle();
  INFO("stopped at write " << n);
  CHECK(known.Leftovers() == Names());
  return stopped;
}

TEST_CASE("A purge that is stopped at any write goes on", "[store][purge][fault]") {
  // Every write of the beginning, then some of the many of which the deliveries are made.
  int64_t n = 1;
  while (PurgeAndStopAt(n)) n += n < 12 ? 1 : 17;
  CHECK(n > 20);
}

}  // namespace
}  // namespace podkit::testing
