// Delegates: who acts for the owner of a home, what he may do, and who is told of it.
#include <memory>
#include <string>
#include <vector>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::AccessDenied;
using store::Bytes;
using store::Delegator;
using store::Home;
using store::HomeChild;

std::string WithAlarm(const std::string& text) {
  std::string result = text;
  result.insert(result.find("END:VEVENT"),
                "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\n"
                "END:VALARM\r\n");
  return result;
}

// "ann read, ..."
std::string Of(const std::vector<Delegator>& delegators) {
  std::string text;
  for (const Delegator& delegator : delegators) {
    if (!text.empty()) text += ", ";
    text += delegator.owner_uid + " " + std::string(conduit::EnumName(delegator.access));
  }
  return text;
}

// ann's home, and abe on her pod or bob on another one who acts for her.
class Delegated {
 public:
  explicit Delegated(Access access)
      : delegate(GENERATE(as<std::string>(), "abe", "bob")), pod(delegate == "abe" ? "A" : "B") {
    UNSCOPED_INFO("delegate " << delegate);
    ValueOf(cluster.HomeOf("ann")->SetDelegate(delegate, access));
  }

  // ann's home as the delegate has it.
  std::unique_ptr<Home> AnnsHome() { return cluster.HomeOn(pod, "ann", delegate); }
  std::unique_ptr<HomeChild> Child(const std::string& name = "calendar") {
    return ValueOf(AnnsHome()->ChildWith({.name = name}));
  }

  PodCluster cluster{{"A", "B", "C"}};
  const std::string delegate;
  const std::string pod;
};

