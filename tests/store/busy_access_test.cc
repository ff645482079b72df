// What somebody sees who may know only that time is taken.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "calendar/busy_text.h"
#include "calendar_text.h"
#include "pod_cluster.h"
#include "podkit/conduit/json.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::At;
using store::Bytes;
using store::Calendar;
using store::Changes;
using store::Component;
using store::HomeChild;
using store::ObjectInfo;

using Names = std::vector<std::string>;

// An event in which everything that is not a time says SECRET.
std::string SecretEvent(std::string_view more = "TRANSP:OPAQUE",
                        std::string_view summary = "SUMMARY:SECRET") {
  return store::Lines({"BEGIN:VCALENDAR",
                       "VERSION:2.0",
                       "PRODID:-//SECRET//EN",
                       "X-WR-CALNAME:SECRET",
                       "BEGIN:VTIMEZONE",
                       "TZID:Here",
                       "COMMENT:SECRET",
                       "BEGIN:STANDARD",
                       "DTSTART:19700101T000000",
                       "TZOFFSETFROM:+0100",
                       "TZOFFSETTO:+0100",
                       "TZNAME:SECRET",
                       "END:STANDARD",
                       "END:VTIMEZONE",
                       "BEGIN:VEVENT",
                       "UID:SECRET",
                       "DTSTAMP:20260101T000000Z",
                       "DTSTART;X-SECRET=SECRET;TZID=Here:20260302T110000",
                       "DURATION:PT1H",
                       "RRULE:FREQ=DAILY;COUNT=2",
                       "DESCRIPTION:SECRET",
                       "LOCATION:SECRET",
                       "CATEGORIES:SECRET",
                       "ORGANIZER;CN=SECRET:mailto:SECRET@example.com",
                       "ATTENDEE:mailto:SECRET@example.com",
                       "X-SECRET:1",
                       "COMMENT:SECRET",
                       "ATTACH:http://SECRET.example.com",
                       summary,
                       more,
                       "BEGIN:VALARM",
                       "ACTION:DISPLAY",
                       "DESCRIPTION:SECRET",
                       "TRIGGER:-PT10M",
                       "END:VALARM",
                       "END:VEVENT",
                       "END:VCALENDAR"});
}

// ann's calendar, which `viewer` may see busy only.
class BusyShare {
 public:
  BusyShare() : viewer_(GENERATE(as<std::string>(), "abe", "bob")) {
    UNSCOPED_INFO("the viewer is " << viewer_);
    cluster_.Share("ann", "calendar", viewer_, Access::kBusy, "anns");
  }

  PodCluster& cluster() { return cluster_; }
  std::unique_ptr<HomeChild> Owner() { return cluster_.Child("ann", "calendar"); }
  std::unique_ptr<HomeChild> Viewer() { return cluster_.Child(viewer_, "anns"); }
  void Put(const std::string& name, const std::string& text) {
    ValueOf(Owner()->PutObject(name, Bytes{text}, {}));
  }
  // The id by which the viewer knows the object.
  std::string IdOf(const std::string& name) {
    return ValueOf(Owner()->FindObject({.name = name})).id;
  }
  void Allow(Access access) {
    ValueOf(cluster_.HomeOf("ann")->Invite("calendar", viewer_, access, ""));
    cluster_.Settle();
  }
  const std::string& viewer() const { return viewer_; }

 private:
  std::string viewer_;
  PodCluster cluster_;
};

Names NamesOf(const std::vector<ObjectInfo>& objects) {
  Names names;
  for (const ObjectInfo& object : objects) names.push_back(object.name);
  return names;
}

bool Tells(const std::string& text) { return text.find("SECRET") != std::string::npos; }

}  // namespace

TEST_CASE("A busy text is a valid object of the same time and says nothing else", "[store][busy]") {
  const std::string text = SecretEvent("STATUS:TENTATIVE");
  const auto busy = store::calendar::BusyText(text, "the-id");
  REQUIRE(busy);
  CHECK_FALSE(Tells(*busy));
  const auto object = ValueOf(store::CalendarObject::Parse(*busy));
  CHECK(object.info().uid == "the-id");
  CHECK(object.info().summary == "Busy");
  const auto times = object.BusyTimesIn(store::Range("20260301T000000Z", "20260401T000000Z"), 10);
  REQUIRE(times.times.size() == 2);
  CHECK(times.times[0].start == At("20260302T100000Z"));
  CHECK(times.times[0].kind == store::BusyKind::kTentative);
  CHECK(times.times[1].end == At("20260303T110000Z"));
}

