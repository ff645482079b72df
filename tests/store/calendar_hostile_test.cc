// Text that is made to hurt: costs stay bounded, answers stay on the safe side.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "podkit/store/calendar_data.h"
#include "tests/store/calendar_text.h"

namespace podkit::store {
namespace {

using testing::ValueOf;

constexpr std::string_view kStart = "DTSTART:20250131T090000Z";

std::string Repeat(std::string_view text, size_t count) {
  std::string result;
  result.reserve(text.size() * count);
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

// The processor time of this thread, which other processes do not lengthen.
double SecondsOf(const std::function<void()>& work) {
  const auto now = [] {
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double begin = now();
  work();
  return now() - begin;
}

// Generous enough for a debug build under a sanitizer; what is bounded takes a tenth of it, and
// what is not takes minutes.
constexpr double kBounded = 4.0;

// "0,1,2"
std::string Numbers(int end) {
  std::string list = "0";
  for (int i = 1; i < end; ++i) list += fmt::format(",{}", i);
  return list;
}

TEST_CASE("No rule costs more than a bounded time", "[calendar][hostile]") {
  const std::string dense_year = fmt::format(
      "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={};BYMINUTE={};BYSECOND={};"
      "BYSETPOS=-1",
      Numbers(24), Numbers(60), Numbers(60));
  for (const char* rule :
       {"FREQ=SECONDLY", "FREQ=SECONDLY;COUNT=2000000000", "FREQ=SECONDLY;UNTIL=99991231",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;INTERVAL=32767;BYHOUR=3;BYSECOND=7",
        "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=9", "FREQ=MONTHLY;BYDAY=6MO,6TU,6WE,6TH,6FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE;BYSETPOS=32", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", "FREQ=YEARLY;INTERVAL=4;BYYEARDAY=366",
        "FREQ=YEARLY;BYWEEKNO=-7,-16", dense_year.c_str()}) {
    INFO(rule);
    const std::string text =
        Calendar(Event({kStart, "DURATION:PT1S", "RRULE:" + std::string(rule)}));
    CHECK(SecondsOf([&] {
            const CalendarObject object = ValueOf(CalendarObject::Parse(text));
            object.OverlapsRange(Range("20990101T000000Z", "20990102T000000Z"));
            object.OverlapsRange(Range("20250601T000000Z", "20250602T000000Z"));
            object.Expand({}, 1'000'000);
          }) < kBounded);
  }
}

TEST_CASE("A rule that is walked in vain is never the reason to hide an object",
          "[calendar][hostile]") {
  // Cannot be finished: in the range for all that is known.
  const CalendarObject endless = ValueOf(CalendarObject::Parse(
      Calendar(Event({kStart, "DURATION:PT1S", "RRULE:FREQ=SECONDLY;COUNT=2000000000"}))));
  CHECK(endless.OverlapsRange(Range("20840101T000000Z", "20840102T000000Z")));
  CHECK(endless.info().bounds.end == absl::InfiniteFuture());
  CHECK_FALSE(endless.Expand({}, 2'000'000).complete);
  // Can be finished: the answer is exact.
  const CalendarObject never = ValueOf(CalendarObject::Parse(
      Calendar(Event({kStart, "DURATION:PT1S", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}))));
  CHECK_FALSE(never.OverlapsRange(Range("20840101T000000Z", "20840102T000000Z")));
  const CalendarObject skipped = ValueOf(CalendarObject::Parse(
      Calendar(Event({kStart, "DURATION:PT1S", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"}))));
  CHECK_FALSE(skipped.OverlapsRange(Range("20840101T000000Z", "20840102T000000Z")));
}

TEST_CASE("A second far away is found at once", "[calendar][hostile]") {
  const CalendarObject object = ValueOf(
      CalendarObject::Parse(Calendar(Event({kStart, "DURATION:PT1S", "RRULE:FREQ=MINUTELY"}))));
  CHECK(object.OverlapsRange(Range("20840101T000000Z", "20840101T000001Z")));
  CHECK_FALSE(object.OverlapsRange(Range("20840101T000001Z", "20840101T000060Z")));
}

TEST_CASE("No time zone costs more than a bounded time", "[calendar][hostile]") {
  const auto zone = [](std::string_view observance_rule, size_t observances) {
    return Lines({"BEGIN:VTIMEZONE", "TZID:Z"}) +
           Repeat(
               Lines({"BEGIN:STANDARD", "DTSTART:19000101T000000", "TZOFFSETFROM:+0100",
                      "TZOFFSETTO:+0200", "RRULE:" + std::string(observance_rule), "END:STANDARD"}),
               observances) +
           Lines({"END:VTIMEZONE"});
  };
  for (const std::string& definition :
       {zone("FREQ=SECONDLY", 1), zone("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", 1),
        zone("FREQ=DAILY;COUNT=1000000", 1), zone("FREQ=YEARLY", 5'000)}) {
    const std::string text =
        Calendar(definition + Event({"DTSTART;TZID=Z:20250131T090000", "RRULE:FREQ=DAILY"}));
    CHECK(SecondsOf([&] {
            const CalendarObject object = ValueOf(CalendarObject::Parse(text));
            object.OverlapsRange(Range("20990101T000000Z", "20990102T000000Z"));
            object.Expand({}, 100'000);
          }) < kBounded);
  }
}

TEST_CASE("Names of time zones that nobody knows cost little", "[calendar][hostile]") {
  std::string exdates;
  for (int i = 0; i < 40'000; ++i) {
    exdates += fmt::format("EXDATE;TZID=a/b/c/d/e/{}:20250131T090000\r\n", i);
  }
  const std::string text = Calendar(Lines({"BEGIN:VEVENT", "UID:1", kStart, "RRULE:FREQ=DAILY"}) +
                                    exdates + "END:VEVENT\r\n");
  CHECK(SecondsOf([&] { CHECK(ValidateCalendarObject(text).ok()); }) < kBounded);
}

// How many times longer the tenfold of a text takes.
double CostOfTenfold(const std::function<std::string(size_t)>& make) {
  constexpr size_t kSmall = 1'500;
  const auto seconds = [&](size_t count) {
    const std::string text = make(count);
    return SecondsOf([&] {
      ValidateCalendarObject(text).status().IgnoreError();
      SplitCalendar(text).status().IgnoreError();
    });
  };
  seconds(kSmall);  // Warms up.
  const double small = seconds(kSmall) + 0.005;
  return seconds(kSmall * 10) / small;
}

// Costs must grow with the size, not with its square, which would be a hundred. A busy machine
// spoils one measurement, but not each of five.
void CheckLinear(const std::function<std::string(size_t)>& make) {
  double least = CostOfTenfold(make);
  for (int tries = 1; tries < 5 && least >= 40; ++tries) {
    least = std::min(least, CostOfTenfold(make));
  }
  CHECK(least < 40);
}

TEST_CASE("Large texts cost in proportion to their size", "[calendar][hostile]") {
  CheckLinear([](size_t n) { return Calendar(Event({kStart, Repeat("X-A:b\r\n", n) + "X-B:c"})); });
  CheckLinear([](size_t n) { return Calendar(Event({kStart, "X-A:" + Repeat("b\r\n ", n)})); });
  CheckLinear([](size_t n) { return Calendar(Event({kStart, "X-A:b", Repeat("loose\r\n", n)})); });
  CheckLinear([](size_t n) { return Calendar(Event({kStart, "X-A" + Repeat(";B=c", n) + ":d"})); });
  CheckLinear([](size_t n) { return Calendar(Event({kStart, "X-A;" + Repeat("\"", n) + ":d"})); });
  CheckLinear([](size_t n) {
    return Calendar(Event({kStart, "EXDATE:20250101" + Repeat(",20250101", n)}));
  });
  CheckLinear([](size_t n) {
    return Calendar(Event({kStart, Repeat("RDATE:20250101\r\n", n) + "X-B:c"}));
  });
  CheckLinear([](size_t n) {
    return Calendar(Event({kStart, Repeat("RRULE:FREQ=DAILY\r\n", n) + "X-B:c"}));
  });
  CheckLinear([](size_t n) { return Calendar(Event({kStart, Repeat("UID:1\r\n", n) + "X-B:c"})); });
  CheckLinear([](size_t n) { return Calendar(Repeat(Event({kStart}), n)); });
  CheckLinear([](size_t n) { return Calendar(Repeat("BEGIN:VALARM\r\n", n)); });
  CheckLinear([](size_t n) { return Repeat(Calendar(""), n); });
  CheckLinear([](size_t n) { return Repeat("\r\n", n); });
  CheckLinear([](size_t n) { return Repeat(" ", n); });
  CheckLinear([](size_t n) {
    std::string events;
    for (size_t i = 0; i < n; ++i) events += Event({kStart, fmt::format("SEQUENCE:{}", i)});
    return Calendar(events);
  });
  CheckLinear([](size_t n) {
    std::string events = Event({kStart, "RRULE:FREQ=DAILY"});
    for (size_t i = 0; i < n; ++i) {
      events += Event({kStart, fmt::format("RECURRENCE-ID:2025{:02}{:02}T{:02}{:02}00Z", i % 12 + 1,
                                           i / 12 % 28 + 1, i / 336 % 24, i / 8064 % 60)});
    }
    return Calendar(events);
  });
  CheckLinear([](size_t n) {
    std::string zones;
    for (size_t i = 0; i < n; ++i) {
      zones += fmt::format("BEGIN:VTIMEZONE\r\nTZID:{}\r\nEND:VTIMEZONE\r\n", i);
    }
    return Calendar(zones + Event({"DTSTART;TZID=1:20250131T090000"}));
  });
}

TEST_CASE("Times at the ends of the calendar do no harm", "[calendar][hostile]") {
  for (const char* start :
       {"DTSTART:00000101T000000Z", "DTSTART:99991231T235959Z", "DTSTART;VALUE=DATE:99991231",
        "DTSTART;TZID=Europe/Berlin:00000101T000000",
        "DTSTART;TZID=Europe/Berlin:99991231T235959"}) {
    for (const char* length : {"DURATION:P999999999W", "DURATION:-P999999999W",
                               "DURATION:-PT999999999H", "DTEND:00000101T000000Z"}) {
      for (const char* rule : {"RRULE:FREQ=YEARLY", "RRULE:FREQ=SECONDLY;INTERVAL=32767",
                               "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=20"}) {
        const CalendarObject object =
            ValueOf(CalendarObject::Parse(Calendar(Event({start, length, rule}))));
        object.OverlapsRange({});
        object.OverlapsRange({.start = absl::InfiniteFuture()});
        object.OverlapsRange({.end = absl::InfinitePast()});
        CHECK(object.Expand({}, 100).instances.size() <= 100);
      }
    }
  }
}

}  // namespace
}  // namespace podkit::store
