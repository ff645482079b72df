// What each viewer of a shared collection keeps for himself: alarms and TRANSP of its objects.
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "calendar/personal_text.h"
#include "calendar_text.h"
#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::Bytes;
using store::Calendar;
using store::Component;
using store::HomeChild;
using store::Lines;
using store::ObjectInfo;
using store::PutResult;
using store::calendar::PersonalData;
using store::calendar::PersonalText;
using store::calendar::SplitViewerText;

std::string Alarm(std::string_view minutes) {
  return Lines({"BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x",
                "TRIGGER:-PT" + std::string(minutes) + "M", "END:VALARM"});
}

// A weekly series and one instance that is set apart; `series` and `instance` stand in them.
std::string Weekly(const std::string& series, const std::string& instance = "",
                   const std::string& summary = "SUMMARY:x\r\n") {
  std::string text = Component(
      "VEVENT", {"DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4"});
  text.insert(text.find("END:VEVENT"), summary + series);
  std::string second = Component(
      "VEVENT", {"RECURRENCE-ID:20260309T100000Z", "DTSTART:20260309T120000Z", "DURATION:PT1H"});
  second.insert(second.find("END:VEVENT"), instance);
  return Calendar(text + second);
}

// ann's calendar with one object, which abe (on her pod) and bob (on another one) may write, and
// bea may read.
class SharedObject {
 public:
  explicit SharedObject(const std::string& text) {
    ValueOf(Of("ann")->PutObject("1.ics", Bytes{text}, {}));
    cluster_.Share("ann", "calendar", "abe", Access::kReadWrite, "anns");
    cluster_.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
    cluster_.Share("ann", "calendar", "bea", Access::kRead, "anns");
  }

  PodCluster& cluster() { return cluster_; }
  std::unique_ptr<HomeChild> Of(const std::string& user) {
    return cluster_.Child(user, user == "ann" ? "calendar" : "anns");
  }
  std::string Read(const std::string& user) {
    return ValueOf(Of(user)->Texts({"1.ics"})).at("1.ics").data;
  }
  absl::StatusOr<PutResult> Write(const std::string& user, const std::string& text) {
    return Of(user)->PutObject("1.ics", Bytes{text}, {});
  }
  // ETag and token of all users, by what each of them is told.
  std::vector<std::string> Tokens(const std::vector<std::string>& users) {
    std::vector<std::string> tokens;
    for (const std::string& user : users) {
      tokens.push_back(ValueOf(Of(user)->FindObject({.name = "1.ics"})).etag);
      tokens.push_back(ValueOf(Of(user)->SyncToken()));
    }
    return tokens;
  }

 private:
  PodCluster cluster_;
};

}  // namespace

TEST_CASE("A viewer's text is the owner's without the owner's alarms", "[store][personal]") {
  CHECK(ValueOf(PersonalText(Weekly(""), {})) == Weekly(""));
  CHECK(ValueOf(PersonalText(Weekly(Alarm("5"), Alarm("6")), {})) == Weekly(""));
  CHECK(ValueOf(PersonalText(Weekly("TRANSP:TRANSPARENT\r\n" + Alarm("5")), {})) ==
        Weekly("TRANSP:TRANSPARENT\r\n"));
  // Wherever the alarms stand, and with any line end.
  std::string text = Weekly("");
  text.insert(text.find("DTSTART"), Alarm("5"));
  CHECK(ValueOf(PersonalText(text, {})) == Weekly(""));
  std::erase(text, '\r');
  std::string bare = Weekly("");
  std::erase(bare, '\r');
  CHECK(ValueOf(PersonalText(text, {})) == bare);
}

