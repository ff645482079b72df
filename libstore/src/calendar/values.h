// The values of properties: dates, date-times, durations and periods. What a value says is decided
// by its form, not by a VALUE parameter, which real files get wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "calendar/component.h"

namespace podkit::store::calendar {

constexpr int64_t kDaySeconds = 86'400;

// A point on the local clock: seconds since 1970-01-01T00:00:00 there, as if every day had 86,400.
using Civil = int64_t;

// Everything that is computed lies between these: the years 0 and 9999.
constexpr Civil kFirstCivil = -62'167'219'200;
constexpr Civil kLastCivil = 253'402'300'799;

struct DateTime {
  enum class Form { kDate, kFloating, kUtc, kZoned };
  Civil civil = 0;
  Form form = Form::kFloating;
  std::string zone;  // The TZID if kZoned.
};

// As RFC 5545 has it: days on the local clock, seconds on any.
struct Duration {
  int64_t days = 0;
  int64_t seconds = 0;
};

struct Period {
  DateTime start;
  std::optional<DateTime> end;  // Else `duration` counts.
  Duration duration;
};

// "20250131", "20250131T090000" or "20250131T090000Z".
std::optional<DateTime> ParseDateTime(std::string_view text);

// "PT1H30M", "-P1D"; as libical reads it.
std::optional<Duration> ParseDuration(std::string_view text);

// "+0130" or "-053000", in seconds.
std::optional<int> ParseUtcOffset(std::string_view text);

// The same for the value of a property, with its TZID; an error tells its line.
absl::StatusOr<DateTime> DateTimeOf(const Property& property, std::string_view value);
absl::StatusOr<Duration> DurationOf(const Property& property);
absl::StatusOr<Period> PeriodOf(const Property& property, std::string_view value);

}  // namespace podkit::store::calendar
