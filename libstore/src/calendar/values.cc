#include "calendar/values.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/time/civil_time.h"
#include "calendar/display_text.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

bool AllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The digits text[at, at + count), which are digits.
int Digits(std::string_view text, size_t at, size_t count) {
  return ParseNumber<int>(text.substr(at, count)).value_or(0);
}

absl::Status NotA(const Property& property, std::string_view value, std::string_view what) {
  return MakeCalendarDataError(
      property.line->line, fmt::format("{} '{}' is not {}", property.name, Excerpt(value), what));
}

}  // namespace

std::optional<DateTime> ParseDateTime(std::string_view text) {
  if (text.size() < 8 || !AllDigits(text.substr(0, 8))) return std::nullopt;
  const absl::CivilDay day(Digits(text, 0, 4), Digits(text, 4, 2), Digits(text, 6, 2));
  if (day.month() != Digits(text, 4, 2) || day.day() != Digits(text, 6, 2)) return std::nullopt;
  DateTime result;
  result.civil = (day - absl::CivilDay()) * kDaySeconds;
  result.form = DateTime::Form::kDate;
  if (text.size() == 8) return result;

  const bool utc = text.size() == 16 && (text[15] == 'Z' || text[15] == 'z');
  if ((text.size() != 15 && !utc) || (text[8] != 'T' && text[8] != 't')) return std::nullopt;
  if (!AllDigits(text.substr(9, 6))) return std::nullopt;
  const int hour = Digits(text, 9, 2);
  const int minute = Digits(text, 11, 2);
  const int second = Digits(text, 13, 2);
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;  // 60 is a leap second.
  result.civil += hour * 3600 + minute * 60 + second;
  result.form = utc ? DateTime::Form::kUtc : DateTime::Form::kFloating;
  return result;
}

std::optional<int> ParseUtcOffset(std::string_view text) {
  if ((text.size() != 5 && text.size() != 7) || (text[0] != '+' && text[0] != '-') ||
      !AllDigits(text.substr(1))) {
    return std::nullopt;
  }
  const int seconds = Digits(text, 1, 2) * 3600 + Digits(text, 3, 2) * 60 +
                      (text.size() == 7 ? Digits(text, 5, 2) : 0);
  if (seconds > kDaySeconds) return std::nullopt;
  return text[0] == '-' ? -seconds : seconds;
}

absl::StatusOr<DateTime> DateTimeOf(const Property& property, std::string_view value) {
  auto result = ParseDateTime(TrimSpace(value));
  if (!result) {
    return NotA(property, value, "a date such as 20250131 or a time such as 20250131T090000Z");
  }
  const auto zone = FindParameter(property, "TZID");
  if (zone && result->form == DateTime::Form::kFloating) {
    result->form = DateTime::Form::kZoned;
    result->zone = *zone;
  }
  return *std::move(result);
}

absl::StatusOr<Duration> DurationOf(const Property& property) {
  const auto result = ParseDuration(property.value);
  if (!result) return NotA(property, property.value, "a duration such as PT1H30M");
  return *result;
}

absl::StatusOr<Period> PeriodOf(const Property& property, std::string_view value) {
  const size_t slash = value.find('/');
  Period period;
  if (slash == std::string_view::npos) {
    return NotA(property, value, "a period such as 20250131T090000Z/PT1H");
  }
  PODKIT_ASSIGN_OR_RETURN(period.start, DateTimeOf(property, value.substr(0, slash)));
  const std::string_view end = TrimSpace(value.substr(slash + 1));
  if (const auto duration = ParseDuration(end)) {
    period.duration = *duration;
    return period;
  }
  PODKIT_ASSIGN_OR_RETURN(period.end, DateTimeOf(property, end));
  return period;
}

}  // namespace podkit::store::calendar
