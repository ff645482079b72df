// The components of an iCalendar text as a tree that knows where in the text each part stands.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "calendar/content_lines.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store::calendar {

// "DTSTART;TZID=Europe/Berlin:20250101T090000"
struct Property {
  std::string_view name;
  std::string_view parameters;  // Between the name and the colon, without the first semicolon.
  std::string_view value;       // Without surrounding space.
  const ContentLine* line = nullptr;
};

struct Component {
  std::string name;  // Upper case.
  const ContentLine* begin = nullptr;
  const ContentLine* end = nullptr;
  std::vector<Property> properties;
  std::vector<Component> children;

  int line() const { return begin->line; }
};

// The tree of a whole text. Views point into the text, which must outlive it, or into `lines`.
struct CalendarText {
  ContentLines lines;
  std::vector<Component> calendars;  // Each a VCALENDAR.
};

absl::StatusOr<CalendarText> ParseCalendarText(std::string_view text, LooseLines loose_lines,
                                               const CalendarLimits& limits);

// The first property of that name, or null.
const Property* FindProperty(const Component& component, std::string_view name);

// Takes the next parameter, "NAME=value", off the front of a property's parameters; empty where
// there is none more.
std::string_view NextParameter(std::string_view* parameters);

// Whether "NAME=value" is the parameter of that name.
bool IsParameter(std::string_view parameter, std::string_view name);

// The first value of a parameter, without quotes.
std::optional<std::string_view> FindParameter(const Property& property, std::string_view name);

// The one property of that name, or null. An error if there are several that differ.
absl::StatusOr<const Property*> OnlyProperty(const Component& component, std::string_view name);

}  // namespace podkit::store::calendar
