#include <string>

#include "calendar_text.h"
#include "collection_fixture.h"
#include "internal/object_table.h"

namespace podkit::store {
namespace {

using testing::ValueOf;

std::string WithUid(std::string text, const std::string& uid) {
  return text.replace(text.find("UID:1"), 5, "UID:" + uid);
}

class SearchFixture : public CollectionFixture {
 public:
  SearchFixture() : work(Open("work")) {}

  void Add(const std::string& name, const std::string& component) {
    Put(*work, name, WithUid(Calendar(component), name));
  }
  Names Find(const Query& query) { return NamesOf(ValueOf(work->Search(query))); }
  Names Between(const std::string& start, const std::string& end) {
    return Find({.start = At(start), .end = At(end)});
  }

  std::unique_ptr<HomeChild> work;
};

}  // namespace

TEST_CASE_METHOD(SearchFixture, "A query without members finds everything, by name",
                 "[store][search]") {
  Add("b", Component("VEVENT", {"DTSTART:20260302T100000Z"}));
  Add("a", Component("VTODO", {"SUMMARY:x"}));
  CHECK(Find({}) == Names{"a", "b"});
}

TEST_CASE_METHOD(SearchFixture, "A query finds one type of component", "[store][search]") {
  Add("event", Component("VEVENT", {"DTSTART:20260302T100000Z"}));
  Add("todo", Component("VTODO", {"DUE:20260302T100000Z"}));
  CHECK(Find({.component = "VEVENT"}) == Names{"event"});
  CHECK(Find({.component = "vtodo"}) == Names{"todo"});
  CHECK(Find({.component = "VJOURNAL"}).empty());
  CHECK(Find({.component = "VTODO", .start = At("20260302T000000Z")}) == Names{"todo"});
}

TEST_CASE_METHOD(SearchFixture, "A query finds what overlaps its range", "[store][search]") {
  Add("early", Component("VEVENT", {"DTSTART:20260302T080000Z", "DTEND:20260302T090000Z"}));
  Add("late", Component("VEVENT", {"DTSTART:20260302T180000Z", "DTEND:20260302T190000Z"}));
  Add("moment", Component("VEVENT", {"DTSTART:20260302T120000Z"}));
  Add("undated", Component("VTODO", {"SUMMARY:some day"}));
  CHECK(Between("20260302T083000Z", "20260302T084500Z") == Names{"early", "undated"});
  CHECK(Between("20260302T090000Z", "20260302T120000Z") == Names{"undated"});
  CHECK(Between("20260302T120000Z", "20260302T120001Z") == Names{"moment", "undated"});
  CHECK(Between("20260302T080000Z", "20260303T000000Z") ==
        Names{"early", "late", "moment", "undated"});
  CHECK(Find({.start = At("20260302T100000Z")}) == Names{"late", "moment", "undated"});
  CHECK(Find({.end = At("20260302T100000Z")}) == Names{"early", "undated"});
}

TEST_CASE_METHOD(SearchFixture, "A query finds recurring events by their instances",
                 "[store][search]") {
  Add("daily", Component("VEVENT", {"DTSTART:20260302T100000Z", "DURATION:PT1H",
                                    "RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20260304T100000Z"}));
  Add("for_ever",
      Component("VEVENT", {"DTSTART:20200101T230000Z", "DURATION:PT2H", "RRULE:FREQ=YEARLY"}));
  CHECK(Between("20260303T000000Z", "20260304T000000Z") == Names{"daily"});
  CHECK(Between("20260304T000000Z", "20260305T000000Z").empty());
  CHECK(Between("20260306T103000Z", "20260307T000000Z") == Names{"daily"});
  CHECK(Between("20260307T000000Z", "20261231T000000Z").empty());
  CHECK(Between("20990102T003000Z", "20990102T004000Z") == Names{"for_ever"});
}

TEST_CASE_METHOD(SearchFixture, "All-day and floating times are read in the zone of the query",
                 "[store][search]") {
  Add("day", Component("VEVENT", {"DTSTART;VALUE=DATE:20260302"}));
  Add("noon", Component("VEVENT", {"DTSTART:20260302T120000", "DURATION:PT1H"}));
  const auto between = [&](const char* start, const char* end, const char* zone) {
    return Find({.start = At(start), .end = At(end), .time_zone = zone});
  };
  CHECK(Between("20260302T230000Z", "20260302T233000Z") == Names{"day"});
  CHECK(between("20260302T230000Z", "20260302T233000Z", "Europe/Berlin").empty());
  CHECK(between("20260301T233000Z", "20260302T000000Z", "Europe/Berlin") == Names{"day"});
  CHECK(between("20260302T170000Z", "20260302T171500Z", "America/New_York") ==
        Names{"day", "noon"});
  // The farthest zones of the world.
  CHECK(between("20260301T101500Z", "20260301T101600Z", "Pacific/Kiritimati") == Names{"day"});
  CHECK(between("20260303T103000Z", "20260303T105900Z", "Pacific/Pago_Pago") == Names{"day"});
}

TEST_CASE_METHOD(SearchFixture, "A changed object is found where it is now", "[store][search]") {
  Add("a", Component("VEVENT", {"DTSTART:20260302T100000Z", "DURATION:PT1H"}));
  Add("a", Component("VEVENT", {"DTSTART:20270302T100000Z", "DURATION:PT1H"}));
  CHECK(Between("20260302T000000Z", "20260303T000000Z").empty());
  CHECK(Between("20270302T000000Z", "20270303T000000Z") == Names{"a"});
  ValueOf(work->MoveObject("a", "home", "a"));
  CHECK(Between("20270302T000000Z", "20270303T000000Z").empty());
}

TEST_CASE_METHOD(SearchFixture, "What a query reads follows what it finds",
                 "[store][search][bulk]") {
  // A thousand single events, three a day, and series that meet once a year, all long before.
  for (int i = 0; i < 1000; ++i) {
    const absl::Time start = At("20200101T080000Z") + i / 3 * absl::Hours(24);
    Add(std::to_string(i), Component("VEVENT", {"DTSTART:" + Text(start), "DURATION:PT1H"}));
  }
  for (int i = 0; i < 100; ++i) {
    const absl::Time start = At("19900401T080000Z") + i * absl::Hours(24);
    Add("yearly" + std::to_string(i),
        Component("VEVENT", {"DTSTART:" + Text(start), "DURATION:PT1H", "RRULE:FREQ=YEARLY"}));
  }
  const auto texts_read = [&](const TimeRange& range) {
    int texts = 0;
    CHECK(store().Read([&](Database& database) {
      return ObjectTable(database, "work", "work")
          .VisitTexts(range, [&](const ObjectInfo&, const std::string&) { ++texts; });
    }) == absl::OkStatus());
    return texts;
  };
  CHECK(texts_read(Range("20200301T000000Z", "20200302T000000Z")) == 3);
  CHECK(texts_read(Range("20200301T000000Z", "20200308T000000Z")) == 21);
  CHECK(texts_read(Range("20200402T000000Z", "20200403T000000Z")) <= 6);
  CHECK(texts_read(Range("20300101T000000Z", "20300102T000000Z")) == 0);
  CHECK(texts_read({}) == 1100);
  // And the index leads there: no step of the plan looks through all spans.
  std::string plan;
  CHECK(store().Read([&](Database& database) {
    return database.Query("EXPLAIN QUERY PLAN " + ObjectTable::SpanQuery(),
                          {"work", int64_t{0}, int64_t{0}},
                          [&](const Row& row) { plan += row.Text(3) + "\n"; });
  }) == absl::OkStatus());
  INFO(plan);
  CHECK(plan.find("SEARCH object_span USING PRIMARY KEY (collection_id=? AND level=? AND "
                  "starts_at>? AND starts_at<?)") != std::string::npos);
  CHECK(plan.find("SCAN object") == std::string::npos);
}

TEST_CASE_METHOD(SearchFixture, "Every instance is found, however the index groups them",
                 "[store][search]") {
  // Every second week for ever, one instance moved far away, one long instance.
  Add("1", Component("VEVENT", {"DTSTART:20260105T100000Z", "DURATION:PT1H",
                                "RRULE:FREQ=WEEKLY;INTERVAL=2"}) +
               Component("VEVENT", {"RECURRENCE-ID:20260119T100000Z", "DTSTART:20220101T100000Z",
                                    "DURATION:PT1H"}) +
               Component("VEVENT", {"RECURRENCE-ID:20260202T100000Z", "DTSTART:20260202T100000Z",
                                    "DTEND:20260301T000000Z"}));
  for (int i = 0; i < 300; ++i) {
    const absl::Time start = At("20260105T100000Z") + i * absl::Hours(24 * 14);
    INFO(Text(start));
    CHECK(Find({.start = start, .end = start + absl::Hours(1)}).size() == (i == 1 ? 0 : 1));
    const absl::Time week_later = start + absl::Hours(24 * 7);
    CHECK(Find({.start = week_later, .end = week_later + absl::Hours(1)}).size() ==
          (i == 2 || i == 3 ? 1 : 0));
  }
  CHECK(Between("20220101T000000Z", "20220102T000000Z") == Names{"1"});
  CHECK(Between("20260220T000000Z", "20260221T000000Z") == Names{"1"});
}

TEST_CASE_METHOD(SearchFixture, "A query that makes no sense is refused", "[store][search]") {
  const absl::Time noon = At("20260302T120000Z");
  CHECK(GetError<InvalidRequest>(work->Search({.start = noon, .end = noon}).status()));
  CHECK(GetError<InvalidRequest>(
      work->Search({.start = noon, .end = noon - absl::Seconds(1)}).status()));
  for (const char* zone : {"", "Mars/Olympus", "../../etc/passwd"}) {
    CHECK(GetError<InvalidRequest>(work->Search({.time_zone = zone}).status()));
  }
}

}  // namespace podkit::store
