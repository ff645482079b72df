// Sharing between homes: the same cases on one pod and across two, by the same code.
#include <algorithm>
#include <string>

#include "messages/message.h"
#include "pod_cluster.h"
#include "sharing/share_messages.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::CollectionInfo;
using store::HomeChild;
using store::Notification;
using store::NotificationKind;
using store::Precondition;
using store::ShareInfo;
using store::ShareStatus;

// ann shares; the viewer lives on her pod or on the other one.
std::string AnyViewer() { return GENERATE(as<std::string>(), "abe", "bob"); }

std::vector<Notification> NotificationsOf(PodCluster& cluster, const std::string& uid) {
  return ValueOf(cluster.HomeOf(uid)->Notifications());
}

TEST_CASE("A collection is shared with nobody at first", "[store][sharing]") {
  PodCluster cluster;
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar")).empty());
  CHECK_FALSE(cluster.Child("ann", "calendar")->info().shared_by_owner);
  CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).empty());
  CHECK(NotificationsOf(cluster, "bob").empty());
}

TEST_CASE("An invitation is seen on both sides and shows nothing until it is accepted",
          "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const ShareInfo share = ValueOf(
      cluster.HomeOf("ann")->Invite("calendar", viewer, Access::kReadWrite, "Plan with me"));
  cluster.Settle();

  const auto shares = ValueOf(cluster.HomeOf("ann")->ListShares("calendar"));
  REQUIRE(shares.size() == 1);
  CHECK(shares[0].share_uid == share.share_uid);
  CHECK(shares[0].viewer_uid == viewer);
  CHECK(shares[0].access == Access::kReadWrite);
  CHECK(shares[0].status == ShareStatus::kInvited);
  CHECK(cluster.Child("ann", "calendar")->info().shared_by_owner);

  const auto invitations = ValueOf(cluster.HomeOf(viewer)->ListInvitations());
  REQUIRE(invitations.size() == 1);
  CHECK(invitations[0].share_uid == share.share_uid);
  CHECK(invitations[0].owner_uid == "ann");
  CHECK(invitations[0].summary == "Plan with me");
  CHECK(ValueOf(cluster.HomeOf(viewer)->ListChildren()) == std::vector<std::string>{"calendar"});

  const auto notifications = NotificationsOf(cluster, viewer);
  REQUIRE(notifications.size() == 1);
  CHECK(notifications[0].kind == NotificationKind::kInvite);
  CHECK(notifications[0].from_uid == "ann");

  CHECK(cluster.HomeOf("ann")->Uninvite("calendar", viewer) == absl::OkStatus());
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar")).empty());
  CHECK(ValueOf(cluster.HomeOf(viewer)->ListInvitations()).empty());
  CHECK(NotificationsOf(cluster, viewer).empty());
  CHECK_FALSE(cluster.Child("ann", "calendar")->info().shared_by_owner);
}

TEST_CASE("An accepted share shows at the viewer and is reported to the owner",
          "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const ShareInfo share = cluster.Share("ann", "calendar", viewer, Access::kReadWrite, "anns");

  const auto child = cluster.Child(viewer, "anns");
  CHECK(child->info().owner_uid == "ann");
  CHECK(child->info().viewer_uid == viewer);
  CHECK(child->info().share_uid == share.share_uid);
  CHECK(child->info().access == Access::kReadWrite);
  CHECK(child->info().id == cluster.Child("ann", "calendar")->info().id);
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kAccepted);

  const auto replies = NotificationsOf(cluster, "ann");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].kind == NotificationKind::kReply);
  CHECK(replies[0].status == ShareStatus::kAccepted);
  CHECK(replies[0].from_uid == viewer);
  CHECK(NotificationsOf(cluster, viewer).empty());

  SECTION("accepting again changes nothing") {
    const std::string token = ValueOf(cluster.HomeOf(viewer)->SyncToken());
    CHECK(ValueOf(cluster.HomeOf(viewer)->Accept(share.share_uid, "other")).name == "anns");
    cluster.Settle();
    CHECK(ValueOf(cluster.HomeOf(viewer)->SyncToken()) == token);
    CHECK(NotificationsOf(cluster, "ann").size() == 1);
  }
}

