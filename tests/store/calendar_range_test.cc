// Time ranges: the table of RFC 4791 section 9.9, recurrence and time zones.
#include <string>
#include <vector>

#include "podkit/store/calendar_data.h"
#include "tests/store/calendar_text.h"

namespace podkit::store {
namespace {

using testing::ValueOf;

CalendarObject Parse(const std::string& components) {
  return ValueOf(CalendarObject::Parse(Calendar(components), CalendarSource::kImport));
}

absl::TimeZone Zone(std::string_view name) {
  const auto zone = FindTimeZone(name);
  CHECK(zone.has_value());
  return zone.value_or(absl::UTCTimeZone());
}

// The starts of the instances that overlap the range.
std::vector<std::string> Starts(const CalendarObject& object, const TimeRange& range,
                                const absl::TimeZone& zone = absl::UTCTimeZone()) {
  const auto expansion = object.Expand(range, 1000, zone);
  CHECK(expansion.complete);
  CHECK(object.OverlapsRange(range, zone) == !expansion.instances.empty());
  std::vector<std::string> starts;
  for (const auto& instance : expansion.instances) {
    starts.push_back(Text(instance.start));
    // What the bounds are for: nothing outside of them overlaps.
    CHECK(range.start < object.info().bounds.end);
    CHECK(range.end > object.info().bounds.start);
  }
  return starts;
}

TimeRange January() { return Range("20250101T000000Z", "20250201T000000Z"); }

// One component, the hours of 2025-01-31 at which a range begins and ends, and whether they
// overlap.
struct TableCase {
  std::string_view component;
  std::vector<std::string_view> properties;
  int start;
  int end;
  bool overlaps;
};

void CheckTable(const std::vector<TableCase>& cases) {
  const absl::Time day = At("20250131T000000Z");
  for (const TableCase& c : cases) {
    std::string text = "BEGIN:" + std::string(c.component) + "\r\nUID:1\r\n";
    for (const std::string_view property : c.properties) text += std::string(property) + "\r\n";
    text += "END:" + std::string(c.component) + "\r\n";
    const TimeRange range{day + absl::Hours(c.start), day + absl::Hours(c.end)};
    INFO(text << c.start << " to " << c.end);
    const CalendarObject object = Parse(text);
    CHECK(object.OverlapsRange(range) == c.overlaps);
    const TimeRange& bounds = object.info().bounds;
    if (c.overlaps) CHECK((range.start < bounds.end && range.end > bounds.start));
  }
}

TEST_CASE("Events overlap a range by the table of RFC 4791", "[calendar][range]") {
  const std::string_view start = "DTSTART:20250131T100000Z";
  CheckTable({
      // DTEND
      {"VEVENT", {start, "DTEND:20250131T120000Z"}, 8, 10, false},
      {"VEVENT", {start, "DTEND:20250131T120000Z"}, 8, 11, true},
      {"VEVENT", {start, "DTEND:20250131T120000Z"}, 11, 20, true},
      {"VEVENT", {start, "DTEND:20250131T120000Z"}, 12, 20, false},
      {"VEVENT", {start, "DTEND:20250131T100000Z"}, 10, 20, false},
      {"VEVENT", {start, "DTEND:20250131T100000Z"}, 9, 20, true},
      {"VEVENT", {start, "DTEND:20250131T080000Z"}, 7, 11, true},
      {"VEVENT", {start, "DTEND:20250131T080000Z"}, 8, 11, false},
      // DURATION
      {"VEVENT", {start, "DURATION:PT2H"}, 12, 20, false},
      {"VEVENT", {start, "DURATION:PT2H"}, 11, 20, true},
      {"VEVENT", {start, "DURATION:PT0S"}, 10, 20, true},
      {"VEVENT", {start, "DURATION:PT0S"}, 8, 10, false},
      {"VEVENT", {start, "DURATION:-PT2H"}, 7, 11, true},
      // Neither
      {"VEVENT", {start}, 10, 20, true},
      {"VEVENT", {start}, 8, 10, false},
      {"VEVENT", {start}, 11, 20, false},
      {"VEVENT", {"DTSTART;VALUE=DATE:20250131"}, 23, 25, true},
      {"VEVENT", {"DTSTART;VALUE=DATE:20250131"}, 24, 25, false},
      {"VEVENT", {"DTSTART;VALUE=DATE:20250131"}, -2, 0, false},
      {"VEVENT", {"DTSTART;VALUE=DATE:20250131", "DTEND;VALUE=DATE:20250202"}, 47, 48, true},
      {"VEVENT", {"DTSTART;VALUE=DATE:20250131", "DURATION:P2D"}, 48, 49, false},
      {"VEVENT", {"SUMMARY:whenever"}, -1000, 1000, false},
  });
}

TEST_CASE("To-dos overlap a range by the table of RFC 4791", "[calendar][range]") {
  const std::string_view start = "DTSTART:20250131T100000Z";
  const std::string_view due = "DUE:20250131T120000Z";
  const std::string_view created = "CREATED:20250131T100000Z";
  const std::string_view completed = "COMPLETED:20250131T120000Z";
  CheckTable({
      {"VTODO", {start, "DURATION:PT2H"}, 12, 20, true},
      {"VTODO", {start, "DURATION:PT2H"}, 13, 20, false},
      {"VTODO", {start, "DURATION:PT2H"}, 8, 10, false},
      {"VTODO", {start, "DURATION:PT2H"}, 8, 11, true},
      {"VTODO", {start, "DURATION:PT0S"}, 8, 10, true},
      {"VTODO", {start, due}, 12, 20, false},
      {"VTODO", {start, due}, 11, 20, true},
      {"VTODO", {start, due}, 8, 10, false},
      {"VTODO", {start, "DUE:20250131T100000Z"}, 8, 10, true},
      {"VTODO", {start, "DUE:20250131T100000Z"}, 10, 11, true},
      {"VTODO", {start}, 10, 11, true},
      {"VTODO", {start}, 8, 10, false},
      {"VTODO", {start}, 11, 12, false},
      {"VTODO", {due}, 8, 12, true},
      {"VTODO", {due}, 8, 11, false},
      {"VTODO", {due}, 12, 20, false},
      {"VTODO", {completed, created}, 13, 20, false},
      {"VTODO", {completed, created}, 12, 20, true},
      {"VTODO", {completed, created}, 8, 10, true},
      {"VTODO", {completed, created}, 8, 9, false},
      {"VTODO", {completed}, 12, 13, true},
      {"VTODO", {completed}, 8, 12, true},
      {"VTODO", {completed}, 8, 11, false},
      {"VTODO", {completed}, 13, 14, false},
      {"VTODO", {created}, 500, 501, true},
      {"VTODO", {created}, 8, 10, false},
      {"VTODO", {created}, 8, 11, true},
      {"VTODO", {"SUMMARY:some day"}, -1000, -999, true},
  });
}

TEST_CASE("Journals and free-busy times overlap a range by the table of RFC 4791",
          "[calendar][range]") {
  const std::string_view start = "DTSTART:20250131T100000Z";
  const std::string_view busy = "FREEBUSY:20250131T100000Z/PT1H,20250131T200000Z/20250131T210000Z";
  CheckTable({
      {"VJOURNAL", {start}, 10, 11, true},
      {"VJOURNAL", {start}, 11, 12, false},
      {"VJOURNAL", {start}, 9, 10, false},
      {"VJOURNAL", {"DTSTART;VALUE=DATE:20250131"}, 23, 24, true},
      {"VJOURNAL", {"DTSTART;VALUE=DATE:20250131"}, 24, 25, false},
      {"VJOURNAL", {"SUMMARY:undated"}, -1000, 1000, false},
      {"VFREEBUSY", {start, "DTEND:20250131T120000Z"}, 12, 13, true},
      {"VFREEBUSY", {start, "DTEND:20250131T120000Z"}, 13, 14, false},
      {"VFREEBUSY", {start, "DTEND:20250131T120000Z"}, 9, 10, false},
      {"VFREEBUSY", {busy}, 11, 20, false},
      {"VFREEBUSY", {busy}, 11, 21, true},
      {"VFREEBUSY", {busy}, 8, 11, true},
      {"VFREEBUSY", {start}, -1000, 1000, false},
      {"VAVAILABILITY", {start}, -1000, -999, true},
  });
}

TEST_CASE("An open end of a range reaches for ever", "[calendar][range]") {
  const CalendarObject daily = Parse(Event({"DTSTART:20250131T100000Z", "RRULE:FREQ=DAILY"}));
  CHECK(daily.OverlapsRange({}));
  CHECK(daily.OverlapsRange({.start = At("29990101T000000Z")}));
  CHECK_FALSE(daily.OverlapsRange({.end = At("20250131T100000Z")}));
  CHECK(daily.OverlapsRange({.end = At("20250131T100001Z")}));
  CHECK(daily.info().bounds.start == At("20250131T100000Z"));
  CHECK(daily.info().bounds.end == absl::InfiniteFuture());
}

TEST_CASE("A weekly meeting keeps its local time when the clocks change", "[calendar][zone]") {
  // In 2025 the clocks changed on March 30; 09:00 in Berlin is 08:00Z before and 07:00Z after.
  const std::vector<std::string> expected = {"20250324T080000Z", "20250331T070000Z",
                                             "20250407T070000Z"};
  const TimeRange range = Range("20250320T000000Z", "20250410T000000Z");
  const std::initializer_list<std::string_view> properties = {
      "DTSTART;TZID=Europe/Berlin:20250106T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"};
  CHECK(Starts(Parse(Event(properties)), range) == expected);

  const std::string vtimezone =
      Lines({"BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:DAYLIGHT", "DTSTART:19810329T020000",
             "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200",
             "END:DAYLIGHT", "BEGIN:STANDARD", "DTSTART:19961027T030000",
             "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100",
             "END:STANDARD", "END:VTIMEZONE"});
  CHECK(Starts(Parse(vtimezone + Event(properties)), range) == expected);
}

TEST_CASE("The time zone of the object goes before the system's", "[calendar][zone]") {
  const std::string vtimezone =
      Lines({"BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19700101T000000",
             "TZOFFSETFROM:+0500", "TZOFFSETTO:+0530", "END:STANDARD", "END:VTIMEZONE"});
  const std::string event = Event({"DTSTART;TZID=Europe/Berlin:20250106T090000"});
  CHECK(Starts(Parse(vtimezone + event), January()) ==
        std::vector<std::string>{"20250106T033000Z"});
  CHECK(Starts(Parse(event), January()) == std::vector<std::string>{"20250106T080000Z"});
}

TEST_CASE("A VTIMEZONE is understood as it is written", "[calendar][zone]") {
  // New York as RFC 5545 section 3.6.5 gives it: rules that ended, and rules that go on.
  const std::string vtimezone =
      Lines({"BEGIN:VTIMEZONE",
             "TZID:NY",
             "BEGIN:DAYLIGHT",
             "DTSTART:19870405T020000",
             "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z",
             "TZOFFSETFROM:-0500",
             "TZOFFSETTO:-0400",
             "END:DAYLIGHT",
             "BEGIN:STANDARD",
             "DTSTART:19671029T020000",
             "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z",
             "TZOFFSETFROM:-0400",
             "TZOFFSETTO:-0500",
             "END:STANDARD",
             "BEGIN:DAYLIGHT",
             "DTSTART:20070311T020000",
             "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU",
             "TZOFFSETFROM:-0500",
             "TZOFFSETTO:-0400",
             "END:DAYLIGHT",
             "BEGIN:STANDARD",
             "DTSTART:20071104T020000",
             "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU",
             "TZOFFSETFROM:-0400",
             "TZOFFSETTO:-0500",
             "END:STANDARD",
             "END:VTIMEZONE"});
  const auto utc = [&](const std::string& local) {
    const std::string event = Event({"DTSTART;TZID=NY:" + local});
    const auto by_rules = Parse(vtimezone + event).info().bounds.start;
    const auto by_system =
        Parse(Event({"DTSTART;TZID=America/New_York:" + local})).info().bounds.start;
    INFO(local);
    CHECK(Text(by_rules) == Text(by_system));
    return Text(by_rules);
  };
  CHECK(utc("20060402T013000") == "20060402T063000Z");
  CHECK(utc("20060402T030000") == "20060402T070000Z");
  CHECK(utc("20070320T090000") == "20070320T130000Z");  // The old rule would give 14:00.
  CHECK(utc("20061101T090000") == "20061101T140000Z");
  CHECK(utc("19900701T090000") == "19900701T130000Z");
  CHECK(utc("20300701T090000") == "20300701T130000Z");
  // Skipped and repeated times take the offset before the change (RFC 5545 section 3.3.5).
  CHECK(utc("20070311T023000") == "20070311T073000Z");
  CHECK(utc("20071104T013000") == "20071104T053000Z");
  CHECK(utc("20071104T020000") == "20071104T070000Z");
}

TEST_CASE("Time zones are found by odd names too", "[calendar][zone]") {
  const auto start = [](const std::string& zone) {
    return Text(Parse(Event({"DTSTART;TZID=" + zone + ":20250106T090000"})).info().bounds.start);
  };
  CHECK(start("/softwarestudio.org/Olson_20011030_5/Pacific/Auckland") == "20250105T200000Z");
  CHECK(start("/freeassociation.sourceforge.net/America/Argentina/Ushuaia") == "20250106T120000Z");
  CHECK(start("\"Europe/Berlin\"") == "20250106T080000Z");
  CHECK(start("UTC") == "20250106T090000Z");
  // Not found: floating time, so the bounds leave a day.
  CHECK(start("Middle Earth") == "20250105T090000Z");
}

TEST_CASE("A name of a time zone leads to no other file", "[calendar][zone]") {
  for (const char* name : {"", "/etc/passwd", "../../../etc/passwd", "Europe/../Europe/Berlin",
                           "localtime", "zone.tab", "Europe", "Europe/Atlantis", "/dev/stdin",
                           "libc:localtime", "leapseconds", "Europe/Berlin\n"}) {
    INFO(name);
    CHECK_FALSE(FindTimeZone(name).has_value());
  }
  CHECK_FALSE(FindTimeZone(std::string(1000, 'a')).has_value());
  CHECK(FindTimeZone("Europe/Berlin").has_value());
  CHECK(FindTimeZone("Etc/GMT+5").has_value());
}

TEST_CASE("All-day and floating times are read in the zone that is asked for",
          "[calendar][zone][range]") {
  const CalendarObject day = Parse(Event({"DTSTART;VALUE=DATE:20250131"}));
  CHECK(Starts(day, January()) == std::vector<std::string>{"20250131T000000Z"});
  CHECK(Starts(day, January(), Zone("Pacific/Auckland")) ==
        std::vector<std::string>{"20250130T110000Z"});
  CHECK(Starts(day, Range("20250131T230000Z", "20250201T000000Z"), Zone("Pacific/Auckland")) ==
        std::vector<std::string>{});
  const CalendarObject floating = Parse(Event({"DTSTART:20250131T090000", "DURATION:PT1H"}));
  CHECK(Starts(floating, January(), Zone("America/New_York")) ==
        std::vector<std::string>{"20250131T140000Z"});
  CHECK(Text(floating.info().bounds.start) == "20250130T090000Z");
  CHECK(Text(floating.info().bounds.end) == "20250201T100000Z");
}

TEST_CASE("An all-day event lasts as long as its days do", "[calendar][zone]") {
  const CalendarObject object =
      Parse(Event({"DTSTART;VALUE=DATE:20250330", "DTEND;VALUE=DATE:20250331"}));
  const auto expansion = object.Expand({}, 10, Zone("Europe/Berlin"));
  REQUIRE(expansion.instances.size() == 1);
  CHECK(expansion.instances[0].all_day);
  CHECK(expansion.instances[0].end - expansion.instances[0].start == absl::Hours(23));
}

TEST_CASE("A duration counts days on the local clock and hours on any", "[calendar][zone]") {
  const auto length = [](std::string_view duration) {
    const CalendarObject object =
        Parse(Event({"DTSTART;TZID=Europe/Berlin:20250329T120000", duration}));
    const auto expansion = object.Expand({}, 10);
    REQUIRE(expansion.instances.size() == 1);
    return expansion.instances[0].end - expansion.instances[0].start;
  };
  CHECK(length("DURATION:P1D") == absl::Hours(23));
  CHECK(length("DURATION:PT24H") == absl::Hours(24));
  CHECK(length("DTEND;TZID=Europe/Berlin:20250330T120000") == absl::Hours(23));
}

TEST_CASE("EXDATE takes instances out, however it is spelt", "[calendar][recurrence]") {
  for (const char* exdate :
       {"EXDATE;TZID=America/Chicago:20250107T090000,20250109T090000",
        "EXDATE:20250107T150000Z,20250109T150000Z", "EXDATE;VALUE=DATE:20250107,20250109",
        "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=4"}) {
    INFO(exdate);
    const CalendarObject object = Parse(Event(
        {"DTSTART;TZID=America/Chicago:20250107T090000", "RRULE:FREQ=DAILY;COUNT=3", exdate}));
    CHECK(Starts(object, January()) == std::vector<std::string>{"20250108T150000Z"});
  }
  const CalendarObject days = Parse(
      Event({"DTSTART;VALUE=DATE:20250107", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20250108T000000"}));
  CHECK(Starts(days, January()) ==
        std::vector<std::string>{"20250107T000000Z", "20250109T000000Z"});
}

TEST_CASE("RDATE adds instances, and a period its own length", "[calendar][recurrence]") {
  const CalendarObject object =
      Parse(Event({"DTSTART:20250107T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2",
                   "RDATE;TZID=Europe/Berlin:20250120T100000,20250107T100000",
                   "RDATE;VALUE=PERIOD:20250125T000000Z/PT5H,20250126T000000Z/20250126T010000Z"}));
  CHECK(Starts(object, January()) ==
        std::vector<std::string>{"20250107T090000Z", "20250108T090000Z", "20250120T090000Z",
                                 "20250125T000000Z", "20250126T000000Z"});
  CHECK(Starts(object, Range("20250125T040000Z", "20250125T050000Z")).size() == 1);
  CHECK(object.info().has_recurrence);
  CHECK(Text(object.info().bounds.end) == "20250126T010000Z");
}

TEST_CASE("The start is an instance even if the rule does not give it", "[calendar][recurrence]") {
  const CalendarObject object =
      Parse(Event({"DTSTART:20250107T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=2"}));
  CHECK(Starts(object, January()) ==
        std::vector<std::string>{"20250107T090000Z", "20250110T090000Z", "20250117T090000Z"});
}

TEST_CASE("UNTIL includes the last instance", "[calendar][recurrence]") {
  const auto count = [](std::string_view until) {
    const CalendarObject object = Parse(Event({"DTSTART;TZID=Europe/Berlin:20250107T090000",
                                               "RRULE:FREQ=DAILY;UNTIL=" + std::string(until)}));
    return Starts(object, January()).size();
  };
  CHECK(count("20250109T080000Z") == 3);  // 09:00 in Berlin.
  CHECK(count("20250109T075959Z") == 2);
  CHECK(count("20250109T090000") == 3);
  CHECK(count("20250109") == 3);  // Not the right type; the day is meant.
  const CalendarObject days =
      Parse(Event({"DTSTART;VALUE=DATE:20250107", "RRULE:FREQ=DAILY;UNTIL=20250109"}));
  CHECK(Starts(days, January()).size() == 3);
}

TEST_CASE("Overridden instances move out of a range and into it", "[calendar][override]") {
  const std::string master = Event({"DTSTART;TZID=Europe/Berlin:20250106T090000", "DURATION:PT1H",
                                    "RRULE:FREQ=WEEKLY", "SUMMARY:Meeting"});
  const std::string moved = Event({"RECURRENCE-ID;TZID=Europe/Berlin:20250113T090000",
                                   "DTSTART:20250305T100000Z", "DTEND:20250305T120000Z"});
  const CalendarObject object = Parse(master + moved);
  CHECK(Starts(object, Range("20250113T000000Z", "20250114T000000Z")).empty());
  CHECK(Starts(object, Range("20250305T000000Z", "20250306T000000Z")) ==
        std::vector<std::string>{"20250305T100000Z"});
  const auto expansion = object.Expand(Range("20250305T000000Z", "20250306T000000Z"), 10);
  REQUIRE(expansion.instances.size() == 1);
  CHECK(expansion.instances[0].recurrence_id == At("20250113T080000Z"));

  // The same instance in other words.
  const std::string in_utc = Event({"RECURRENCE-ID:20250113T080000Z", "DTSTART:20250305T100000Z"});
  CHECK(Starts(Parse(master + in_utc), Range("20250113T000000Z", "20250114T000000Z")).empty());

  // Alone, as an attendee of one instance has it.
  const CalendarObject alone = Parse(moved);
  CHECK(Starts(alone, January()).empty());
  CHECK(alone.info().has_recurrence);
  CHECK(Text(alone.info().bounds.start) == "20250305T100000Z");
}

TEST_CASE("An override before the series widens its bounds", "[calendar][override]") {
  const CalendarObject object =
      Parse(Event({"DTSTART:20250106T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"}) +
            Event({"RECURRENCE-ID:20250107T090000Z", "DTSTART:20240601T090000Z", "DURATION:PT1H"}));
  CHECK(Text(object.info().bounds.start) == "20240601T090000Z");
  CHECK(Text(object.info().bounds.end) == "20250108T100000Z");
}

TEST_CASE("A change of this and all future instances is answered on the safe side",
          "[calendar][override]") {
  const CalendarObject object =
      Parse(Event({"DTSTART:20250106T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10"}) +
            Event({"RECURRENCE-ID;RANGE=THISANDFUTURE:20250108T090000Z", "DTSTART:20250208T090000Z",
                   "DURATION:PT1H"}));
  CHECK(object.OverlapsRange(Range("20250210T000000Z", "20250211T000000Z")));
  CHECK_FALSE(object.Expand(January(), 100).complete);
  CHECK(object.info().bounds.end == absl::InfiniteFuture());
}

TEST_CASE("A to-do without a start recurs by its due date", "[calendar][recurrence]") {
  const CalendarObject object =
      Parse(Component("VTODO", {"DUE:20250107T090000Z", "RRULE:FREQ=DAILY;COUNT=3"}));
  CHECK(object.OverlapsRange(Range("20250109T080000Z", "20250109T090000Z")));
  CHECK_FALSE(object.OverlapsRange(Range("20250109T090000Z", "20250110T090000Z")));
}

TEST_CASE("Bounds of a series end with its last instance", "[calendar][recurrence]") {
  const auto end = [](std::string_view rule) {
    const CalendarObject object =
        Parse(Event({"DTSTART;TZID=Europe/Berlin:20250327T090000", "DURATION:PT1H", rule}));
    return object.info().bounds.end;
  };
  CHECK(end("RRULE:FREQ=DAILY;COUNT=5") == At("20250331T080000Z"));
  CHECK(end("RRULE:FREQ=DAILY;UNTIL=20250331T070000Z") == At("20250331T080000Z"));
  CHECK(end("RRULE:FREQ=DAILY") == absl::InfiniteFuture());
}

TEST_CASE("An expansion stops at the number it was given", "[calendar][recurrence]") {
  const CalendarObject object = Parse(Event({"DTSTART:20250107T090000Z", "RRULE:FREQ=DAILY"}));
  const auto expansion = object.Expand({}, 5);
  CHECK(expansion.instances.size() == 5);
  CHECK_FALSE(expansion.complete);
  CHECK(Text(expansion.instances.back().start) == "20250111T090000Z");
}

}  // namespace
}  // namespace podkit::store
