// Calendar texts for tests.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "podkit/store/calendar_data.h"
#include "tests/support/catch.h"

namespace podkit::store {

inline std::string Lines(std::initializer_list<std::string_view> lines) {
  std::string text;
  for (const std::string_view line : lines) {
    text += line;
    text += "\r\n";
  }
  return text;
}

// The error that `status` carries.
inline CalendarDataError ErrorOf(const absl::Status& status) {
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return GetCalendarDataError(status).value_or(CalendarDataError{-1, "no CalendarDataError"});
}

// A VCALENDAR around `components`.
inline std::string Calendar(std::string_view components) {
  return Lines({"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN"}) + std::string(components) +
         Lines({"END:VCALENDAR"});
}

// One component of UID "1" with these properties.
inline std::string Component(std::string_view type,
                             std::initializer_list<std::string_view> properties) {
  return Lines({"BEGIN:" + std::string(type), "UID:1"}) + Lines(properties) +
         Lines({"END:" + std::string(type)});
}

inline std::string Event(std::initializer_list<std::string_view> properties) {
  return Component("VEVENT", properties);
}

// "20250131T090000Z"
inline absl::Time At(const std::string& text) {
  const auto number = [&](size_t at, size_t count) { return std::stoi(text.substr(at, count)); };
  return absl::FromCivil(absl::CivilSecond(number(0, 4), number(4, 2), number(6, 2), number(9, 2),
                                           number(11, 2), number(13, 2)),
                         absl::UTCTimeZone());
}

inline std::string Text(absl::Time time) {
  return absl::FormatTime("%Y%m%dT%H%M%SZ", time, absl::UTCTimeZone());
}

inline TimeRange Range(const std::string& start, const std::string& end) {
  return {At(start), At(end)};
}

}  // namespace podkit::store