TEST_CASE("What a viewer writes comes apart and together again", "[store][personal]") {
  const std::string owner = Weekly("TRANSP:OPAQUE\r\n" + Alarm("5"), Alarm("6"));
  const std::string viewer = Weekly("TRANSP:TRANSPARENT\r\n" + Alarm("15"), Alarm("16"));
  const auto split = ValueOf(SplitViewerText(viewer, owner));
  CHECK(split.owner_text == owner);
  REQUIRE(split.data.parts.size() == 2);
  CHECK(split.data.parts[0].transparency == "TRANSPARENT");
  CHECK(split.data.parts[0].alarms == Alarm("15"));
  CHECK(split.data.parts[1].instance == "20260309T100000Z");
  CHECK_FALSE(split.data.parts[1].transparency);
  CHECK(ValueOf(PersonalText(owner, split.data)) == viewer);

  // Another summary is for everybody, and the owner keeps what is his.
  const std::string edited =
      Weekly("TRANSP:TRANSPARENT\r\n" + Alarm("15"), Alarm("16"), "SUMMARY:y\r\n");
  CHECK(ValueOf(SplitViewerText(edited, owner)).owner_text ==
        Weekly("TRANSP:OPAQUE\r\n" + Alarm("5"), Alarm("6"), "SUMMARY:y\r\n"));
  // Nothing of his own leaves nothing.
  CHECK(ValueOf(SplitViewerText(Weekly("TRANSP:OPAQUE\r\n"), owner)).data.parts.empty());
  CHECK(ValueOf(SplitViewerText(Weekly(""), owner)).data.parts.empty());
  // A new object: its TRANSP is for everybody, its alarms are not.
  const auto created = ValueOf(SplitViewerText(viewer, ""));
  CHECK(created.owner_text == Weekly("TRANSP:TRANSPARENT\r\n"));
  CHECK_FALSE(created.data.parts[0].transparency);
  CHECK(ValueOf(PersonalText(created.owner_text, created.data)) == viewer);
}

TEST_CASE("An instance that is set apart keeps the alarms of the series", "[store][personal]") {
  const std::string series =
      Calendar(Component("VEVENT", {"DTSTART:20260302T100000Z", "RRULE:FREQ=WEEKLY;COUNT=4"}));
  std::string owner = series;
  owner.insert(owner.find("END:VEVENT"), Alarm("5"));
  std::string viewer = series;
  viewer.insert(viewer.find("END:VCALENDAR"), Component("VEVENT", {"RECURRENCE-ID:20260309T100000Z",
                                                                   "DTSTART:20260309T120000Z"}));
  // The viewer sets it apart: the owner is reminded of it as before.
  const std::string changed = ValueOf(SplitViewerText(viewer, owner)).owner_text;
  const size_t first = changed.find("TRIGGER:-PT5M");
  CHECK(changed.find("TRIGGER:-PT5M", first + 1) != std::string::npos);
  // The owner sets it apart: the viewer is reminded of it as before.
  const PersonalData data{{{.alarms = Alarm("15")}}};
  const std::string seen = ValueOf(PersonalText(viewer, data));
  const size_t one = seen.find("TRIGGER:-PT15M");
  CHECK(seen.find("TRIGGER:-PT15M", one + 1) != std::string::npos);
}

TEST_CASE("Alarms are looked for in folded lines too", "[store][personal]") {
  using store::calendar::MayHaveAlarms;
  CHECK(MayHaveAlarms("BEGIN:VALARM"));
  CHECK(MayHaveAlarms("begin:vavalarm"));
  CHECK(MayHaveAlarms("BEGIN:VA\r\n LA\n\tRM"));
  CHECK_FALSE(MayHaveAlarms("BEGIN:VEVENT\r\nSUMMARY:alarm\r\n"));
  CHECK_FALSE(MayHaveAlarms(""));
}

TEST_CASE("Alarms and TRANSP are each viewer's own and change nothing for others",
          "[store][personal][sync]") {
  const std::string writer = GENERATE(as<std::string>(), "abe", "bob", "bea");
  INFO(writer);
  const std::string owner = Weekly(Alarm("5"));
  SharedObject object(owner);
  std::vector<std::string> others = {"ann", "abe", "bob", "bea"};
  std::erase(others, writer);
  CHECK(object.Read(writer) == Weekly(""));
  const auto before = object.Tokens(others);
  const std::string token = ValueOf(object.Of(writer)->SyncToken());
  const std::string etag = ValueOf(object.Of(writer)->FindObject({.name = "1.ics"})).etag;

  const std::string own = Weekly("TRANSP:TRANSPARENT\r\n" + Alarm("15"), Alarm("16"));
  const PutResult put = ValueOf(object.Write(writer, own));
  CHECK_FALSE(put.altered);
  CHECK_FALSE(put.unchanged);
  CHECK(put.object.etag != etag);
  CHECK(put.object.size == static_cast<int64_t>(own.size()));
  CHECK(object.Read(writer) == own);
  CHECK(object.Read("ann") == owner);
  for (const std::string& other : others) {
    if (other != "ann") CHECK(object.Read(other) == Weekly(""));
  }
  CHECK(object.Tokens(others) == before);
  // He himself is told, on all of his devices; doing it again is nothing.
  auto changes = ValueOf(object.Of(writer)->ChangesSince(token));
  REQUIRE(changes.changed.size() == 1);
  CHECK(changes.changed[0].etag == put.object.etag);
  CHECK(changes.sync_token != token);
  CHECK(ValueOf(object.Write(writer, own)).unchanged);
  CHECK(ValueOf(object.Of(writer)->SyncToken()) == changes.sync_token);
  CHECK(ValueOf(object.Of(writer)->ChangesSince(changes.sync_token)).changed.empty());
  CHECK(ValueOf(object.Of(writer)->LoadObjects())[0].etag == put.object.etag);
  CHECK(ValueOf(object.Of(writer)->Multiget({"1.ics"}))[0].info.etag == put.object.etag);
  CHECK(ValueOf(object.Of(writer)->Search({.start = store::At("20260302T000000Z")}))[0].etag ==
        put.object.etag);
  // To have nothing of one's own again is a change too.
  ValueOf(object.Write(writer, Weekly("")));
  changes = ValueOf(object.Of(writer)->ChangesSince(changes.sync_token));
  REQUIRE(changes.changed.size() == 1);
  CHECK(changes.changed[0].etag == etag);
  CHECK(object.Tokens(others) == before);
}

