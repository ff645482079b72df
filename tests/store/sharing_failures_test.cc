// A viewer's answer that the owner's pod does not take, or not yet.
#include <fstream>
#include <string>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::NotificationKind;
using store::ShareInfo;
using store::ShareStatus;
using Names = std::vector<std::string>;

TEST_CASE(
    "Who accepts a share that was taken back has it until he hears so, and nothing of it after",
    "[store][sharing]") {
  PodCluster cluster;
  cluster.Share("abe", "calendar", "bob", Access::kRead, "abes");  // So the pods have met.
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kReadWrite, ""));
  cluster.Settle();
  cluster.network().SetFault("B", PodCluster::Fault::kRefuse);
  REQUIRE(cluster.HomeOf("ann")->Uninvite("calendar", "bob") == absl::OkStatus());
  // He cannot know yet. What is in it he does not get.
  const auto accepted = ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "anns"));
  CHECK(accepted.name == "anns");
  CHECK(IsError<store::NoSuchShare>(cluster.Child("bob", "anns")->ListObjects()));
  // His reply comes first, and finds no row.
  cluster.store("B").DeliverMessages();
  CHECK(ValueOf(cluster.store("B").PendingMessages()).empty());
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar")).empty());
  CHECK(ValueOf(cluster.HomeOf("ann")->Notifications()).empty());

  cluster.network().SetFault("B", PodCluster::Fault::kNone);
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("bob")->ListChildren()) == Names{"abes", "calendar"});
  CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).size() == 1);  // abe's.
  const auto told = ValueOf(cluster.HomeOf("bob")->Notifications());
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == NotificationKind::kRemoved);
  CHECK(told[0].share_uid == share.share_uid);
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar")).empty());
  CHECK(ValueOf(cluster.HomeOf("ann")->Notifications()).empty());
  CHECK(IsError<store::NoSuchShare>(cluster.HomeOf("bob")->Accept(share.share_uid, "anns")));
}

TEST_CASE("Who accepts while the owner's pod is down has the share when it is back",
          "[store][sharing]") {
  PodCluster cluster;
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kReadWrite, ""));
  cluster.Settle();
  cluster.network().SetFault("A", PodCluster::Fault::kRefuse);
  ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "anns"));
  cluster.Deliver();
  CHECK(ValueOf(cluster.HomeOf("bob")->ListChildren()) == Names{"anns", "calendar"});
  CHECK(IsError<store::PodUnavailable>(cluster.Child("bob", "anns")->ListObjects()));
  CHECK(ValueOf(cluster.store("B").PendingMessages()).size() == 1);
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kInvited);

  cluster.network().SetFault("A", PodCluster::Fault::kNone);
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kAccepted);
  const auto replies = ValueOf(cluster.HomeOf("ann")->Notifications());
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].status == ShareStatus::kAccepted);
  ValueOf(cluster.Child("bob", "anns")->PutObject("1.ics", {Event("1")}, {}));
  CHECK(ValueOf(cluster.Child("ann", "calendar")->CountObjects()) == 1);
}

TEST_CASE("A file that is damaged hides no message of another home", "[store][sharing]") {
  PodCluster cluster;
  cluster.network().SetFault("B", PodCluster::Fault::kRefuse);
  for (const char* uid : {"abe", "ann"}) {
    ValueOf(cluster.HomeOf(uid)->Invite("calendar", "bob", Access::kRead, ""));
  }
  cluster.Stop("A");
  std::ofstream(cluster.FileOf("abe"), std::ios::binary) << std::string(8192, 'x');
  cluster.Start("A");
  cluster.Deliver();
  const auto pending = ValueOf(cluster.store("A").PendingMessages());
  REQUIRE(pending.size() == 2);
  CHECK(pending[0].from_uid == "abe");
  CHECK(pending[0].id.empty());
  CHECK_THAT(pending[0].last_error, Catch::Contains("cannot be read"));
  CHECK(pending[1].from_uid == "ann");
  CHECK(pending[1].to_uid == "bob");
  CHECK_FALSE(pending[1].id.empty());
  // And hers goes when the other pod is back.
  cluster.network().SetFault("B", PodCluster::Fault::kNone);
  cluster.clock().Advance(absl::Hours(1));
  cluster.Deliver();
  CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).size() == 1);
  CHECK(ValueOf(cluster.store("A").PendingMessages()).size() == 1);
}

TEST_CASE("A reply that the owner's pod answers with an error waits, and undoes nothing",
          "[store][sharing]") {
  PodCluster cluster;
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kReadWrite, ""));
  cluster.Settle();
  // A pod that is being repaired, and knows no messages.
  cluster.Impersonate("A", [](conduit::Conduit&) {});
  ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "anns"));
  cluster.Deliver();
  const auto waiting = ValueOf(cluster.store("B").PendingMessages());
  REQUIRE(waiting.size() == 1);
  CHECK_FALSE(waiting[0].last_error.empty());
  CHECK(ValueOf(cluster.HomeOf("bob")->ListChildren()) == Names{"anns", "calendar"});
  cluster.Stop("A");
  cluster.Start("A");
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kAccepted);
  CHECK(ValueOf(cluster.HomeOf("ann")->Notifications()).size() == 1);
}

}  // namespace
}  // namespace podkit::testing
