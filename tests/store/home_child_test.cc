// What a collection promises, the same whichever way one comes to it: as its owner, as a viewer on
// the owner's pod or on another one, or through the owner's home seen from another pod.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::Home;
using store::HomeChild;
using store::ObjectInfo;

// ann's calendar, used in one of the ways.
class Collection {
 public:
  Collection()
      : way_(GENERATE(as<std::string>(), "owner", "viewer on her pod", "viewer on another pod",
                      "her home from another pod")) {
    if (way_ == "viewer on her pod")
      cluster_.Share("ann", "calendar", "abe", Access::kReadWrite, "anns");
    if (way_ == "viewer on another pod") {
      cluster_.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
    }
    owner_ = cluster_.Child("ann", "calendar");
    home_ = way_ == "her home from another pod" ? cluster_.HomeOn("B", "ann", "ann")
            : way_ == "viewer on her pod"       ? cluster_.HomeOf("abe")
            : way_ == "viewer on another pod"   ? cluster_.HomeOf("bob")
                                                : cluster_.HomeOf("ann");
    const bool shared = way_.starts_with("viewer");
    child_ = ValueOf(home_->ChildWith({.name = shared ? "anns" : "calendar"}));
    UNSCOPED_INFO("as " << way_);
  }

  PodCluster& cluster() { return cluster_; }
  HomeChild& owner() { return *owner_; }  // What the owner does and sees.
  HomeChild& child() { return *child_; }  // The collection under test.
  Home& home() { return *home_; }

 private:
  std::string way_;
  PodCluster cluster_{{"A", "B"}, {"B"}};
  std::unique_ptr<HomeChild> owner_;
  std::unique_ptr<Home> home_;
  std::unique_ptr<HomeChild> child_;
};