TEST_CASE("What takes no time is not in a busy text", "[store][busy]") {
  using store::calendar::BusyText;
  CHECK_FALSE(BusyText(SecretEvent("TRANSP:TRANSPARENT"), "x"));
  CHECK_FALSE(BusyText(SecretEvent("STATUS:CANCELLED"), "x"));
  CHECK_FALSE(BusyText(Calendar(Component("VTODO", {"DUE:20260302T100000Z"})), "x"));
  CHECK_FALSE(BusyText("no calendar", "x"));
  // An instance that is free frees what the series takes.
  const std::string series = Component(
      "VEVENT", {"DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"});
  const std::string freed =
      Component("VEVENT", {"RECURRENCE-ID:20260303T100000Z", "DTSTART:20260303T100000Z",
                           "DURATION:PT1H", "TRANSP:TRANSPARENT", "SUMMARY:SECRET"});
  const auto busy = BusyText(Calendar(series + freed), "x");
  REQUIRE(busy);
  CHECK_FALSE(Tells(*busy));
  CHECK(busy->find("RECURRENCE-ID") == std::string::npos);
  CHECK(busy->find("EXDATE:20260303T100000Z") != std::string::npos);
  // A free series with one instance that is not.
  std::string taken = freed;
  taken.replace(taken.find("TRANSPARENT"), 11, "OPAQUE");
  std::string free_series = series;
  free_series.replace(free_series.find("DURATION"), 0, "TRANSP:TRANSPARENT\r\n");
  const auto one = BusyText(Calendar(free_series + taken), "x");
  REQUIRE(one);
  CHECK(one->find("RRULE") == std::string::npos);
  CHECK(ValueOf(store::CalendarObject::Parse(*one))
            .BusyTimesIn(store::Range("20260301T000000Z", "20260401T000000Z"), 10)
            .times.size() == 1);
}

TEST_CASE("Long lines of a busy text are folded", "[store][busy]") {
  std::string dates = "EXDATE:20260302T100000Z";
  for (int day = 3; day < 30; ++day) dates += fmt::format(",202603{:02}T100000Z", day);
  const auto busy = store::calendar::BusyText(
      Calendar(Component("VEVENT", {"DTSTART:20260302T100000Z", "DURATION:PT1H",
                                    "RRULE:FREQ=DAILY;COUNT=40", dates})),
      "x");
  REQUIRE(busy);
  size_t start = 0;
  for (size_t end; (end = busy->find("\r\n", start)) != std::string::npos; start = end + 2) {
    CHECK(end - start <= 75);
  }
  CHECK(ValueOf(store::CalendarObject::Parse(*busy))
            .BusyTimesIn(store::Range("20260301T000000Z", "20260501T000000Z"), 100)
            .times.size() == 12);
}

TEST_CASE("A busy viewer learns nothing but time from any question", "[store][busy]") {
  BusyShare share;
  share.Put("SECRET.ics", SecretEvent());
  share.Put("SECRET-free.ics",
            Event("SECRET-free", "SECRET")
                .insert(Event("SECRET-free", "SECRET").find("DTSTART"), "TRANSP:TRANSPARENT\r\n"));
  const auto viewer = share.Viewer();
  CHECK(viewer->info().access == Access::kBusy);
  const std::string id = share.IdOf("SECRET.ics");
  const std::string name = id + ".ics";
  CHECK(ValueOf(viewer->ListObjects()) == Names{name});
  CHECK(ValueOf(viewer->CountObjects()) == 1);
  const auto infos = ValueOf(viewer->LoadObjects());
  REQUIRE(infos.size() == 1);
  CHECK(infos[0].uid == id);
  const auto object = ValueOf(viewer->ObjectWith({.name = name}));
  const std::string text = ValueOf(object->Text()).data;
  CHECK(infos[0].size == static_cast<int64_t>(text.size()));
  for (const auto& data : ValueOf(viewer->Multiget({name, "SECRET.ics"}))) {
    CHECK(data.text.data == text);
    CHECK(data.info.etag == infos[0].etag);
    CHECK_FALSE(Tells(conduit::ToJson(data)));
  }
  CHECK(ValueOf(viewer->Texts({name})).at(name).data == text);
  CHECK(ValueOf(viewer->NameForUid(id)) == name);
  CHECK(ValueOf(viewer->UidForName(name)) == id);
  CHECK(ValueOf(viewer->NameForUid("SECRET")) == std::nullopt);
  CHECK(ValueOf(viewer->UidForName("SECRET.ics")) == std::nullopt);
  CHECK(IsError<store::NoSuchObject>(viewer->FindObject({.name = "SECRET.ics"})));
  CHECK(IsError<store::NoSuchObject>(viewer->FindObject({.id = share.IdOf("SECRET-free.ics")})));
  CHECK_FALSE(Tells(ValueOf(viewer->Export()).data));
  CHECK_FALSE(Tells(conduit::ToJson(ValueOf(viewer->ChangesSince("")))));
  const auto found =
      ValueOf(viewer->Search({.start = At("20260303T103000Z"), .end = At("20260303T104500Z")}));
  REQUIRE(found.size() == 1);
  CHECK_FALSE(Tells(conduit::ToJson(found[0])));
  CHECK(ValueOf(viewer->Search({.start = At("20260304T103000Z")})).empty());
}