TEST_CASE("A declined invitation shows nothing and is reported to the owner", "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", viewer, Access::kRead, ""));
  cluster.Settle();
  CHECK(cluster.HomeOf(viewer)->Decline(share.share_uid) == absl::OkStatus());
  CHECK(cluster.HomeOf(viewer)->Decline(share.share_uid) == absl::OkStatus());
  cluster.Settle();
  const auto first = NotificationsOf(cluster, "ann");
  REQUIRE(first.size() == 1);
  const std::string token = ValueOf(cluster.HomeOf("ann")->SyncToken());
  SECTION("declining again, after the owner has heard of it, changes nothing") {
    CHECK(cluster.HomeOf(viewer)->Decline(share.share_uid) == absl::OkStatus());
    cluster.Settle();
    CHECK(ValueOf(cluster.HomeOf("ann")->SyncToken()) == token);
    CHECK(NotificationsOf(cluster, "ann")[0].id == first[0].id);
  }
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kDeclined);
  CHECK(ValueOf(cluster.HomeOf(viewer)->ListChildren()) == std::vector<std::string>{"calendar"});
  const auto replies = NotificationsOf(cluster, "ann");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].status == ShareStatus::kDeclined);
  CHECK(NotificationsOf(cluster, viewer).empty());
}

TEST_CASE("An accepted share can be declined, left, and accepted again", "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const ShareInfo share = cluster.Share("ann", "calendar", viewer, Access::kReadWrite, "anns");
  SECTION("declined") {
    CHECK(cluster.HomeOf(viewer)->Decline(share.share_uid) == absl::OkStatus());
  }
  SECTION("left by removing the collection") {
    CHECK(cluster.HomeOf(viewer)->RemoveChild("anns") == absl::OkStatus());
  }
  cluster.Settle();
  CHECK(IsError<store::NoSuchCollection>(cluster.HomeOf(viewer)->ChildWith({.name = "anns"})));
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kDeclined);
  // The owner is told, in the place of what she was told before.
  const auto told = NotificationsOf(cluster, "ann");
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == NotificationKind::kReply);
  CHECK(told[0].status == ShareStatus::kDeclined);
  CHECK(told[0].from_uid == viewer);
  // The owner's collection is unharmed.
  CHECK(ValueOf(cluster.HomeOf("ann")->ListChildren()) == std::vector<std::string>{"calendar"});

  ValueOf(cluster.HomeOf(viewer)->Accept(share.share_uid, "again"));
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kAccepted);
  CHECK(ValueOf(cluster.Child(viewer, "again")->CountObjects()) == 0);
  REQUIRE(NotificationsOf(cluster, "ann").size() == 1);
  CHECK(NotificationsOf(cluster, "ann")[0].status == ShareStatus::kAccepted);
}

TEST_CASE("Who declined can be invited again", "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const ShareInfo share = cluster.Share("ann", "calendar", viewer, Access::kRead, "anns");
  CHECK(cluster.HomeOf(viewer)->Decline(share.share_uid) == absl::OkStatus());
  cluster.Settle();
  const ShareInfo again =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", viewer, Access::kReadWrite, "Please"));
  CHECK(again.share_uid == share.share_uid);
  CHECK(again.status == ShareStatus::kInvited);
  cluster.Settle();
  const auto notifications = NotificationsOf(cluster, viewer);
  REQUIRE(notifications.size() == 1);
  CHECK(notifications[0].summary == "Please");
  ValueOf(cluster.HomeOf(viewer)->Accept(share.share_uid, "anns"));
  cluster.Settle();
  CHECK(cluster.Child(viewer, "anns")->info().access == Access::kReadWrite);
}