TEST_CASE("A delegate uses a home as its owner does and is recorded as himself",
          "[store][delegates]") {
  Delegated delegated(Access::kReadWrite);
  const std::string text = WithAlarm(Event("1"));
  ValueOf(delegated.cluster.Child("ann", "calendar")->PutObject("1.ics", Bytes{text}, {}));
  const auto home = delegated.AnnsHome();
  CHECK(ValueOf(home->ListChildren()) == std::vector<std::string>{"calendar"});
  CHECK(ValueOf(home->LoadChildren())[0].access == Access::kOwner);
  const auto child = delegated.Child();
  // As it is stored, the owner's own alarms included.
  CHECK(ValueOf(child->Texts({"1.ics"})).at("1.ics").data == text);
  CHECK(ValueOf(child->FindObject({.name = "1.ics"})).modified_by == "ann");
  const std::string changed = WithAlarm(Event("1", "Moved"));
  CHECK(ValueOf(child->PutObject("1.ics", Bytes{changed}, {})).object.modified_by ==
        delegated.delegate);
  ValueOf(child->PutObject("2.ics", Bytes{Event("2")}, {}));
  const auto owner = delegated.cluster.Child("ann", "calendar");
  CHECK(ValueOf(owner->Texts({"1.ics"})).at("1.ics").data == changed);
  for (const auto& object : ValueOf(owner->LoadObjects())) {
    CHECK(object.modified_by == delegated.delegate);
  }
  CHECK(child->RemoveObject("2.ics", {}) == absl::OkStatus());
  CHECK(ValueOf(home->CreateChild("more", {})).owner_uid == "ann");
  ValueOf(home->SetProperties("more", {.color = "#ff0000"}));
  ValueOf(home->RenameChild("more", "most"));
  CHECK(home->RemoveChild("most") == absl::OkStatus());
  CHECK(ValueOf(home->SyncTokens()).at(0).sync_token == ValueOf(owner->SyncToken()));
  CHECK(ValueOf(home->FindFreeBusy({.start = absl::FromUnixSeconds(1'772'400'000),
                                    .end = absl::FromUnixSeconds(1'772'600'000)}))
            .periods.size() == 1);
  // The owner again, and the operator.
  CHECK(ValueOf(owner->PutObject("1.ics", Bytes{Event("1", "x")}, {})).object.modified_by == "ann");
  CHECK(ValueOf(ValueOf(delegated.cluster.HomeOn("A", "ann", "")->ChildWith({.name = "calendar"}))
                    ->PutObject("1.ics", Bytes{Event("1", "y")}, {}))
            .object.modified_by.empty());
}

TEST_CASE("A delegate who may read changes nothing", "[store][delegates][rights]") {
  Delegated delegated(Access::kRead);
  const auto owner = delegated.cluster.Child("ann", "calendar");
  ValueOf(owner->PutObject("1.ics", Bytes{WithAlarm(Event("1"))}, {}));
  const auto home = delegated.AnnsHome();
  const auto child = delegated.Child();
  CHECK(child->info().access == Access::kRead);
  CHECK(ValueOf(child->Texts({"1.ics"})).at("1.ics").data == WithAlarm(Event("1")));
  const std::string token = ValueOf(delegated.cluster.HomeOf("ann")->SyncToken());
  CHECK(IsError<AccessDenied>(child->PutObject("2.ics", Bytes{Event("2")}, {})));
  CHECK(IsError<AccessDenied>(child->PutObject("1.ics", Bytes{Event("1")}, {})));
  CHECK(IsError<AccessDenied>(child->RemoveObject("1.ics", {})));
  CHECK(IsError<AccessDenied>(child->MoveObject("1.ics", child->info().id, "2.ics")));
  CHECK(IsError<AccessDenied>(child->Import(Bytes{Event("3")})));
  CHECK(IsError<AccessDenied>(child->WriteObjects({{.name = "1.ics"}})));
  CHECK(IsError<AccessDenied>(home->CreateChild("more", {})));
  CHECK(IsError<AccessDenied>(home->SetProperties("calendar", {.color = "#ff0000"})));
  CHECK(IsError<AccessDenied>(home->RenameChild("calendar", "other")));
  CHECK(IsError<AccessDenied>(home->RemoveChild("calendar")));
  CHECK(ValueOf(delegated.cluster.HomeOf("ann")->SyncToken()) == token);
}

TEST_CASE("Inviting and delegating are the owner's", "[store][delegates][rights]") {
  Delegated delegated(Access::kReadWrite);
  const auto home = delegated.AnnsHome();
  CHECK(IsError<AccessDenied>(home->Invite("calendar", "bea", Access::kRead, "")));
  CHECK(IsError<AccessDenied>(home->Uninvite("calendar", "bea")));
  CHECK(IsError<AccessDenied>(home->SetDelegate("bea", Access::kRead)));
  CHECK(IsError<AccessDenied>(home->RemoveDelegate(delegated.delegate)));
  CHECK(ValueOf(home->Delegates()).size() == 1);
  // Nobody else comes in by him.
  CHECK(IsError<AccessDenied>(delegated.cluster.HomeOn("B", "ann", "bea")->ListChildren()));
}

TEST_CASE("For whom somebody acts is known at his own home", "[store][delegates]") {
  PodCluster cluster({"A", "B", "C"});
  const auto ann = cluster.HomeOf("ann");
  ValueOf(ann->SetDelegate("bob", Access::kRead));
  ValueOf(cluster.HomeOf("cat")->SetDelegate("bob", Access::kReadWrite));
  cluster.Settle();
  int calls = 0;
  cluster.network().SetTap([&](std::string_view, const auto&, const auto&) { ++calls; });
  const auto bob = cluster.HomeOf("bob");
  CHECK(Of(ValueOf(bob->Delegators())) == "ann read, cat read-write");
  CHECK(calls == 0);
  ValueOf(ann->SetDelegate("bob", Access::kReadWrite));
  cluster.Settle();
  CHECK(Of(ValueOf(bob->Delegators())) == "ann read-write, cat read-write");
  // The same again tells nothing.
  const size_t before = cluster.PendingMessages();
  ValueOf(ann->SetDelegate("bob", Access::kReadWrite));
  CHECK(cluster.PendingMessages() == before);
  // A pod that is down is told when it is back; the right has ended before.
  cluster.network().SetFault("B", PodCluster::Fault::kRefuse);
  REQUIRE(ann->RemoveDelegate("bob") == absl::OkStatus());
  cluster.Deliver();
  CHECK(Of(ValueOf(bob->Delegators())) == "ann read-write, cat read-write");
  CHECK(IsError<AccessDenied>(cluster.HomeOn("B", "ann", "bob")->ListChildren()));
  cluster.network().SetFault("B", PodCluster::Fault::kNone);
  cluster.Settle();
  CHECK(Of(ValueOf(bob->Delegators())) == "cat read-write");
}

TEST_CASE("A delegate is somebody else, with a right that can be given", "[store][delegates]") {
  PodCluster cluster;
  const auto ann = cluster.HomeOf("ann");
  CHECK(IsError<store::InvalidRequest>(ann->SetDelegate("ann", Access::kRead)));
  CHECK(IsError<store::InvalidRequest>(ann->SetDelegate("bob", Access::kBusy)));
  CHECK(IsError<store::InvalidRequest>(ann->SetDelegate("bob", Access::kOwner)));
  CHECK(IsError<store::NoSuchUser>(ann->SetDelegate("zoe", Access::kRead)));
  const auto missing = ann->RemoveDelegate("bob");
  REQUIRE(IsError<store::NoSuchDelegate>(missing));
  CHECK(conduit::GetError<store::NoSuchDelegate>(missing)->principal == "bob");
  CHECK(ValueOf(ann->Delegates()).empty());
  CHECK(cluster.PendingMessages() == 0);
  ValueOf(ann->SetDelegate("bob", Access::kRead));
  const auto delegates = ValueOf(ann->Delegates());
  REQUIRE(delegates.size() == 1);
  CHECK(delegates[0].principal == "bob");
  CHECK(delegates[0].access == Access::kRead);
  CHECK_FALSE(delegates[0].is_group);
}

TEST_CASE("What others share with the owner a delegate uses in the owner's name",
          "[store][delegates][sharing]") {
  PodCluster cluster({"A", "B", "C"});
  // bea shares with ann, on another pod; abe acts for ann on her own pod.
  const Access access = GENERATE(Access::kReadWrite, Access::kRead);
  cluster.Share("bea", "calendar", "ann", Access::kReadWrite, "beas");
  ValueOf(cluster.Child("bea", "calendar")->PutObject("1.ics", Bytes{Event("1")}, {}));
  ValueOf(cluster.HomeOf("ann")->SetDelegate("abe", access));
  const auto child = ValueOf(cluster.HomeOn("A", "ann", "abe")->ChildWith({.name = "beas"}));
  CHECK(child->info().access == access);
  CHECK(ValueOf(child->ListObjects()).size() == 1);
  const auto put = child->PutObject("1.ics", Bytes{Event("1", "x")}, {});
  if (access == Access::kReadWrite) {
    CHECK(ValueOf(put).object.modified_by == "abe");
  } else {
    CHECK(IsError<AccessDenied>(put));
    // Nor what the owner keeps for herself.
    CHECK(IsError<AccessDenied>(child->PutObject("1.ics", Bytes{WithAlarm(Event("1"))}, {})));
  }
}

TEST_CASE("From another pod a delegate uses what the people of that pod share with the owner",
          "[store][delegates][sharing]") {
  PodCluster cluster({"A", "B", "C"});
  const Access access = GENERATE(Access::kReadWrite, Access::kRead);
  cluster.Share("bea", "calendar", "ann", Access::kReadWrite, "beas");
  cluster.Share("cat", "calendar", "ann", Access::kReadWrite, "cats");
  ValueOf(cluster.HomeOf("ann")->SetDelegate("bob", access));
  const auto home = cluster.HomeOn("B", "ann", "bob");
  const auto beas = ValueOf(home->ChildWith({.name = "beas"}));
  const auto put = beas->PutObject("1.ics", Bytes{Event("1")}, {});
  if (access == Access::kReadWrite) {
    CHECK(ValueOf(put).object.modified_by == "bob");
  } else {
    CHECK(IsError<AccessDenied>(put));
  }
  // Pod C believes pod A about ann, and not pod B.
  CHECK(IsError<AccessDenied>(ValueOf(home->ChildWith({.name = "cats"}))->ListObjects()));
}

TEST_CASE("A group that is a delegate is whoever is in it now", "[store][delegates][groups]") {
  PodCluster cluster({"A", "B", "C"});
  const auto group = [](const std::string& id, std::vector<std::string> members) {
    return store::Group{.id = id, .name = "", .members = std::move(members)};
  };
  cluster.SetGroups({group("staff", {"abe", "chiefs"}), group("chiefs", {"bob"})});
  CHECK(ValueOf(cluster.HomeOf("ann")->SetDelegate("staff", Access::kRead)).is_group);
  ValueOf(cluster.HomeOf("ann")->SetDelegate("chiefs", Access::kReadWrite));
  cluster.Settle();
  CHECK(Of(ValueOf(cluster.HomeOf("abe")->Delegators())) == "ann read");
  CHECK(Of(ValueOf(cluster.HomeOf("bob")->Delegators())) == "ann read-write");
  ValueOf(cluster.HomeOn("B", "ann", "bob")->CreateChild("bobs", {}));
  CHECK(IsError<AccessDenied>(cluster.HomeOn("A", "ann", "abe")->CreateChild("abes", {})));
  CHECK(ValueOf(cluster.HomeOn("A", "ann", "abe")->ListChildren()).size() == 2);

  // bob leaves the chiefs, cat comes.
  cluster.SetGroups({group("staff", {"abe", "bob", "chiefs"}), group("chiefs", {"cat"})});
  CHECK(IsError<AccessDenied>(cluster.HomeOn("B", "ann", "bob")->CreateChild("more", {})));
  ValueOf(cluster.HomeOn("C", "ann", "cat")->CreateChild("cats", {}));
  cluster.Settle();
  CHECK(Of(ValueOf(cluster.HomeOf("bob")->Delegators())) == "ann read");
  CHECK(Of(ValueOf(cluster.HomeOf("cat")->Delegators())) == "ann read-write");
  // Members that change while the pod is down are followed when it starts.
  cluster.Stop("A");
  cluster.SetGroups({group("staff", {}), group("chiefs", {"cat"})});
  cluster.Start("A");
  cluster.Settle();
  CHECK(Of(ValueOf(cluster.HomeOf("bob")->Delegators())).empty());
  CHECK(Of(ValueOf(cluster.HomeOf("abe")->Delegators())).empty());
  // A group that is gone from the directory is nobody, and can be removed.
  cluster.SetGroups({});
  cluster.Settle();
  CHECK(Of(ValueOf(cluster.HomeOf("cat")->Delegators())).empty());
  const auto home = cluster.HomeOf("ann");
  CHECK(home->RemoveDelegate("chiefs") == absl::OkStatus());
  CHECK(ValueOf(home->Delegates()).size() == 1);
}

}  // namespace
}  // namespace podkit::testing