TEST_CASE("A busy viewer changes nothing", "[store][busy][rights]") {
  BusyShare share;
  share.Put("1.ics", SecretEvent());
  const auto viewer = share.Viewer();
  const std::string name = share.IdOf("1.ics") + ".ics";
  CHECK(IsError<store::AccessDenied>(viewer->PutObject("2.ics", Bytes{Event("2")}, {})));
  CHECK(IsError<store::AccessDenied>(viewer->RemoveObject(name, {})));
  CHECK(IsError<store::AccessDenied>(viewer->Import(Bytes{Event("2")})));
  CHECK(IsError<store::AccessDenied>(viewer->MoveObject(name, viewer->info().id, "x")));
  const auto object = ValueOf(viewer->ObjectWith({.name = name}));
  CHECK(IsError<store::AccessDenied>(object->SetText(Bytes{SecretEvent()}, {})));
  CHECK(IsError<store::AccessDenied>(object->Remove({})));
  CHECK(ValueOf(share.Owner()->ListObjects()) == Names{"1.ics"});
}

TEST_CASE("A busy viewer's ETags and tokens follow what he sees", "[store][busy][sync]") {
  BusyShare share;
  share.Put("1.ics", SecretEvent());
  const auto viewer = share.Viewer();
  const std::string name = share.IdOf("1.ics") + ".ics";
  const ObjectInfo before = ValueOf(viewer->FindObject({.name = name}));
  std::string token = ValueOf(viewer->SyncToken());
  const auto next = [&] {
    Changes changes = ValueOf(viewer->ChangesSince(token));
    token = changes.sync_token;
    return changes;
  };
  CHECK(next().changed.empty());

  share.Put("1.ics", SecretEvent("TRANSP:OPAQUE", "SUMMARY:SECRET too"));
  CHECK(ValueOf(viewer->FindObject({.name = name})).etag == before.etag);
  next();
  share.Put("1.ics", SecretEvent("STATUS:TENTATIVE"));
  CHECK(NamesOf(next().changed) == Names{name});
  CHECK(ValueOf(viewer->FindObject({.name = name})).etag != before.etag);

  // A new name is nothing that he sees; a free event is gone; a busy one is there again.
  ValueOf(share.Owner()->MoveObject("1.ics", share.Owner()->info().id, "2.ics"));
  CHECK(next().deleted.empty());
  share.Put("2.ics", SecretEvent("TRANSP:TRANSPARENT"));
  Changes changes = next();
  CHECK(changes.changed.empty());
  CHECK(changes.deleted == Names{name});
  share.Put("2.ics", SecretEvent());
  CHECK(NamesOf(next().changed) == Names{name});
  REQUIRE(share.Owner()->RemoveObject("2.ics", {}) == absl::OkStatus());
  CHECK(next().deleted == Names{name});
}

TEST_CASE("Another level of access is another view with tokens of its own", "[store][busy][sync]") {
  BusyShare share;
  share.Put("1.ics", SecretEvent());
  const std::string busy = ValueOf(share.Viewer()->SyncToken());
  share.Allow(Access::kRead);
  CHECK(share.Viewer()->info().access == Access::kRead);
  CHECK(IsError<store::InvalidSyncToken>(share.Viewer()->ChangesSince(busy)));
  CHECK(ValueOf(share.Viewer()->ListObjects()) == Names{"1.ics"});
  const std::string full = ValueOf(share.Viewer()->SyncToken());
  share.Allow(Access::kBusy);
  CHECK(IsError<store::InvalidSyncToken>(share.Viewer()->ChangesSince(full)));
  CHECK(ValueOf(share.Viewer()->ChangesSince(busy)).sync_token == busy);
}

}  // namespace podkit::testing
