// The only file that knows libical: it judges durations and recurrence rules.
//
// libical's iterator over a rule is not used: it cannot be stopped within a step, and one step
// takes hours for a rule such as FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30. See recurrence_iterator.h.
#include <fmt/format.h>
#include <libical/ical.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <span>
#include <string>

#include "calendar/display_text.h"
#include "calendar/recurrence_rule.h"
#include "calendar/values.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

// libical keeps its errors by thread, but aborts on them by a switch of the whole process.
void NeverAbort() {
  static std::once_flag once;
  std::call_once(once, [] { icalerror_set_errors_are_fatal(0); });
}

// A longer list, which no rule needs, makes libical write behind its array; a larger INTERVAL or
// COUNT it takes for another number.
constexpr int kLongestList = 366;

struct ParsedRule {
  explicit ParsedRule(const std::string& text) {
    NeverAbort();
    rule = icalrecurrencetype_from_string(text.c_str());
  }
  ~ParsedRule() { std::free(rule.rscale); }
  ParsedRule(const ParsedRule&) = delete;
  ParsedRule& operator=(const ParsedRule&) = delete;

  icalrecurrencetype rule;
};

template <size_t kSize>
std::span<const short> Entries(const short (&array)[kSize]) {
  return {array, std::find(array, array + kSize, short{ICAL_RECURRENCE_ARRAY_MAX})};
}

// Values of [0, end), sorted and distinct.
bool AddTimes(std::span<const short> entries, int end, std::vector<int>* times) {
  times->assign(entries.begin(), entries.end());
  std::sort(times->begin(), times->end());
  times->erase(std::unique(times->begin(), times->end()), times->end());
  return times->empty() || (times->front() >= 0 && times->back() < end);
}

template <size_t kLargest>
bool AddPositions(std::span<const short> entries, PositionSet<kLargest>* positions) {
  return std::all_of(entries.begin(), entries.end(),
                     [&](short entry) { return positions->Add(entry); });
}

// libical counts the days of the week from Sunday, 1.
int WeekdayFromMonday(int libical_weekday) { return (libical_weekday + 5) % 7; }

bool AddWeekdays(std::span<const short> entries, RecurrenceRule* rule) {
  for (const short entry : entries) {
    const int weekday = WeekdayFromMonday(icalrecurrencetype_day_day_of_week(entry));
    const int position = icalrecurrencetype_day_position(entry);
    if (position == 0) {
      rule->weekdays.set(static_cast<size_t>(weekday));
    } else if (!rule->nth_weekdays[static_cast<size_t>(weekday)].Add(position)) {
      return false;
    }
  }
  return true;
}

bool AddMonths(std::span<const short> entries, RecurrenceRule* rule) {
  for (const short entry : entries) {
    if (entry < 1 || entry > 12) return false;
    rule->months.set(static_cast<size_t>(entry));
  }
  return true;
}

bool AddSetPositions(std::span<const short> entries, RecurrenceRule* rule) {
  rule->set_positions.assign(entries.begin(), entries.end());
  return std::all_of(entries.begin(), entries.end(),
                     [](short entry) { return entry != 0 && entry >= -366 && entry <= 366; });
}

std::optional<Frequency> FrequencyOf(icalrecurrencetype_frequency frequency) {
  switch (frequency) {
    case ICAL_SECONDLY_RECURRENCE:
      return Frequency::kSecondly;
    case ICAL_MINUTELY_RECURRENCE:
      return Frequency::kMinutely;
    case ICAL_HOURLY_RECURRENCE:
      return Frequency::kHourly;
    case ICAL_DAILY_RECURRENCE:
      return Frequency::kDaily;
    case ICAL_WEEKLY_RECURRENCE:
      return Frequency::kWeekly;
    case ICAL_MONTHLY_RECURRENCE:
      return Frequency::kMonthly;
    case ICAL_YEARLY_RECURRENCE:
      return Frequency::kYearly;
    case ICAL_NO_RECURRENCE:
      break;
  }
  return std::nullopt;
}

