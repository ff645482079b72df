// When time is taken: of one object, of one collection, of a home over several pods.
#include "internal/free_busy.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "calendar_text.h"
#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::At;
using store::BusyKind;
using store::BusyPeriod;
using store::Bytes;
using store::Calendar;
using store::CalendarObject;
using store::Component;
using store::FreeBusy;
using store::FreeBusyQuery;
using store::InvalidRequest;
using store::Range;

using Texts = std::vector<std::string>;

std::string TextOf(absl::Time start, absl::Time end, BusyKind kind) {
  constexpr const char* kMarks[] = {"?", "", "!"};
  return absl::FormatTime("%d.%H:%M", start, absl::UTCTimeZone()) + "-" +
         absl::FormatTime("%d.%H:%M", end, absl::UTCTimeZone()) + kMarks[static_cast<int>(kind)];
}

// "02.10:00-02.11:00": day and time of both ends; "?" tentative, "!" unavailable.
Texts TextsOf(const std::vector<BusyPeriod>& periods) {
  Texts texts;
  for (const BusyPeriod& period : periods) {
    texts.push_back(TextOf(period.start, period.end, period.kind));
  }
  return texts;
}

// The busy time of one object in March 2026.
Texts BusyTimesOf(const std::string& components, const absl::TimeZone& zone = absl::UTCTimeZone()) {
  const auto object = ValueOf(CalendarObject::Parse(Calendar(components)));
  Texts texts;
  const auto busy = object.BusyTimesIn(Range("20260301T000000Z", "20260401T000000Z"), 1000, zone);
  CHECK(busy.complete);
  for (const auto& time : busy.times) texts.push_back(TextOf(time.start, time.end, time.kind));
  std::sort(texts.begin(), texts.end());
  return texts;
}

BusyPeriod Period(const std::string& start, const std::string& end,
                  BusyKind kind = BusyKind::kBusy) {
  return {.start = At("202603" + start + "00Z"), .end = At("202603" + end + "00Z"), .kind = kind};
}

FreeBusyQuery Day(const std::string& day = "20260302") {
  const absl::Time start = At(day + "T000000Z");
  return {.start = start, .end = start + absl::Hours(24)};
}

std::string EventAt(const std::string& uid, int hour) {
  return Event(uid, "Meeting", fmt::format("20260302T{:02}0000Z", hour),
               fmt::format("20260302T{:02}0000Z", hour + 1));
}

// Counts the calls that each pod answers.
class CallCounter {
 public:
  explicit CallCounter(PodCluster& cluster) : cluster_(cluster) {
    cluster_.network().SetTap(
        [this](std::string_view pod, const auto&, const auto&) { ++calls_[std::string(pod)]; });
  }
  ~CallCounter() { cluster_.network().SetTap(nullptr); }
  std::map<std::string, int> Take() { return std::exchange(calls_, {}); }

 private:
  PodCluster& cluster_;
  std::map<std::string, int> calls_;
};

using Calls = std::map<std::string, int>;

}  // namespace

TEST_CASE("An event takes time by its TRANSP and STATUS", "[store][free-busy]") {
  const auto event = [](std::string_view more) {
    return Component("VEVENT", {"DTSTART:20260302T100000Z", "DTEND:20260302T110000Z", more});
  };
  const Texts busy = {"02.10:00-02.11:00"};
  CHECK(BusyTimesOf(event("SUMMARY:x")) == busy);
  CHECK(BusyTimesOf(event("TRANSP:OPAQUE")) == busy);
  CHECK(BusyTimesOf(event("STATUS:CONFIRMED")) == busy);
  CHECK(BusyTimesOf(event("TRANSP:transparent")).empty());
  CHECK(BusyTimesOf(event("STATUS:CANCELLED")).empty());
  CHECK(BusyTimesOf(event("STATUS:TENTATIVE")) == Texts{"02.10:00-02.11:00?"});
  CHECK(BusyTimesOf(Component("VEVENT", {"DTSTART:20260302T100000Z"})).empty());
  CHECK(BusyTimesOf(Component("VTODO", {"DTSTART:20260302T100000Z", "DUE:20260302T110000Z"}))
            .empty());
}

TEST_CASE("Recurring events take the time of each instance, as far as it is in the range",
          "[store][free-busy]") {
  CHECK(
      BusyTimesOf(Component("VEVENT", {"DTSTART:20260227T230000Z", "DURATION:PT2H",
                                       "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260301T230000Z"}) +
                  Component("VEVENT", {"RECURRENCE-ID:20260302T230000Z", "DTSTART:20260310T100000Z",
                                       "DTEND:20260310T110000Z", "STATUS:TENTATIVE"})) ==
      Texts{"01.00:00-01.01:00", "10.10:00-10.11:00?"});
  // An instance of its own that takes no time frees what the series took.
  CHECK(BusyTimesOf(Component("VEVENT", {"DTSTART:20260302T100000Z", "DURATION:PT1H",
                                         "RRULE:FREQ=DAILY;COUNT=2"}) +
                    Component("VEVENT", {"RECURRENCE-ID:20260302T100000Z",
                                         "DTSTART:20260302T100000Z", "DURATION:PT1H",
                                         "TRANSP:TRANSPARENT"})) == Texts{"03.10:00-03.11:00"});
  const auto berlin = *store::FindTimeZone("Europe/Berlin");
  CHECK(BusyTimesOf(Component("VEVENT", {"DTSTART;VALUE=DATE:20260310"}), berlin) ==
        Texts{"09.23:00-10.23:00"});
}

