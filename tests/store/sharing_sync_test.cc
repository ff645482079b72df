// Revisions: what a client that syncs a home by tokens sees of shares.
#include <string>
#include <vector>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::ShareInfo;

// ann shares; the viewer lives on her pod or on the other one.
std::string AnyViewer() { return GENERATE(as<std::string>(), "abe", "bob"); }

TEST_CASE("A share has no revision in the viewer's home until it is accepted",
          "[store][sharing][sync]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", viewer, Access::kRead, ""));
  CHECK(share.revision == 0);
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf(viewer)->ListInvitations())[0].revision == 0);
  ValueOf(cluster.HomeOf(viewer)->Accept(share.share_uid, "anns"));
  CHECK(ValueOf(cluster.HomeOf(viewer)->ListInvitations())[0].revision > 0);
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].revision == 0);
}

TEST_CASE("A change of access shows in the home's changes, with a newer revision",
          "[store][sharing][sync]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  cluster.Share("ann", "calendar", viewer, Access::kRead, "anns");
  const auto home = cluster.HomeOf(viewer);
  const int64_t before = ValueOf(home->ListInvitations())[0].revision;
  const std::string token = ValueOf(home->SyncToken());
  ValueOf(cluster.HomeOf("ann")->Invite("calendar", viewer, Access::kReadWrite, ""));
  cluster.Settle();
  CHECK(ValueOf(home->ListInvitations())[0].revision > before);
  const auto changes = ValueOf(home->ChangesSince(token, false));
  CHECK(changes.changed == std::vector<std::string>{"anns"});
  CHECK(changes.deleted.empty());
}

TEST_CASE("The changes of a home name shares that come and go", "[store][sharing][sync]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const auto home = cluster.HomeOf(viewer);
  const auto all = ValueOf(home->ChangesSince("", true));
  CHECK(all.changed == std::vector<std::string>{"calendar"});
  CHECK(all.invalid.empty());

  cluster.Share("ann", "calendar", viewer, Access::kReadWrite, "anns");
  ValueOf(cluster.Child(viewer, "calendar")->PutObject("1.ics", {Event("1")}, {}));
  auto changes = ValueOf(home->ChangesSince(all.sync_token, false));
  CHECK(changes.changed == std::vector<std::string>{"anns", "calendar"});
  CHECK(changes.invalid.empty());
  changes = ValueOf(home->ChangesSince(all.sync_token, true));
  CHECK(changes.changed == std::vector<std::string>{"anns", "calendar", "calendar/1.ics"});
  // Its members have a token of their own.
  CHECK(changes.invalid == std::vector<std::string>{"anns"});

  CHECK(cluster.Child(viewer, "calendar")->RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(cluster.HomeOf("ann")->Uninvite("calendar", viewer) == absl::OkStatus());
  cluster.Settle();
  changes = ValueOf(home->ChangesSince(changes.sync_token, true));
  CHECK(changes.changed == std::vector<std::string>{"calendar"});
  CHECK(changes.deleted == std::vector<std::string>{"anns", "calendar/1.ics"});
  CHECK(changes.invalid.empty());
  for (const char* bad : {"data:,home/99999", "data:,home/-1", "data:,home/", "nonsense"}) {
    CHECK(IsError<store::InvalidSyncToken>(home->ChangesSince(bad, false)));
  }
}

TEST_CASE("The changes of a home say which names stand for something else", "[store][sync]") {
  PodCluster cluster;
  const auto home = cluster.HomeOf("ann");
  const auto put = [&](const std::string& collection, const std::string& uid) {
    ValueOf(cluster.Child("ann", collection)->PutObject(uid + ".ics", {Event(uid)}, {}));
  };
  ValueOf(home->CreateChild("work", {}));
  put("work", "1");
  const auto all = ValueOf(home->ChangesSince("", true));
  CHECK(all.invalid.empty());
  // Another collection: nothing says that its predecessor's members are gone.
  REQUIRE(home->RemoveChild("work") == absl::OkStatus());
  ValueOf(home->CreateChild("work", {}));
  put("work", "2");
  auto changes = ValueOf(home->ChangesSince(all.sync_token, true));
  CHECK(changes.changed == std::vector<std::string>{"work", "work/2.ics"});
  CHECK(changes.deleted.empty());
  CHECK(changes.invalid == std::vector<std::string>{"work"});
  CHECK(ValueOf(home->ChangesSince(all.sync_token, false)).invalid.empty());
  // Another name: its members are older than the token.
  const std::string token = changes.sync_token;
  ValueOf(home->RenameChild("work", "plan"));
  changes = ValueOf(home->ChangesSince(token, true));
  CHECK(changes.changed == std::vector<std::string>{"plan"});
  CHECK(changes.deleted == std::vector<std::string>{"work"});
  CHECK(changes.invalid == std::vector<std::string>{"plan"});
  CHECK(ValueOf(home->ChangesSince(changes.sync_token, true)).invalid.empty());
}

}  // namespace
}  // namespace podkit::testing