bool Convert(const icalrecurrencetype& from, RecurrenceRule* rule) {
  const auto frequency = FrequencyOf(from.freq);
  if (!frequency || from.interval < 1 || from.count < 0) return false;
  rule->frequency = *frequency;
  rule->interval = from.interval;
  rule->count = from.count;
  rule->week_start = WeekdayFromMonday(from.week_start);
  return AddTimes(Entries(from.by_second), 61, &rule->seconds) &&
         AddTimes(Entries(from.by_minute), 60, &rule->minutes) &&
         AddTimes(Entries(from.by_hour), 24, &rule->hours) &&
         AddWeekdays(Entries(from.by_day), rule) &&
         AddPositions(Entries(from.by_month_day), &rule->month_days) &&
         AddPositions(Entries(from.by_year_day), &rule->year_days) &&
         AddPositions(Entries(from.by_week_no), &rule->weeks) &&
         AddMonths(Entries(from.by_month), rule) && AddSetPositions(Entries(from.by_set_pos), rule);
}

}  // namespace

bool RecurrenceRule::has_weekdays() const {
  return weekdays.any() ||
         !std::all_of(nth_weekdays.begin(), nth_weekdays.end(),
                      [](const PositionSet<53>& positions) { return positions.empty(); });
}

absl::StatusOr<RecurrenceRule> RecurrenceRuleOf(const Property& property) {
  const auto refuse = [&](std::string_view reason) {
    return MakeCalendarDataError(property.line->line, fmt::format("{} '{}' {}", property.name,
                                                                  Excerpt(property.value), reason));
  };
  RecurrenceRule rule;
  for (const std::string_view part : SplitText(property.value, ';')) {
    const std::string_view name = part.substr(0, part.find('='));
    const std::string_view value = TrimSpace(part.substr(std::min(name.size() + 1, part.size())));
    if (std::count(value.begin(), value.end(), ',') >= kLongestList) {
      return refuse(fmt::format("has a list of more than {} entries", kLongestList));
    }
    if (EqualsIgnoreCase(name, "UNTIL")) {
      rule.until = ParseDateTime(value);
      if (!rule.until) return refuse("has an UNTIL that is neither a date nor a time");
    }
    if (EqualsIgnoreCase(name, "RSCALE") && !EqualsIgnoreCase(value, "GREGORIAN")) {
      return refuse("has an RSCALE other than GREGORIAN");
    }
    if ((EqualsIgnoreCase(name, "INTERVAL") && !ParseNumber<int16_t>(value)) ||
        (EqualsIgnoreCase(name, "COUNT") && !ParseNumber<int32_t>(value))) {
      return refuse(fmt::format("has a {} that is no number or too large", name));
    }
  }
  const ParsedRule parsed{std::string(property.value)};
  if (!Convert(parsed.rule, &rule)) {
    return refuse("is not a recurrence rule such as FREQ=WEEKLY;BYDAY=MO");
  }
  return rule;
}

std::optional<Duration> ParseDuration(std::string_view text) {
  // What libical takes, and we do not: no number at all, and numbers that overflow.
  constexpr size_t kLongestNumber = 9;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  size_t number = 0;
  bool has_number = false;
  for (const char c : text) {
    number = is_digit(c) ? number + 1 : 0;
    has_number |= number > 0;
    if (number > kLongestNumber) return std::nullopt;
  }
  if (!has_number || is_digit(text.back())) return std::nullopt;

  NeverAbort();
  const icaldurationtype parsed = icaldurationtype_from_string(std::string(text).c_str());
  if (icaldurationtype_is_bad_duration(parsed)) return std::nullopt;
  const int sign = parsed.is_neg ? -1 : 1;
  return Duration{.days = sign * (int64_t{parsed.weeks} * 7 + parsed.days),
                  .seconds = sign * (int64_t{parsed.hours} * 3600 + int64_t{parsed.minutes} * 60 +
                                     parsed.seconds)};
}

}  // namespace podkit::store::calendar