TEST_CASE("A collection that is deleted and made anew under its name is another one to share",
          "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  const ShareInfo old = cluster.Share("ann", "calendar", viewer, Access::kReadWrite, "anns");
  CHECK(cluster.HomeOf("ann")->RemoveChild("calendar") == absl::OkStatus());
  cluster.Settle();
  CHECK(IsError<store::NoSuchCollection>(cluster.HomeOf(viewer)->ChildWith({.name = "anns"})));
  const auto notifications = NotificationsOf(cluster, viewer);
  REQUIRE(notifications.size() == 1);
  CHECK(notifications[0].kind == NotificationKind::kRemoved);

  ValueOf(cluster.HomeOf("ann")->CreateChild("calendar", {}));
  const ShareInfo renewed = cluster.Share("ann", "calendar", viewer, Access::kReadWrite, "anns");
  CHECK(renewed.share_uid != old.share_uid);
  CHECK(ValueOf(cluster.Child(viewer, "anns")->CountObjects()) == 0);
}

TEST_CASE("A share begins transparent, with the owner's properties, and is the viewer's to change",
          "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  ValueOf(cluster.HomeOf("ann")->CreateChild(
      "team", {.display_name = "The team", .color = "#FF0000", .components = {{"VEVENT"}}}));
  cluster.Share("ann", "team", viewer, Access::kRead, "");
  const CollectionInfo shown = cluster.Child(viewer, "The team")->info();
  CHECK(shown.transparent);
  CHECK(shown.display_name == "The team");
  CHECK(shown.color == "#FF0000");
  CHECK(shown.components == std::vector<std::string>{"VEVENT"});

  ValueOf(cluster.HomeOf(viewer)->SetProperties("The team",
                                                {.color = "#00FF00", .transparent = false}));
  ValueOf(cluster.HomeOf(viewer)->RenameChild("The team", "work"));
  CHECK(cluster.Child(viewer, "work")->info().color == "#00FF00");
  CHECK_FALSE(cluster.Child(viewer, "work")->info().transparent);
  CHECK(cluster.Child("ann", "team")->info().color == "#FF0000");
  CHECK_FALSE(cluster.Child("ann", "team")->info().transparent);
}

TEST_CASE("A collection has the same id and sync token for everybody on every pod",
          "[store][sharing]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "abe", Access::kRead, "anns");
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const auto own = cluster.Child("ann", "calendar");
  for (const char* viewer : {"abe", "bob"}) {
    const auto seen = cluster.Child(viewer, "anns");
    CHECK(seen->info().id == own->info().id);
    CHECK(ValueOf(seen->SyncToken()) == ValueOf(own->SyncToken()));
  }
}

TEST_CASE("Two viewers on one pod share without disturbing each other", "[store][sharing]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.Share("ann", "calendar", "bea", Access::kRead, "anns");
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar")).size() == 2);
  ValueOf(cluster.Child("bob", "anns")->PutObject("1.ics", {Event("1")}, {}));
  CHECK(ValueOf(cluster.Child("bea", "anns")->ListObjects()) == std::vector<std::string>{"1.ics"});
  CHECK(cluster.HomeOf("ann")->Uninvite("calendar", "bob") == absl::OkStatus());
  cluster.Settle();
  CHECK(IsError<store::NoSuchCollection>(cluster.HomeOf("bob")->ChildWith({.name = "anns"})));
  CHECK(ValueOf(cluster.Child("bea", "anns")->CountObjects()) == 1);
}

TEST_CASE("An invitation to a pod that is down arrives when it is back", "[store][sharing]") {
  PodCluster cluster;
  cluster.network().SetFault("B", PodCluster::Fault::kRefuse);
  ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kRead, ""));
  cluster.Deliver();
  const auto pending = ValueOf(cluster.store("A").PendingMessages());
  REQUIRE(pending.size() == 1);
  CHECK(pending[0].from_uid == "ann");
  CHECK(pending[0].to_uid == "bob");
  CHECK(pending[0].attempts == 1);
  CHECK_FALSE(pending[0].last_error.empty());
  CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).empty());

  cluster.network().SetFault("B", PodCluster::Fault::kNone);
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).size() == 1);
}

