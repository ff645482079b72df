#include <fstream>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "calendar/recurrence_iterator.h"
#include "common/text.h"
#include "tests/store/calendar_text.h"

namespace podkit::store::calendar {
namespace {

std::string TextOf(Civil civil) { return absl::FormatCivilTime(absl::CivilSecond() + civil); }

absl::StatusOr<RecurrenceRule> ParseRule(std::string_view text) {
  ContentLine line{.line = 7, .begin = 0, .end = 0, .text = text};
  Property property;
  property.name = "RRULE";
  property.value = text;
  property.line = &line;
  return RecurrenceRuleOf(property);
}

Civil CivilOf(std::string_view text) {
  INFO(text);
  const auto time = ParseDateTime(text);
  CHECK(time.has_value());
  return time.value_or(DateTime{}).civil;
}

struct Times {
  std::vector<std::string> times;
  bool ended = false;
};

Times Expand(std::string_view rule_text, std::string_view start, size_t count,
             std::string_view skip_to = "") {
  INFO(rule_text);
  const RecurrenceRule rule = testing::ValueOf(ParseRule(rule_text));
  const Civil until = rule.until ? rule.until->civil : kLastCivil;
  Budget budget;
  RecurrenceIterator iterator(rule, CivilOf(start), start.size() == 8, until, &budget);
  if (!skip_to.empty()) iterator.SkipTo(CivilOf(skip_to));
  Times result;
  while (result.times.size() < count) {
    const auto time = iterator.Next();
    if (!time) break;
    result.times.push_back(TextOf(*time));
  }
  result.ended = !iterator.Next().has_value();
  REQUIRE_FALSE(budget.exhausted());
  return result;
}

struct GoldenRule {
  std::string start;
  std::string rule;
  std::vector<std::string> times;
  bool ends = false;
};

std::vector<GoldenRule> ReadGoldenRules() {
  std::ifstream file(PODKIT_TEST_DATA "/recurrence_rules.txt");
  std::vector<GoldenRule> rules;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> fields = SplitText(line, '|');
    REQUIRE(fields.size() == 3);
    GoldenRule& rule = rules.emplace_back();
    rule.start = fields[0];
    rule.rule = fields[1];
    rule.ends = !fields[2].ends_with("...");
    const size_t times_end = fields[2].find('.');
    for (const std::string_view time : SplitText(fields[2].substr(0, times_end), ',')) {
      rule.times.push_back(TextOf(CivilOf(time)));
    }
  }
  return rules;
}

TEST_CASE("Rules give the times that another implementation gives", "[calendar][recurrence]") {
  const std::vector<GoldenRule> rules = ReadGoldenRules();
  REQUIRE(rules.size() == 400);
  for (const GoldenRule& golden : rules) {
    INFO(golden.start << " " << golden.rule);
    const Times times = Expand(golden.rule, golden.start, golden.times.size());
    CHECK(times.times == golden.times);
    CHECK(times.ended == golden.ends);
  }
}

TEST_CASE("Skipping ahead gives the same times as walking there", "[calendar][recurrence]") {
  for (const GoldenRule& golden : ReadGoldenRules()) {
    if (golden.rule.find("COUNT=") != std::string::npos) continue;
    INFO(golden.start << " " << golden.rule);
    const size_t middle = golden.times.size() / 2;
    // A second late, so that the time in the middle itself must be gone.
    absl::CivilSecond skip_to;
    REQUIRE(absl::ParseCivilTime(golden.times[middle], &skip_to));
    ++skip_to;
    const std::string text = absl::FormatTime(
        "%Y%m%dT%H%M%S", absl::FromCivil(skip_to, absl::UTCTimeZone()), absl::UTCTimeZone());
    const std::vector<std::string> rest(golden.times.begin() + static_cast<int>(middle) + 1,
                                        golden.times.end());
    CHECK(Expand(golden.rule, golden.start, rest.size(), text).times == rest);
  }
}

TEST_CASE("Rules of RFC 5545 give the times it lists", "[calendar][recurrence]") {
  struct Case {
    std::string_view rule;
    std::string_view start;
    std::vector<std::string> times;
  };
  const std::vector<Case> cases = {
      {"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
       "19970929T090000",
       {"1997-09-29T09:00:00", "1997-10-30T09:00:00", "1997-11-27T09:00:00"}},
      {"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
       "19970805T090000",
       {"1997-08-05T09:00:00", "1997-08-10T09:00:00", "1997-08-19T09:00:00",
        "1997-08-24T09:00:00"}},
      {"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
       "19970805T090000",
       {"1997-08-05T09:00:00", "1997-08-17T09:00:00", "1997-08-19T09:00:00",
        "1997-08-31T09:00:00"}},
      {"FREQ=YEARLY;BYDAY=20MO",
       "19970519T090000",
       {"1997-05-19T09:00:00", "1998-05-18T09:00:00", "1999-05-17T09:00:00"}},
      {"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
       "19970512T090000",
       {"1997-05-12T09:00:00", "1998-05-11T09:00:00", "1999-05-17T09:00:00"}},
      {"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
       "19961105T090000",
       {"1996-11-05T09:00:00", "2000-11-07T09:00:00", "2004-11-02T09:00:00"}},
      {"FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
       "20070115T090000",
       {"2007-01-15T09:00:00", "2007-01-30T09:00:00", "2007-02-15T09:00:00", "2007-03-15T09:00:00",
        "2007-03-30T09:00:00"}},
  };
  for (const Case& c : cases) CHECK(Expand(c.rule, c.start, c.times.size()).times == c.times);
}

TEST_CASE("Numbered and plain days of the week in one list both count", "[calendar][recurrence]") {
  CHECK(Expand("FREQ=MONTHLY;BYDAY=1MO,FR;COUNT=6", "20250101T090000", 9).times ==
        std::vector<std::string>{"2025-01-03T09:00:00", "2025-01-06T09:00:00",
                                 "2025-01-10T09:00:00", "2025-01-17T09:00:00",
                                 "2025-01-24T09:00:00", "2025-01-31T09:00:00"});
}

TEST_CASE("A week number without a day takes the day of the start", "[calendar][recurrence]") {
  // Week 53 of 2020 and week 1 of 2021 meet at the turn of the year.
  CHECK(Expand("FREQ=YEARLY;BYWEEKNO=53,1", "20201230T090000", 3).times ==
        std::vector<std::string>{"2020-12-30T09:00:00", "2021-01-06T09:00:00",
                                 "2022-01-05T09:00:00"});
  CHECK(Expand("FREQ=YEARLY;BYWEEKNO=-7,-16", "19910416T090300", 2).times ==
        std::vector<std::string>{"1991-09-10T09:03:00", "1991-11-12T09:03:00"});
}

TEST_CASE("Days that a month does not have are left out", "[calendar][recurrence]") {
  CHECK(Expand("FREQ=MONTHLY", "20250131T090000", 3).times ==
        std::vector<std::string>{"2025-01-31T09:00:00", "2025-03-31T09:00:00",
                                 "2025-05-31T09:00:00"});
  CHECK(Expand("FREQ=YEARLY", "20240229", 2).times ==
        std::vector<std::string>{"2024-02-29T00:00:00", "2028-02-29T00:00:00"});
}

TEST_CASE("An all-day rule ignores the time of day", "[calendar][recurrence]") {
  CHECK(Expand("FREQ=DAILY;BYHOUR=9,17;BYMINUTE=30;COUNT=2", "20250131", 9).times ==
        std::vector<std::string>{"2025-01-31T00:00:00", "2025-02-01T00:00:00"});
}

TEST_CASE("What is no rule is refused with its line", "[calendar][recurrence]") {
  const std::string long_list = "FREQ=YEARLY;BYSETPOS=1" + [] {
    std::string rest;
    for (int i = 0; i < 385; ++i) rest += ",1";
    return rest;
  }();
  for (const std::string& text :
       {std::string("FREQ=SOMETIMES"), std::string("INTERVAL=2"), std::string(""),
        std::string("FREQ=DAILY;COUNT=0"), std::string("FREQ=DAILY;COUNT=-1"),
        std::string("FREQ=DAILY;COUNT=99999999999"), std::string("FREQ=DAILY;INTERVAL=0"),
        std::string("FREQ=DAILY;INTERVAL=65537"), std::string("FREQ=DAILY;COUNT=3;UNTIL=20250101"),
        std::string("FREQ=DAILY;UNTIL=20123456T123456"), std::string("FREQ=MONTHLY;BYMONTHDAY=32"),
        std::string("FREQ=YEARLY;BYMONTH=13"), std::string("FREQ=DAILY;BYHOUR=24"),
        std::string("RSCALE=CHINESE;FREQ=YEARLY"), std::string("FREQ=WEEKLY;BYDAY=XX"),
        std::string("W1 MO #0"), long_list}) {
    INFO(text);
    const auto rule = ParseRule(text);
    const CalendarDataError error = ErrorOf(rule.status());
    CHECK(error.line == 7);
    CHECK(error.reason.starts_with("RRULE '"));
  }
}

}  // namespace
}  // namespace podkit::store::calendar