TEST_CASE("A VFREEBUSY takes the time that it names", "[store][free-busy]") {
  CHECK(BusyTimesOf(Component("VFREEBUSY",
                              {"DTSTART:20260301T000000Z", "DTEND:20260401T000000Z",
                               "FREEBUSY:20260302T100000Z/20260302T110000Z,20260303T100000Z/PT30M",
                               "FREEBUSY;FBTYPE=FREE:20260304T100000Z/PT1H",
                               "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260305T100000Z/PT1H",
                               "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260306T100000Z/PT1H",
                               "FREEBUSY;FBTYPE=X-OTHER:20260307T100000Z/PT1H"})) ==
        Texts{"02.10:00-02.11:00", "03.10:00-03.10:30", "05.10:00-05.11:00?", "06.10:00-06.11:00!",
              "07.10:00-07.11:00"});
}

TEST_CASE("Periods are merged, the strongest kind first", "[store][free-busy]") {
  const auto merged = [](const std::vector<BusyPeriod>& periods) {
    return TextsOf(store::MergePeriods(periods));
  };
  CHECK(merged({}).empty());
  CHECK(merged({Period("02T1100", "02T1200"), Period("02T1000", "02T1100")}) ==
        Texts{"02.10:00-02.12:00"});
  CHECK(merged({Period("02T1000", "02T1200"), Period("02T1030", "02T1100"),
                Period("02T1300", "02T1300"), Period("02T1400", "02T1500")}) ==
        Texts{"02.10:00-02.12:00", "02.14:00-02.15:00"});
  CHECK(
      merged({Period("02T1000", "02T1200", BusyKind::kTentative), Period("02T1030", "02T1100"),
              Period("02T1045", "02T1130", BusyKind::kUnavailable)}) ==
      Texts{"02.10:00-02.10:30?", "02.10:30-02.10:45", "02.10:45-02.11:30!", "02.11:30-02.12:00?"});
}

TEST_CASE("The free-busy time of a home is that of its opaque collections on all pods",
          "[store][free-busy]") {
  PodCluster cluster({"A", "B", "C"});
  const auto put = [&](const std::string& uid, const std::string& calendar, int hour) {
    ValueOf(cluster.Child(uid, calendar)->PutObject("1.ics", Bytes{EventAt("e", hour)}, {}));
  };
  put("ann", "calendar", 8);
  put("abe", "calendar", 9);
  put("bob", "calendar", 10);
  put("bea", "calendar", 11);
  put("cat", "calendar", 12);
  for (const char* owner : {"abe", "bob", "bea", "cat"}) {
    cluster.Share(owner, "calendar", "ann", Access::kRead, owner);
  }
  const auto ann = cluster.HomeOf("ann");
  CHECK(TextsOf(ValueOf(ann->FindFreeBusy(Day())).periods) == Texts{"02.08:00-02.09:00"});
  FreeBusyQuery query = Day();
  query.collections = {"calendar", "bob", "bob"};
  CHECK(TextsOf(ValueOf(ann->FindFreeBusy(query)).periods) ==
        Texts{"02.08:00-02.09:00", "02.10:00-02.11:00"});
  for (const char* name : {"abe", "bob", "bea", "cat"}) {
    ValueOf(ann->SetProperties(name, {.transparent = false}));
  }
  CallCounter calls(cluster);
  const FreeBusy all = ValueOf(ann->FindFreeBusy(Day()));
  CHECK(TextsOf(all.periods) == Texts{"02.08:00-02.13:00"});
  CHECK(all.unknown.empty());
  // One call to each pod, however many collections and owners it has.
  CHECK(calls.Take() == Calls{{"B", 1}, {"C", 1}});
  ValueOf(ann->SetProperties("calendar", {.transparent = true}));
  query = Day();
  query.exclude_uid = "e";
  CHECK(ValueOf(ann->FindFreeBusy(query)).periods.empty());
  query.collections = {"calendar", "elsewhere"};
  CHECK(IsError<store::NoSuchCollection>(ann->FindFreeBusy(query)));
}