TEST_CASE(
    "A share that is taken back while the viewer's pod is down is refused at once and goes later",
    "[store][sharing]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.network().SetFault("B", PodCluster::Fault::kRefuse);
  CHECK(cluster.HomeOf("ann")->Uninvite("calendar", "bob") == absl::OkStatus());
  cluster.Deliver();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar")).empty());
  CHECK(IsError<store::NoSuchShare>(cluster.Child("bob", "anns")->SyncToken()));

  cluster.network().SetFault("B", PodCluster::Fault::kNone);
  cluster.Settle();
  CHECK(IsError<store::NoSuchCollection>(cluster.HomeOf("bob")->ChildWith({.name = "anns"})));
}

TEST_CASE("A reply whose acknowledgement is lost is applied once", "[store][sharing]") {
  PodCluster cluster;
  cluster.Share("abe", "calendar", "bob", Access::kRead, "abes");  // So the pods have met.
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kRead, ""));
  cluster.Settle();
  cluster.network().SetFault("A", PodCluster::Fault::kLoseReply);
  ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "anns"));
  cluster.Deliver();
  CHECK(cluster.PendingMessages() == 1);
  const auto first = NotificationsOf(cluster, "ann");
  REQUIRE(first.size() == 1);

  cluster.network().SetFault("A", PodCluster::Fault::kNone);
  cluster.Settle();
  const auto second = NotificationsOf(cluster, "ann");
  REQUIRE(second.size() == 1);
  CHECK(second[0].id == first[0].id);
}

TEST_CASE("Messages that cross end in the same state on both sides", "[store][sharing]") {
  PodCluster cluster;
  const ShareInfo share = cluster.Share("ann", "calendar", "bob", Access::kRead, "anns");
  const auto check_agreement = [&] {
    const auto owner_side = ValueOf(cluster.HomeOf("ann")->ListShares("calendar"));
    const auto viewer_side = ValueOf(cluster.HomeOf("bob")->ListInvitations());
    REQUIRE(owner_side.size() == viewer_side.size());
    for (size_t i = 0; i < owner_side.size(); ++i) {
      CHECK(owner_side[i].share_uid == viewer_side[i].share_uid);
      CHECK(owner_side[i].status == viewer_side[i].status);
      CHECK(owner_side[i].access == viewer_side[i].access);
    }
  };
  SECTION("change of access and decline") {
    ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kReadWrite, ""));
    CHECK(cluster.HomeOf("bob")->Decline(share.share_uid) == absl::OkStatus());
    cluster.Settle();
    check_agreement();
    CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations())[0].status == ShareStatus::kDeclined);
  }
  SECTION("invitation anew and acceptance of the old one") {
    CHECK(cluster.HomeOf("bob")->Decline(share.share_uid) == absl::OkStatus());
    cluster.Settle();
    ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kReadWrite, ""));
    ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "anns"));
    cluster.Settle();
    check_agreement();
  }
  SECTION("taken back and declined") {
    CHECK(cluster.HomeOf("ann")->Uninvite("calendar", "bob") == absl::OkStatus());
    CHECK(cluster.HomeOf("bob")->Decline(share.share_uid) == absl::OkStatus());
    cluster.Settle();
    check_agreement();
    CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).empty());
  }
  SECTION("taken back, invited again and accepted before") {
    CHECK(cluster.HomeOf("ann")->Uninvite("calendar", "bob") == absl::OkStatus());
    ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kReadWrite, ""));
    CHECK(cluster.HomeOf("bob")->Decline(share.share_uid) == absl::OkStatus());
    ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "mine"));
    cluster.Settle();
    check_agreement();
    CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations())[0].status == ShareStatus::kInvited);
  }
}

