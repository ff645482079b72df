// Homes: where they live, who may use them, and the collections in them.
#include <string>
#include <vector>

#include "external/remote_actions.h"
#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using Names = std::vector<std::string>;
using CountObjects = store::ActionOf<&store::HomeChild::CountObjects>;

TEST_CASE("A user who lives here has a home with a calendar", "[store][home]") {
  PodCluster cluster;
  const auto home = cluster.HomeOn("A", "ann", "ann");
  CHECK(home->uid() == "ann");
  CHECK(ValueOf(home->Info()).pod == "A");
  CHECK(ValueOf(home->ListChildren()) == Names{"calendar"});
  const auto homes = ValueOf(cluster.store("A").ListHomes());
  REQUIRE(homes.size() == 1);
  CHECK(homes[0].uid == "ann");
}

TEST_CASE("The home of a user of another pod is external and leaves nothing here",
          "[store][home]") {
  PodCluster cluster({"A", "B"}, {"B"});
  const auto home = cluster.HomeOn("B", "ann", "ann");
  CHECK(home->uid() == "ann");
  CHECK(ValueOf(cluster.store("B").ListHomes()).empty());
  CHECK(ValueOf(home->Info()).pod == "A");
  CHECK(ValueOf(home->ListChildren()) == Names{"calendar"});
  CHECK(ValueOf(cluster.store("B").ListHomes()).empty());
}

TEST_CASE("The collections of a home are listed, loaded and found, from their own pod or another",
          "[store][home]") {
  PodCluster cluster({"A", "B"}, {"B"});
  const std::string work = ValueOf(cluster.HomeOf("ann")->CreateChild("work", {})).id;
  const auto home = cluster.HomeOn(GENERATE(as<std::string>(), "A", "B"), "ann", "ann");
  CHECK(ValueOf(home->ListChildren()) == Names{"calendar", "work"});
  const auto all = ValueOf(home->LoadChildren());
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "calendar");
  CHECK(all[1].name == "work");
  CHECK(all[1].id == work);
  CHECK(ValueOf(home->FindChild({.name = "work"})).id == work);
  CHECK(ValueOf(home->FindChild({.id = work})).name == "work");
  CHECK(IsError<store::NoSuchCollection>(home->FindChild({.name = "play"})));
  CHECK(IsError<store::NoSuchCollection>(home->FindChild({.id = "play"})));

  CHECK(cluster.HomeOf("ann")->RemoveChild("work") == absl::OkStatus());
  CHECK(ValueOf(home->ListChildren()) == Names{"calendar"});
  CHECK(ValueOf(home->LoadChildren()).size() == 1);
  CHECK(IsError<store::NoSuchCollection>(home->FindChild({.id = work})));
}

TEST_CASE("There is no home for a user whom the directory does not know", "[store][home]") {
  PodCluster cluster;
  CHECK(IsError<store::NoSuchUser>(cluster.store("A").HomeFor("zoe", "zoe")));
  CHECK(IsError<store::NoSuchUser>(cluster.store("A").HomeFor("ann", "zoe")));
}

TEST_CASE("A home is used by its user and the operator, and by nobody else", "[store][home]") {
  PodCluster cluster;
  CHECK(ValueOf(cluster.HomeOn("A", "ann", "")->ListChildren()) == Names{"calendar"});
  const auto strange = cluster.HomeOn("A", "ann", "abe");
  CHECK(IsError<store::AccessDenied>(strange->ListChildren()));
  CHECK(IsError<store::AccessDenied>(strange->LoadChildren()));
  CHECK(IsError<store::AccessDenied>(strange->ChildWith({.name = "calendar"})));
  CHECK(IsError<store::AccessDenied>(strange->CreateChild("mine", {})));
  CHECK(IsError<store::AccessDenied>(strange->RemoveChild("calendar")));
  CHECK(IsError<store::AccessDenied>(strange->Invite("calendar", "abe", Access::kReadWrite, "")));
  CHECK(IsError<store::AccessDenied>(strange->ListInvitations()));
  CHECK(IsError<store::AccessDenied>(strange->Notifications()));
  CHECK(IsError<store::AccessDenied>(strange->SyncToken()));
}