std::vector<std::string> NamesOf(const std::vector<ObjectInfo>& objects) {
  std::vector<std::string> names;
  for (const ObjectInfo& object : objects) names.push_back(object.name);
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("Many objects come with their texts in one call", "[store][child][bulk]") {
  Collection collection;
  for (const char* name : {"a", "b", "c"}) {
    ValueOf(collection.owner().PutObject(name, store::Bytes{Event(name)}, {}));
  }
  int calls = 0;
  collection.cluster().network().SetTap(
      [&](std::string_view, const auto&, const auto&) { ++calls; });
  const auto objects = ValueOf(collection.child().Multiget({"c", "nothing", "a"}));
  CHECK(calls <= 1);
  collection.cluster().network().SetTap(nullptr);
  REQUIRE(objects.size() == 2);
  CHECK(objects[0].info.name == "c");
  CHECK(objects[0].text.data == Event("c"));
  CHECK(objects[1].info.etag == ValueOf(collection.child().FindObject({.name = "a"})).etag);
}

TEST_CASE("The tokens of all collections come in one call to each pod", "[store][child][bulk]") {
  Collection collection;
  int calls = 0;
  collection.cluster().network().SetTap(
      [&](std::string_view, const auto&, const auto&) { ++calls; });
  const auto tokens = ValueOf(collection.home().SyncTokens());
  CHECK(calls <= 2);
  collection.cluster().network().SetTap(nullptr);
  REQUIRE_FALSE(tokens.empty());
  size_t found = 0;
  for (const store::CollectionToken& token : tokens) {
    const auto child = ValueOf(collection.home().ChildWith({.name = token.name}));
    CHECK(token.sync_token == ValueOf(child->SyncToken()));
    CHECK(token.error.empty());
    found += token.name == collection.child().info().name ? 1 : 0;
  }
  CHECK(found == 1);
  collection.cluster().network().SetFault("A", PodCluster::Fault::kRefuse);
  const auto partly = collection.home().SyncTokens();
  if (!partly.ok()) return;  // The home itself is there.
  for (const store::CollectionToken& token : *partly) {
    const bool elsewhere = token.name == "anns" && collection.home().uid() == "bob";
    CHECK(token.error == (elsewhere ? "PodUnavailable" : ""));
    CHECK(token.sync_token.empty() == elsewhere);
  }
}

TEST_CASE("A collection is the same one whichever way it is found", "[store][child]") {
  Collection collection;
  const auto by_id = ValueOf(collection.home().ChildWith({.id = collection.owner().info().id}));
  CHECK(by_id->info().id == collection.child().info().id);
  CHECK(by_id->info().name == collection.child().info().name);
  CHECK(IsError<store::NoSuchCollection>(collection.home().ChildWith({.name = "nothing"})));
  CHECK(IsError<store::NoSuchCollection>(collection.home().ChildWith({.id = "nothing"})));
  CHECK(IsError<store::InvalidRequest>(collection.home().ChildWith({})));
}

TEST_CASE("Listing and counting follow what the owner does", "[store][child]") {
  Collection collection;
  CHECK(ValueOf(collection.child().CountObjects()) == 0);
  CHECK(ValueOf(collection.child().ListObjects()).empty());
  ValueOf(collection.owner().PutObject("2.ics", {Event("2")}, {}));
  ValueOf(collection.owner().PutObject("1.ics", {Event("1")}, {}));
  CHECK(ValueOf(collection.child().CountObjects()) == 2);
  CHECK(ValueOf(collection.child().ListObjects()) == Names{"1.ics", "2.ics"});
  CHECK(collection.owner().RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(collection.owner().RemoveObject("2.ics", {}) == absl::OkStatus());
  CHECK(ValueOf(collection.child().CountObjects()) == 0);
  CHECK(ValueOf(collection.child().ListObjects()).empty());
}

TEST_CASE("The sync token is the owner's and moves with every change", "[store][child]") {
  Collection collection;
  const std::string empty = ValueOf(collection.child().SyncToken());
  CHECK(empty == ValueOf(collection.owner().SyncToken()));
  ValueOf(collection.owner().PutObject("1.ics", {Event("1")}, {}));
  const std::string one = ValueOf(collection.child().SyncToken());
  CHECK(one != empty);
  CHECK(one == ValueOf(collection.owner().SyncToken()));
  CHECK(collection.owner().RemoveObject("1.ics", {}) == absl::OkStatus());
  const std::string none = ValueOf(collection.child().SyncToken());
  CHECK(none != one);
  CHECK(none != empty);
  CHECK(none == ValueOf(collection.owner().SyncToken()));
}

TEST_CASE("Changes since a token name what was added, changed and removed", "[store][child]") {
  Collection collection;
  const std::string start = ValueOf(collection.child().SyncToken());
  ValueOf(collection.owner().PutObject("1.ics", {Event("1")}, {}));
  ValueOf(collection.owner().PutObject("2.ics", {Event("2")}, {}));
  auto changes = ValueOf(collection.child().ChangesSince(start));
  CHECK(NamesOf(changes.changed) == Names{"1.ics", "2.ics"});
  CHECK(changes.deleted.empty());
  const std::string both = changes.sync_token;
  CHECK(both == ValueOf(collection.child().SyncToken()));

  CHECK(collection.owner().RemoveObject("1.ics", {}) == absl::OkStatus());
  changes = ValueOf(collection.child().ChangesSince(both));
  CHECK(changes.changed.empty());
  CHECK(changes.deleted == Names{"1.ics"});
  changes = ValueOf(collection.child().ChangesSince(changes.sync_token));
  CHECK(changes.changed.empty());
  CHECK(changes.deleted.empty());

  // From nothing: what is there, and no word of what was.
  changes = ValueOf(collection.child().ChangesSince(""));
  CHECK(NamesOf(changes.changed) == Names{"2.ics"});
  CHECK(changes.deleted.empty());
  CHECK(IsError<store::InvalidSyncToken>(collection.child().ChangesSince("nonsense")));
}

TEST_CASE("Names and UIDs lead to each other", "[store][child]") {
  Collection collection;
  ValueOf(collection.owner().PutObject("1.ics", {Event("uid-1")}, {}));
  CHECK(ValueOf(collection.child().UidForName("1.ics")) == "uid-1");
  CHECK(ValueOf(collection.child().UidForName("2.ics")) == std::nullopt);
  CHECK(ValueOf(collection.child().NameForUid("uid-1")) == "1.ics");
  CHECK(ValueOf(collection.child().NameForUid("uid-2")) == std::nullopt);
}

TEST_CASE("A search finds by component and by time, recurrences expanded", "[store][child]") {
  Collection collection;
  std::string weekly = Event("weekly");
  weekly.insert(weekly.find("SUMMARY"), "RRULE:FREQ=WEEKLY\r\n");
  ValueOf(collection.owner().PutObject("1.ics", {weekly}, {}));
  ValueOf(collection.owner().PutObject(
      "2.ics", {Event("once", "Once", "20260310T100000Z", "20260310T110000Z")}, {}));
  const auto find = [&](const store::Query& query) {
    return NamesOf(ValueOf(collection.child().Search(query)));
  };
  const absl::Time tenth = absl::FromCivil(absl::CivilDay(2026, 3, 10), absl::UTCTimeZone());
  CHECK(find({}) == Names{"1.ics", "2.ics"});
  CHECK(find({.component = "VEVENT"}) == Names{"1.ics", "2.ics"});
  CHECK(find({.component = "VTODO"}).empty());
  CHECK(find({.start = tenth, .end = tenth + absl::Hours(24)}) == Names{"2.ics"});
  CHECK(find({.start = tenth + absl::Hours(24 * 365)}) == Names{"1.ics"});
  CHECK(find({.end = tenth}) == Names{"1.ics"});
}

TEST_CASE("Objects load all at once, by names and one by one", "[store][child]") {
  Collection collection;
  const auto put = ValueOf(collection.owner().PutObject("1.ics", {Event("uid-1", "First")}, {}));
  ValueOf(collection.owner().PutObject("2.ics", {Event("uid-2")}, {}));
  const auto all = ValueOf(collection.child().LoadObjects());
  REQUIRE(NamesOf(all) == Names{"1.ics", "2.ics"});
  CHECK(all[0].id == put.object.id);
  CHECK(all[0].uid == "uid-1");
  CHECK(all[0].component == "VEVENT");
  CHECK(all[0].summary == "First");
  CHECK(all[0].etag == put.object.etag);
  CHECK(all[0].size == static_cast<int64_t>(Event("uid-1", "First").size()));
  CHECK(NamesOf(ValueOf(collection.child().LoadObjectsWithNames({"2.ics", "no.ics", "1.ics"}))) ==
        Names{"2.ics", "1.ics"});

  CHECK(ValueOf(collection.child().ObjectWith({.name = "1.ics"}))->info().id == put.object.id);
  CHECK(ValueOf(collection.child().ObjectWith({.uid = "uid-1"}))->info().id == put.object.id);
  CHECK(ValueOf(collection.child().ObjectWith({.id = put.object.id}))->info().name == "1.ics");
  CHECK(IsError<store::NoSuchObject>(collection.child().ObjectWith({.name = "no.ics"})));
  CHECK(IsError<store::NoSuchObject>(collection.child().ObjectWith({.uid = "no"})));
  CHECK(IsError<store::NoSuchObject>(collection.child().ObjectWith({.id = "no"})));
  CHECK(IsError<store::InvalidRequest>(collection.child().ObjectWith({})));
  CHECK(collection.owner().RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(NamesOf(ValueOf(collection.child().LoadObjects())) == Names{"2.ics"});
  CHECK(NamesOf(ValueOf(collection.child().LoadObjectsWithNames({"1.ics", "2.ics"}))) ==
        Names{"2.ics"});
  CHECK(IsError<store::NoSuchObject>(collection.child().ObjectWith({.name = "1.ics"})));
  CHECK(IsError<store::NoSuchObject>(collection.child().ObjectWith({.uid = "uid-1"})));
  CHECK(IsError<store::NoSuchObject>(collection.child().ObjectWith({.id = put.object.id})));
}

TEST_CASE("Texts of many objects come in one call", "[store][child]") {
  Collection collection;
  ValueOf(collection.owner().PutObject("1.ics", {Event("1")}, {}));
  // Not UTF-8: a Latin-1 e with an accent.
  ValueOf(collection.owner().PutObject("2.ics", {Event("2", "Caf\xe9")}, {}));
  int calls = 0;
  collection.cluster().network().SetTap(
      [&](std::string_view, const auto&, const auto&) { ++calls; });
  const auto texts = ValueOf(collection.child().Texts({"1.ics", "2.ics", "no.ics"}));
  CHECK(calls <= 1);
  REQUIRE(texts.size() == 2);
  CHECK(texts.at("1.ics").data == Event("1"));
  CHECK(texts.at("2.ics").data == Event("2", "Caf\xe9"));
  collection.cluster().network().SetTap(nullptr);
}

TEST_CASE("What is put is there for the owner, byte for byte", "[store][child]") {
  Collection collection;
  const auto put = ValueOf(collection.child().PutObject("1.ics", {Event("uid-1")}, {}));
  CHECK(put.created);
  CHECK(put.object.uid == "uid-1");
  CHECK_FALSE(put.object.id.empty());
  const auto seen = ValueOf(collection.owner().ObjectWith({.name = "1.ics"}));
  CHECK(seen->info().id == put.object.id);
  CHECK(ValueOf(seen->Text()).data == Event("uid-1"));

  const auto changed = ValueOf(collection.child().PutObject("1.ics", {Event("uid-1", "New")}, {}));
  CHECK_FALSE(changed.created);
  CHECK(changed.object.id == put.object.id);
  CHECK(changed.object.etag != put.object.etag);
  CHECK(ValueOf(seen->Text()).data == Event("uid-1", "New"));

  const std::string token = ValueOf(collection.child().SyncToken());
  CHECK(ValueOf(collection.child().PutObject("1.ics", {Event("uid-1", "New")}, {})).unchanged);
  CHECK(ValueOf(collection.child().SyncToken()) == token);
}

TEST_CASE("A put that cannot be is refused by its name and changes nothing", "[store][child]") {
  Collection collection;
  auto& child = collection.child();
  const auto put = ValueOf(child.PutObject("1.ics", {Event("uid-1")}, {}));
  const std::string token = ValueOf(child.SyncToken());
  CHECK(IsError<store::ObjectExists>(
      child.PutObject("1.ics", {Event("uid-1", "New")}, {.must_not_exist = true})));
  CHECK(IsError<store::InvalidName>(child.PutObject(".1.ics", {Event("uid-2")}, {})));
  CHECK(IsError<store::InvalidName>(child.PutObject("a/b.ics", {Event("uid-2")}, {})));
  CHECK(IsError<store::InvalidName>(child.PutObject("", {Event("uid-2")}, {})));
  const auto conflict = child.PutObject("2.ics", {Event("uid-1")}, {});
  CHECK(IsError<store::UidConflict>(conflict));
  CHECK(conduit::GetError<store::UidConflict>(conflict.status())->object == "1.ics");
  CHECK(IsError<store::UidChanged>(child.PutObject("1.ics", {Event("uid-2")}, {})));
  CHECK(IsError<store::PreconditionFailed>(
      child.PutObject("1.ics", {Event("uid-1", "New")}, {.etag = "other"})));
  CHECK(IsError<store::PreconditionFailed>(
      child.PutObject("3.ics", {Event("uid-3")}, {.etag = put.object.etag})));
  const auto invalid = child.PutObject("2.ics", {"BEGIN:VCALENDAR\r\nnonsense\r\n"}, {});
  CHECK(IsError<store::InvalidCalendarData>(invalid));
  CHECK(conduit::GetError<store::InvalidCalendarData>(invalid.status())->line == 2);
  CHECK(ValueOf(child.ListObjects()) == Names{"1.ics"});
  CHECK(ValueOf(child.SyncToken()) == token);
}

TEST_CASE("An object's text is replaced under its conditions", "[store][child]") {
  Collection collection;
  const auto put = ValueOf(collection.owner().PutObject("1.ics", {Event("uid-1")}, {}));
  const auto object = ValueOf(collection.child().ObjectWith({.name = "1.ics"}));
  CHECK(ValueOf(object->Text()).data == Event("uid-1"));
  CHECK(IsError<store::UidChanged>(object->SetText({Event("uid-2")}, {})));
  CHECK(IsError<store::PreconditionFailed>(
      object->SetText({Event("uid-1", "New")}, {.etag = "other"})));
  ValueOf(object->SetText({Event("uid-1", "New")}, {.etag = put.object.etag}));
  CHECK(ValueOf(object->Text()).data == Event("uid-1", "New"));
  const auto at_owner = ValueOf(collection.owner().ObjectWith({.name = "1.ics"}));
  CHECK(ValueOf(at_owner->Text()).data == Event("uid-1", "New"));
}

TEST_CASE("A removed object is gone for everybody", "[store][child]") {
  Collection collection;
  const auto put = ValueOf(collection.owner().PutObject("1.ics", {Event("uid-1")}, {}));
  const auto object = ValueOf(collection.child().ObjectWith({.name = "1.ics"}));
  CHECK(IsError<store::PreconditionFailed>(object->Remove({.etag = "other"})));
  CHECK(object->Remove({.etag = put.object.etag}) == absl::OkStatus());
  CHECK(ValueOf(collection.owner().CountObjects()) == 0);
  CHECK(IsError<store::NoSuchObject>(object->Text()));
  CHECK(IsError<store::NoSuchObject>(object->Remove({})));
  CHECK(IsError<store::NoSuchObject>(collection.child().RemoveObject("1.ics", {})));
}

TEST_CASE("Many writes go in one call, each done or refused for itself", "[store][child][bulk]") {
  Collection collection;
  HomeChild& child = collection.child();
  ValueOf(collection.owner().PutObject("old", store::Bytes{Event("old")}, {}));
  ValueOf(collection.owner().PutObject("gone", store::Bytes{Event("gone")}, {}));
  const std::string etag = ValueOf(child.FindObject({.name = "old"})).etag;
  const std::string token = ValueOf(child.SyncToken());
  int calls = 0;
  collection.cluster().network().SetTap(
      [&](std::string_view, const auto&, const auto&) { ++calls; });
  const auto results = ValueOf(child.WriteObjects({
      {.name = "new", .text = store::Bytes{Event("new")}, .condition = {.must_not_exist = true}},
      {.name = "old", .text = store::Bytes{Event("old", "x")}, .condition = {.etag = "wrong"}},
      {.name = "broken", .text = store::Bytes{"BEGIN:VCALENDAR"}},
      {.name = "twin", .text = store::Bytes{Event("new")}},
      {.name = "gone"},
      {.name = "gone"},
      {.name = ".hidden", .text = store::Bytes{Event("hidden")}},
      {.name = "old", .text = store::Bytes{Event("old", "y")}, .condition = {.etag = etag}},
  }));
  CHECK(calls <= 1);
  collection.cluster().network().SetTap(nullptr);
  std::vector<std::string> errors;
  for (const store::WriteResult& result : results) errors.push_back(result.error);
  CHECK(errors == std::vector<std::string>{"", "PreconditionFailed", "InvalidCalendarData",
                                           "UidConflict", "", "NoSuchObject", "InvalidName", ""});
  REQUIRE(results[0].put);
  CHECK(results[0].put->created);
  CHECK(results[0].put->object.etag == ValueOf(child.FindObject({.name = "new"})).etag);
  CHECK_FALSE(results[1].put);
  CHECK(results[1].details.find(etag) != std::string::npos);
  CHECK(ValueOf(conduit::FromJson<store::PreconditionFailed>(results[1].fields)).etag == etag);
  CHECK_FALSE(results[4].put);
  // What was refused changed nothing, and all of it is one step of the sync.
  CHECK(ValueOf(collection.owner().ListObjects()) == Names{"new", "old"});
  CHECK(ValueOf(collection.owner().Texts({"old"})).at("old").data == Event("old", "y"));
  const auto changes = ValueOf(collection.owner().ChangesSince(token));
  CHECK(NamesOf(changes.changed) == Names{"new", "old"});
  CHECK(changes.deleted == Names{"gone"});
}

TEST_CASE("Many writes are refused as a whole if there are too many or no right to any",
          "[store][child][bulk][rights]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "abe", Access::kRead, "anns");
  cluster.Share("ann", "calendar", "bob", Access::kRead, "anns");
  const std::string token = ValueOf(cluster.Child("ann", "calendar")->SyncToken());
  const store::ObjectWrite put = {.name = "1", .text = store::Bytes{Event("1")}};
  for (const char* viewer : {"abe", "bob"}) {
    CHECK(IsError<store::AccessDenied>(cluster.Child(viewer, "anns")->WriteObjects({put})));
    // He learns nothing else.
    CHECK(IsError<store::AccessDenied>(
        cluster.Child(viewer, "anns")->WriteObjects({10'001, {.name = "x"}})));
  }
  CHECK(IsError<store::TooManyResults>(
      cluster.Child("ann", "calendar")->WriteObjects({10'001, {.name = "x"}})));
  CHECK(ValueOf(cluster.Child("ann", "calendar")->SyncToken()) == token);
  CHECK(ValueOf(cluster.Child("ann", "calendar")->WriteObjects({})).empty());
}

TEST_CASE("A file of many events is imported and exported in one call each", "[store][child]") {
  Collection collection;
  std::string file = Event("a");
  const std::string second = Event("b");
  const size_t event = second.find("BEGIN:VEVENT");
  file.insert(file.find("END:VCALENDAR"),
              second.substr(event, second.find("END:VCALENDAR") - event));
  const auto report = ValueOf(collection.child().Import({file}));
  REQUIRE(report.items.size() == 2);
  CHECK(report.items[0].result == "created");
  CHECK(ValueOf(collection.owner().CountObjects()) == 2);
  for (const auto& item : ValueOf(collection.child().Import({file})).items) {
    CHECK(item.result == "unchanged");
  }
  const std::string exported = ValueOf(collection.child().Export()).data;
  CHECK(exported.find("UID:a\r\n") != std::string::npos);
  CHECK(exported.find("UID:b\r\n") != std::string::npos);

  const std::string token = ValueOf(collection.child().SyncToken());
  const auto refused = collection.child().Import({Event("c") + "BEGIN:VCALENDAR\r\nnonsense\r\n"});
  CHECK(IsError<store::InvalidCalendarData>(refused));
  CHECK(ValueOf(collection.child().SyncToken()) == token);
}

TEST_CASE("An object moves between collections of its owner and stays itself", "[store][child]") {
  PodCluster cluster({"A", "B"}, {"B"});
  const std::string pod = GENERATE(as<std::string>(), "A", "B");
  const auto home = cluster.HomeOn(pod, "ann", "ann");
  const std::string target = ValueOf(home->CreateChild("other", {})).id;
  const auto from = ValueOf(home->ChildWith({.name = "calendar"}));
  const auto put = ValueOf(from->PutObject("1.ics", {Event("uid-1")}, {}));
  const std::string token = ValueOf(from->SyncToken());
  const auto moved = ValueOf(from->MoveObject("1.ics", target, "2.ics"));
  CHECK(moved.id == put.object.id);
  CHECK(moved.uid == "uid-1");
  CHECK(ValueOf(from->ChangesSince(token)).deleted == Names{"1.ics"});
  const auto other = ValueOf(home->ChildWith({.name = "other"}));
  CHECK(ValueOf(ValueOf(other->ObjectWith({.name = "2.ics"}))->Text()).data == Event("uid-1"));
  CHECK(IsError<store::NoSuchObject>(from->MoveObject("1.ics", target, "2.ics")));
  CHECK(IsError<store::NoSuchCollection>(other->MoveObject("2.ics", "nothing", "2.ics")));
}

TEST_CASE("A write whose answer is lost is known to be uncertain and not done twice",
          "[store][child]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const auto child = cluster.Child("bob", "anns");
  cluster.network().SetFault("A", PodCluster::Fault::kLoseReply);
  const auto lost = child->PutObject("1.ics", {Event("uid-1")}, {});
  CHECK(IsError<store::PodUnavailable>(lost));
  CHECK(conduit::OutcomeOf(lost.status()) == conduit::Outcome::kUnknown);
  cluster.network().SetFault("A", PodCluster::Fault::kNone);
  const std::string token = ValueOf(child->SyncToken());
  CHECK(ValueOf(child->PutObject("1.ics", {Event("uid-1")}, {})).unchanged);
  CHECK(ValueOf(child->SyncToken()) == token);
}

}  // namespace
}  // namespace podkit::testing