TEST_CASE("A viewer's edit is for all, and everybody keeps his own", "[store][personal]") {
  SharedObject object(Weekly(Alarm("5")));
  ValueOf(object.Write("bob", Weekly(Alarm("15"))));
  ValueOf(object.Write("bea", Weekly(Alarm("25"))));
  const auto before = object.Tokens({"ann", "bob", "bea"});
  ValueOf(object.Write("abe", Weekly(Alarm("35"), "", "SUMMARY:new\r\n")));
  CHECK(object.Read("ann") == Weekly(Alarm("5"), "", "SUMMARY:new\r\n"));
  CHECK(object.Read("abe") == Weekly(Alarm("35"), "", "SUMMARY:new\r\n"));
  CHECK(object.Read("bob") == Weekly(Alarm("15"), "", "SUMMARY:new\r\n"));
  CHECK(object.Read("bea") == Weekly(Alarm("25"), "", "SUMMARY:new\r\n"));
  const auto after = object.Tokens({"ann", "bob", "bea"});
  for (size_t i = 0; i < before.size(); ++i) CHECK(before[i] != after[i]);
  // The owner's edit too.
  ValueOf(object.Write("ann", Weekly(Alarm("6"), "", "SUMMARY:newer\r\n")));
  CHECK(object.Read("bob") == Weekly(Alarm("15"), "", "SUMMARY:newer\r\n"));
}

TEST_CASE("Who may only read changes nothing but what is his own", "[store][personal][rights]") {
  SharedObject object(Weekly(""));
  const auto before = object.Tokens({"ann", "bea"});
  const auto refused = object.Write("bea", Weekly(Alarm("5"), "", "SUMMARY:mine\r\n"));
  CHECK(IsError<store::AccessDenied>(refused));
  const std::string name = ValueOf(object.Of("ann")->FindObject({.name = "1.ics"})).name;
  const std::string may = "user 'bea' may only read '" + object.Of("ann")->info().name + "'";
  CHECK(refused.status().message() ==
        may + ": of the object '" + name + "' he may change his alarms and TRANSP, nothing else");
  const auto new_one = object.Of("bea")->PutObject("2.ics", Bytes{Event("2")}, {});
  CHECK(IsError<store::AccessDenied>(new_one));
  CHECK(new_one.status().message() == may);
  CHECK(IsError<store::AccessDenied>(object.Of("bea")->Import(Bytes{Weekly(Alarm("5"))})));
  CHECK(object.Tokens({"ann", "bea"}) == before);
}