TEST_CASE("The owner's pod enforces a read-only share whatever the viewer's pod thinks",
          "[store][sharing]") {
  PodCluster cluster;
  const std::string viewer = AnyViewer();
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1.ics", {Event("1")}, {}));
  cluster.Share("ann", "calendar", viewer, Access::kReadWrite, "anns");
  const auto child = cluster.Child(viewer, "anns");
  const auto object = ValueOf(child->ObjectWith({.name = "1.ics"}));
  // The viewer's side has not heard of the new terms yet.
  ValueOf(cluster.HomeOf("ann")->Invite("calendar", viewer, Access::kRead, ""));
  CHECK(child->info().access == Access::kReadWrite);
  CHECK(IsError<store::AccessDenied>(child->PutObject("2.ics", {Event("2")}, {})));
  CHECK(IsError<store::AccessDenied>(child->Import({Event("2")})));
  CHECK(IsError<store::AccessDenied>(child->RemoveObject("1.ics", {})));
  CHECK(IsError<store::AccessDenied>(child->MoveObject("1.ics", child->info().id, "2.ics")));
  CHECK(IsError<store::AccessDenied>(object->SetText({Event("1", "Changed")}, {})));
  CHECK(IsError<store::AccessDenied>(object->Remove({})));
  CHECK(ValueOf(object->Text()).data == Event("1"));
  CHECK(ValueOf(child->ListObjects()) == std::vector<std::string>{"1.ics"});
}

TEST_CASE("Only the owner shares his collections, with others, in terms that exist",
          "[store][sharing]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const auto bob = cluster.HomeOf("bob");
  const auto ann = cluster.HomeOf("ann");
  CHECK(IsError<store::AccessDenied>(bob->Invite("anns", "bea", Access::kRead, "")));
  CHECK(IsError<store::AccessDenied>(bob->Uninvite("anns", "bob")));
  CHECK(IsError<store::AccessDenied>(bob->ListShares("anns")));
  CHECK(IsError<store::NoSuchUser>(ann->Invite("calendar", "zoe", Access::kRead, "")));
  CHECK(IsError<store::InvalidRequest>(ann->Invite("calendar", "ann", Access::kRead, "")));
  CHECK(IsError<store::InvalidRequest>(ann->Invite("calendar", "abe", Access::kOwner, "")));
  CHECK(IsError<store::NoSuchCollection>(ann->Invite("nothing", "abe", Access::kRead, "")));
  CHECK(IsError<store::NoSuchShare>(ann->Uninvite("calendar", "abe")));
  CHECK(IsError<store::NoSuchShare>(bob->Accept("no-such-share", "")));
  CHECK(IsError<store::NoSuchShare>(bob->Decline("no-such-share")));
  CHECK(cluster.PendingMessages() == 0);
}

TEST_CASE("A name that the viewer's home has is refused, or another one is chosen",
          "[store][sharing]") {
  PodCluster cluster;
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kRead, ""));
  cluster.Settle();
  CHECK(
      IsError<store::CollectionExists>(cluster.HomeOf("bob")->Accept(share.share_uid, "calendar")));
  CHECK(IsError<store::InvalidName>(cluster.HomeOf("bob")->Accept(share.share_uid, "a/b")));
  CHECK(ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "")).name == "calendar-2");
}

TEST_CASE("A message is refused that its sender has no right to send", "[store][sharing]") {
  PodCluster cluster;
  const ShareInfo share = cluster.Share("ann", "calendar", "bob", Access::kRead, "anns");
  // bea invites bob to ann's collection under ann's share: refused at bob's, whoever wrote it.
  const auto send = [&](const std::string& from, const std::string& kind, const std::string& body) {
    return cluster.conduit("B").CallTarget<store::DeliverMessage>(
        "A", {.homeUID = "ann"}, {.id = "forged", .from = from, .kind = kind, .body = body});
  };
  const std::string accept = conduit::ToJson(
      store::ShareReply{.share_uid = share.share_uid, .status = ShareStatus::kDeclined});
  CHECK(IsError<store::AccessDenied>(send("bea", "share-reply", accept)));
  CHECK(IsError<store::AccessDenied>(send("abe", "share-reply", accept)));
  CHECK(IsError<store::InvalidRequest>(send("bob", "share-nonsense", accept)));
  CHECK(IsError<store::InvalidRequest>(send("bob", "share-reply", "{}")));
  CHECK(IsError<store::NoSuchUser>(send("zoe", "share-reply", accept)));
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kAccepted);
}