TEST_CASE("Time that cannot be asked for is unknown, not free", "[store][free-busy]") {
  PodCluster cluster({"A", "B", "C"});
  for (const char* owner : {"bob", "cat"}) {
    ValueOf(cluster.Child(owner, "calendar")->PutObject("1.ics", Bytes{EventAt("e", 10)}, {}));
    cluster.Share(owner, "calendar", "ann", Access::kBusy, owner);
    ValueOf(cluster.HomeOf("ann")->SetProperties(owner, {.transparent = false}));
  }
  const auto ann = cluster.HomeOf("ann");
  const FreeBusyQuery query = Day();
  CHECK(ValueOf(ann->FindFreeBusy(query)).unknown.empty());
  cluster.network().SetFault("C", PodCluster::Fault::kRefuse);
  FreeBusy busy = ValueOf(ann->FindFreeBusy(query));
  CHECK(busy.unknown == Texts{"cat"});
  CHECK(TextsOf(busy.periods) == Texts{"02.10:00-02.11:00"});
  // Taken back, and ann's pod has not heard of it: the rest is told all the same.
  REQUIRE(cluster.HomeOf("bob")->Uninvite("calendar", "ann") == absl::OkStatus());
  busy = ValueOf(ann->FindFreeBusy(query));
  CHECK(busy.unknown == Texts{"bob", "cat"});
  CHECK(busy.periods.empty());
  // A rule that nobody can expand.
  ValueOf(cluster.Child("ann", "calendar")
              ->PutObject(
                  "x.ics",
                  Bytes{Calendar(Component("VEVENT", {"DTSTART:20200101T000000Z", "DURATION:PT1S",
                                                      "RRULE:FREQ=SECONDLY"}))},
                  {}));
  CHECK(ValueOf(ann->FindFreeBusy(query)).unknown == Texts{"bob", "calendar", "cat"});
}

TEST_CASE("Free-busy time is told to who may know it, and to him only what he may know",
          "[store][free-busy][rights]") {
  const std::string viewer = GENERATE(as<std::string>(), "abe", "bob");
  PodCluster cluster;
  ValueOf(cluster.HomeOf("ann")->CreateChild("private", {}));
  ValueOf(cluster.Child("ann", "private")->PutObject("1.ics", Bytes{EventAt("p", 8)}, {}));
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1.ics", Bytes{EventAt("c", 10)}, {}));
  const std::string pod = viewer == "abe" ? "A" : "B";
  const auto home = cluster.HomeOn(pod, "ann", viewer);
  CHECK(IsError<store::AccessDenied>(home->FindFreeBusy(Day())));
  const auto share = ValueOf(cluster.HomeOf("ann")->Invite("calendar", viewer, Access::kBusy, ""));
  CallCounter calls(cluster);
  CHECK(TextsOf(ValueOf(home->FindFreeBusy(Day())).periods) == Texts{"02.10:00-02.11:00"});
  CHECK(calls.Take() == (viewer == "abe" ? Calls{} : Calls{{"A", 2}}));
  FreeBusyQuery query = Day();
  query.collections = {share.collection_id};
  CHECK(TextsOf(ValueOf(home->FindFreeBusy(query)).periods) == Texts{"02.10:00-02.11:00"});
  query.collections = {"private"};
  CHECK(IsError<store::NoSuchCollection>(home->FindFreeBusy(query)));
  REQUIRE(cluster.HomeOf("ann")->Uninvite("calendar", viewer) == absl::OkStatus());
  CHECK(IsError<store::AccessDenied>(home->FindFreeBusy(Day())));
  // Another pod's word for a user of this one is worth nothing.
  if (pod == "B") {
    CHECK(IsError<store::AccessDenied>(cluster.HomeOn("B", "ann", "ann")->FindFreeBusy(Day())));
  }
}

TEST_CASE("Questions for too much free-busy time are refused", "[store][free-busy]") {
  PodCluster cluster({"A", "B"}, {"B"});
  const std::string pod = GENERATE(as<std::string>(), "A", "B");
  const auto home = cluster.HomeOn(pod, "ann", "ann");
  const absl::Time start = At("20260302T000000Z");
  CHECK(IsError<InvalidRequest>(home->FindFreeBusy({.start = start, .end = start})));
  CHECK(IsError<InvalidRequest>(home->FindFreeBusy(
      {.start = start, .end = start + store::kLongestFreeBusyRange + absl::Seconds(1)})));
  CHECK(ValueOf(home->FindFreeBusy({.start = start, .end = start + store::kLongestFreeBusyRange}))
            .periods.empty());
  CHECK(
      IsError<InvalidRequest>(home->FindFreeBusy({.start = start, .end = absl::InfiniteFuture()})));
  FreeBusyQuery query = Day();
  query.time_zone = "Mars/Olympus";
  CHECK(IsError<InvalidRequest>(home->FindFreeBusy(query)));
  for (const char* uid : {"one", "two", "three"}) {
    std::string text = Calendar(Component("VEVENT", {"DTSTART:20260101T000000Z", "DURATION:PT30S",
                                                     "RRULE:FREQ=MINUTELY;COUNT=40000"}));
    text.replace(text.find("UID:1"), 5, fmt::format("UID:{}", uid));
    ValueOf(cluster.Child("ann", "calendar")->PutObject(uid, Bytes{text}, {}));
  }
  query = {.start = At("20260101T000000Z"), .end = At("20260301T000000Z")};
  const auto refused = home->FindFreeBusy(query);
  REQUIRE(IsError<store::TooManyResults>(refused));
  CHECK(store::GetError<store::TooManyResults>(refused.status())->limit == 100'000);
  query.exclude_uid = "one";
  CHECK(ValueOf(home->FindFreeBusy(query)).periods.size() == 40'000);
}

}  // namespace podkit::testing