TEST_CASE("A pod speaks for its own users only, unless the other trusts it", "[store][home]") {
  PodCluster cluster;
  CHECK(IsError<store::AccessDenied>(cluster.HomeOn("B", "ann", "ann")->ListChildren()));
  CHECK(IsError<store::AccessDenied>(cluster.HomeOn("B", "ann", "")->ListChildren()));
  // bob lives on B, but the home is not his.
  CHECK(IsError<store::AccessDenied>(cluster.HomeOn("B", "ann", "bob")->ListChildren()));
  PodCluster trusting({"A", "B"}, {"B"});
  CHECK(ValueOf(trusting.HomeOn("B", "ann", "ann")->ListChildren()) == Names{"calendar"});
  CHECK(ValueOf(trusting.HomeOn("B", "ann", "")->ListChildren()) == Names{"calendar"});
  CHECK(IsError<store::AccessDenied>(trusting.HomeOn("B", "ann", "bob")->ListChildren()));
}

TEST_CASE("Collections are made, changed, renamed and removed, from their own pod or another",
          "[store][home]") {
  PodCluster cluster({"A", "B"}, {"B"});
  const std::string pod = GENERATE(as<std::string>(), "A", "B");
  const auto home = cluster.HomeOn(pod, "ann", "ann");
  const auto made = ValueOf(
      home->CreateChild("work", {.display_name = "Work", .components = {{"VEVENT", "VTODO"}}}));
  CHECK(made.owner_uid == "ann");
  CHECK(made.access == Access::kOwner);
  CHECK(made.components == Names{"VEVENT", "VTODO"});
  CHECK(ValueOf(home->ListChildren()) == Names{"calendar", "work"});
  CHECK(IsError<store::CollectionExists>(home->CreateChild("work", {})));
  CHECK(IsError<store::InvalidName>(home->CreateChild("a/b", {})));
  CHECK(IsError<store::InvalidName>(home->CreateChild("..", {})));
  CHECK(IsError<store::InvalidRequest>(home->CreateChild("x", {.components = {{"A,B"}}})));
  CHECK(IsError<store::InvalidRequest>(
      home->CreateChild("x", {.display_name = std::string(5000, 'x')})));

  const std::string token = ValueOf(home->SyncToken());
  CHECK(ValueOf(home->SetProperties("work", {.color = "#123456"})).color == "#123456");
  CHECK(ValueOf(home->SetProperties("work", {})).display_name == "Work");
  CHECK(IsError<store::InvalidRequest>(home->SetProperties("work", {.components = {{"VEVENT"}}})));
  CHECK(ValueOf(home->RenameChild("work", "job")).id == made.id);
  CHECK(IsError<store::CollectionExists>(home->RenameChild("job", "calendar")));
  CHECK(IsError<store::NoSuchCollection>(home->RenameChild("work", "other")));
  const auto changes = ValueOf(home->ChangesSince(token, false));
  CHECK(changes.changed == Names{"job"});
  CHECK(changes.deleted == Names{"work"});

  CHECK(home->RemoveChild("job") == absl::OkStatus());
  CHECK(IsError<store::NoSuchCollection>(home->RemoveChild("job")));
  CHECK(ValueOf(home->ListChildren()) == Names{"calendar"});
}

TEST_CASE("A component that the collection does not take is refused", "[store][home]") {
  PodCluster cluster;
  ValueOf(cluster.HomeOf("ann")->CreateChild("todo", {.components = {{"VTODO"}}}));
  const auto child = cluster.Child("ann", "todo");
  CHECK(IsError<store::UnsupportedComponent>(child->PutObject("1.ics", {Event("1")}, {})));
  CHECK(IsError<store::UnsupportedComponent>(child->Import({Event("1")})));
  CHECK(ValueOf(child->CountObjects()) == 0);
}

TEST_CASE("A collection that is not shared with its user cannot be guessed", "[store][home]") {
  PodCluster cluster;
  const std::string id = cluster.Child("ann", "calendar")->info().id;
  CHECK(IsError<store::NoSuchCollection>(cluster.HomeOf("bob")->ChildWith({.id = id})));
  // A pod that asks all the same, in the name of its own user.
  const auto answer = cluster.conduit("B").CallTarget<CountObjects>(
      "A", {.homeUID = "ann", .homeChildID = id}, {}, {.actor = "bob"});
  CHECK(IsError<store::AccessDenied>(answer));
}