TEST_CASE("A restart of either pod loses no message and repeats none", "[store][sharing]") {
  PodCluster cluster;
  const ShareInfo share =
      ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kReadWrite, ""));
  cluster.Stop("A");
  cluster.Start("A");
  cluster.Settle();
  ValueOf(cluster.HomeOf("bob")->Accept(share.share_uid, "anns"));
  cluster.Stop("B");
  cluster.Start("B");
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kAccepted);
  CHECK(NotificationsOf(cluster, "ann").size() == 1);
  ValueOf(cluster.Child("bob", "anns")->PutObject("1.ics", {Event("1")}, {}));
  CHECK(ValueOf(cluster.Child("ann", "calendar")->CountObjects()) == 1);
}

TEST_CASE("When the owner's pod is down the share stays listed and can be left",
          "[store][sharing]") {
  PodCluster cluster;
  const ShareInfo share = cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.network().SetFault("A", PodCluster::Fault::kRefuse);
  CHECK(ValueOf(cluster.HomeOf("bob")->ListChildren()) ==
        std::vector<std::string>{"anns", "calendar"});
  const auto child = cluster.Child("bob", "anns");
  const auto listed = child->ListObjects();
  CHECK(IsError<store::PodUnavailable>(listed));
  CHECK(conduit::GetError<store::PodUnavailable>(listed.status())->pod == "A");
  CHECK(conduit::OutcomeOf(listed.status()) == conduit::Outcome::kNotExecuted);
  CHECK(IsError<store::PodUnavailable>(child->SyncToken()));
  ValueOf(cluster.Child("bob", "calendar")->PutObject("1.ics", {Event("1")}, {}));

  CHECK(cluster.HomeOf("bob")->RemoveChild("anns") == absl::OkStatus());
  CHECK(ValueOf(cluster.HomeOf("bob")->ListChildren()) == std::vector<std::string>{"calendar"});
  cluster.network().SetFault("A", PodCluster::Fault::kNone);
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status == ShareStatus::kDeclined);
}

TEST_CASE("A change is announced on every pod that shows the collection, whoever makes it",
          "[store][sharing]") {
  PodCluster cluster({"A", "B", "C"});
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.Share("ann", "calendar", "bea", Access::kReadWrite, "anns");
  cluster.Share("ann", "calendar", "abe", Access::kReadWrite, "anns");
  ValueOf(cluster.HomeOf("ann")->Invite("calendar", "cat", Access::kRead, ""));
  cluster.Settle();
  const std::string id = cluster.Child("ann", "calendar")->info().id;
  const std::vector<std::string> announced = {id};
  for (const char* writer : {"ann", "abe", "bob"}) {
    const std::string name = writer == std::string("ann") ? "calendar" : "anns";
    int calls = 0;
    ValueOf(
        cluster.Child(writer, name)->PutObject(std::string(writer) + ".ics", {Event(writer)}, {}));
    ValueOf(cluster.Child(writer, name)
                ->PutObject(std::string(writer) + "2.ics", {Event(writer + std::string("2"))}, {}));
    cluster.network().SetTap([&](std::string_view, const auto&, const auto&) { ++calls; });
    cluster.Deliver();
    cluster.network().SetTap(nullptr);
    CHECK(calls == 1);  // One for both changes and for both viewers on B; none to C.
    CHECK(cluster.TakeChanges("A") == announced);
    CHECK(cluster.TakeChanges("B") == announced);
    CHECK(cluster.TakeChanges("C").empty());
  }
  // A change that is refused is none.
  CHECK(IsError<store::NoSuchObject>(cluster.Child("ann", "calendar")->RemoveObject("no.ics", {})));
  cluster.Deliver();
  CHECK(cluster.TakeChanges("A").empty());
  // A pod that cannot be reached misses the word and disturbs nobody.
  cluster.network().SetFault("B", PodCluster::Fault::kRefuse);
  CHECK(cluster.Child("ann", "calendar")->RemoveObject("ann.ics", {}) == absl::OkStatus());
  cluster.Deliver();
  CHECK(cluster.TakeChanges("A") == announced);
  CHECK(cluster.TakeChanges("B").empty());
}

}  // namespace
}  // namespace podkit::testing