TEST_CASE("Preconditions are about what the viewer sees", "[store][personal]") {
  SharedObject object(Weekly(Alarm("5")));
  const auto bob = object.Of("bob");
  ValueOf(object.Write("bob", Weekly(Alarm("15"))));
  const ObjectInfo info = ValueOf(bob->FindObject({.name = "1.ics"}));
  const std::string owners = ValueOf(object.Of("ann")->FindObject({.name = "1.ics"})).etag;
  CHECK(info.etag != owners);
  const auto refused = bob->PutObject("1.ics", Bytes{Weekly("")}, {.etag = owners});
  REQUIRE(IsError<store::PreconditionFailed>(refused));
  CHECK(store::GetError<store::PreconditionFailed>(refused.status())->etag == info.etag);
  CHECK(IsError<store::PreconditionFailed>(bob->RemoveObject("1.ics", {.etag = owners})));
  CHECK(IsError<store::ObjectExists>(
      bob->PutObject("1.ics", Bytes{Weekly("")}, {.must_not_exist = true})));
  const auto handle = ValueOf(bob->ObjectWith({.name = "1.ics"}));
  CHECK(ValueOf(handle->SetText(Bytes{Weekly(Alarm("16"))}, {.etag = info.etag})).object.etag !=
        info.etag);
  const auto moved = ValueOf(bob->MoveObject("1.ics", bob->info().id, "2.ics"));
  CHECK(moved.etag == ValueOf(bob->FindObject({.name = "2.ics"})).etag);
  CHECK(bob->RemoveObject("2.ics", {.etag = moved.etag}) == absl::OkStatus());
}

TEST_CASE("A viewer's put that others' alarms were mixed into says so", "[store][personal]") {
  SharedObject object(Weekly(""));
  std::string text = Weekly("");
  text.insert(text.find("DTSTART"), Alarm("15"));
  const PutResult put = ValueOf(object.Write("bob", text));
  CHECK(put.altered);
  CHECK(object.Read("bob") == Weekly(Alarm("15")));
  CHECK_FALSE(ValueOf(object.Write("ann", text)).altered);
}

TEST_CASE("What a viewer kept goes with his share and with the object", "[store][personal]") {
  SharedObject object(Weekly(""));
  ValueOf(object.Write("bob", Weekly(Alarm("15"))));
  REQUIRE(object.cluster().HomeOf("ann")->Uninvite("calendar", "bob") == absl::OkStatus());
  object.cluster().Settle();
  object.cluster().Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  CHECK(object.Read("bob") == Weekly(""));
  ValueOf(object.Write("bob", Weekly(Alarm("15"))));
  REQUIRE(object.Of("ann")->RemoveObject("1.ics", {}) == absl::OkStatus());
  ValueOf(object.Write("ann", Weekly("")));
  CHECK(object.Read("bob") == Weekly(""));
}

TEST_CASE("A viewer's TRANSP counts in his own free-busy time", "[store][personal][free-busy]") {
  SharedObject object(Weekly(""));
  const auto home = object.cluster().HomeOf("bob");
  ValueOf(home->SetProperties("anns", {.transparent = false}));
  const store::FreeBusyQuery query = {.start = store::At("20260301T000000Z"),
                                      .end = store::At("20260401T000000Z")};
  CHECK(ValueOf(home->FindFreeBusy(query)).periods.size() == 4);
  ValueOf(object.Write("bob", Weekly("TRANSP:TRANSPARENT\r\n")));
  CHECK(ValueOf(home->FindFreeBusy(query)).periods.size() == 1);
  CHECK(ValueOf(object.cluster().HomeOf("ann")->FindFreeBusy(query)).periods.size() == 4);
}

TEST_CASE("Taking apart and putting together are inverse for any texts", "[store][personal]") {
  const unsigned seed = Catch::rngSeed() != 0 ? Catch::rngSeed() : std::random_device{}();
  INFO("seed " << seed);
  std::minstd_rand random(seed);
  const auto pick = [&](std::vector<std::string> choices) {
    return choices[random() % choices.size()];
  };
  const auto own = [&] {
    return pick({"", "TRANSP:OPAQUE\r\n", "TRANSP:TRANSPARENT\r\n"}) +
           pick({"", Alarm("1"), Alarm("2") + Alarm("3")});
  };
  for (int i = 0; i < 500; ++i) {
    const std::string owner = Weekly(own(), own());
    const std::string viewer = Weekly(own(), own(), pick({"SUMMARY:x\r\n", "SUMMARY:y\r\n"}));
    const auto split = ValueOf(SplitViewerText(viewer, owner));
    const std::string seen = ValueOf(PersonalText(split.owner_text, split.data));
    CAPTURE(owner, viewer, seen);
    // Taken apart again it is the same, and nobody's part was lost.
    const auto again = ValueOf(SplitViewerText(seen, split.owner_text));
    CHECK(again.owner_text == split.owner_text);
    CHECK(conduit::ToJson(again.data) == conduit::ToJson(split.data));
    CHECK(ValueOf(PersonalText(split.owner_text, again.data)) == seen);
  }
}

}  // namespace podkit::testing