TEST_CASE("A request to the wrong pod is told where the home lives", "[store][home]") {
  PodCluster cluster;
  const auto answer = cluster.conduit("B").CallTarget<CountObjects>(
      "A", {.homeUID = "bea", .homeChildID = "any"}, {}, {.actor = "bob"});
  const auto elsewhere = conduit::GetError<store::HomeElsewhere>(answer.status());
  REQUIRE(elsewhere);
  CHECK(elsewhere->pod == "B");
}

TEST_CASE("Notifications are kept until they are removed", "[store][home]") {
  PodCluster cluster;
  ValueOf(cluster.HomeOf("ann")->Invite("calendar", "bob", Access::kRead, ""));
  cluster.Settle();
  const auto home = cluster.HomeOf("bob");
  const auto notifications = ValueOf(home->Notifications());
  REQUIRE(notifications.size() == 1);
  CHECK(home->RemoveNotification(notifications[0].id) == absl::OkStatus());
  CHECK(IsError<store::NoSuchNotification>(home->RemoveNotification(notifications[0].id)));
  CHECK(ValueOf(home->Notifications()).empty());
  CHECK(ValueOf(home->ListInvitations()).size() == 1);
}

TEST_CASE("Notifications are synchronised by a token, from their own pod or another",
          "[store][home][sync]") {
  PodCluster cluster({"A", "B"}, {"A"});
  const std::string pod = GENERATE(as<std::string>(), "B", "A");
  const auto bob = cluster.HomeOn(pod, "bob", "bob");
  const auto ann = cluster.HomeOf("ann");
  auto changes = ValueOf(bob->NotificationChangesSince(""));
  CHECK(changes.changed.empty());
  const std::string first = changes.sync_token;
  const auto since = [&] {
    changes = ValueOf(bob->NotificationChangesSince(changes.sync_token));
    return changes;
  };
  ValueOf(ann->Invite("calendar", "bob", Access::kRead, "one"));
  cluster.Settle();
  REQUIRE(since().changed.size() == 1);
  const std::string invite = changes.changed[0].id;
  CHECK(changes.changed[0].summary == "one");
  CHECK(changes.deleted.empty());
  CHECK(since().changed.empty());
  // What happens elsewhere in the home is no news of the notifications.
  const std::string token = changes.sync_token;
  ValueOf(bob->CreateChild("more", {}));
  CHECK(since().sync_token == token);

  // A newer one replaces it.
  ValueOf(ann->Invite("calendar", "bob", Access::kReadWrite, "two"));
  cluster.Settle();
  REQUIRE(since().changed.size() == 1);
  CHECK(changes.changed[0].id != invite);
  CHECK(changes.deleted == std::vector<std::string>{invite});
  const std::string second = changes.changed[0].id;
  // Accepting takes it away.
  ValueOf(bob->Accept(changes.changed[0].share_uid, ""));
  CHECK(since().changed.empty());
  CHECK(changes.deleted == std::vector<std::string>{second});
  REQUIRE(ann->Uninvite("calendar", "bob") == absl::OkStatus());
  cluster.Settle();
  REQUIRE(since().changed.size() == 1);
  CHECK(changes.changed[0].kind == store::NotificationKind::kRemoved);
  REQUIRE(bob->RemoveNotification(changes.changed[0].id) == absl::OkStatus());
  CHECK(since().deleted.size() == 1);
  // Whoever was away all the time ends up with the same.
  CHECK(ValueOf(bob->NotificationChangesSince(first)).changed.empty());
  CHECK(ValueOf(bob->NotificationChangesSince(first)).deleted.size() == 3);
  for (const char* invalid :
       {"x", "data:,notifications/99999", "data:,notifications/01", "data:,home/1"}) {
    CHECK(IsError<store::InvalidSyncToken>(bob->NotificationChangesSince(invalid)));
  }
  CHECK(IsError<store::AccessDenied>(
      cluster.HomeOn("B", "bob", "bea")->NotificationChangesSince("")));
}

}  // namespace
}  // namespace podkit::testing
