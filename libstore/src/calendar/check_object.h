// The rules for the components of one calendar object (RFC 4791 section 4.1).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "calendar/component.h"
#include "calendar/occurrences.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store::calendar {

constexpr size_t kLongestUid = 1024;  // Bytes.

struct ObjectParts {
  std::string uid;
  std::vector<const Component*> components;  // At least one.
  std::vector<const Component*> zones;       // VTIMEZONE
};

struct CheckedObject {
  CalendarObjectInfo info;
  SeriesTimes times;
};

absl::StatusOr<CheckedObject> CheckObject(const ObjectParts& parts, CalendarSource source);

// What is asked of a component that comes to the store, and not of one that is there: an event, or
// what else stands alone, holds no other one, and its end is said once.
absl::Status CheckComponent(const Component& component);

// A VCALENDAR is in the Gregorian calendar.
absl::Status CheckCalendarScale(const Component& calendar);

// The UID of a component; empty if it has none.
absl::StatusOr<std::string> UidOf(const Component& component);

// Equal for components that override the same instance; empty for one that overrides none.
std::string RecurrenceKeyOf(const Component& component);

// Calendars may hold components of their own making; they do not decide what an object is.
bool IsExperimental(const Component& component);

}  // namespace podkit::store::calendar
