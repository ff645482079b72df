// When a component is, taken out of its properties.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "calendar/component.h"
#include "calendar/recurrence_rule.h"
#include "calendar/values.h"

namespace podkit::store::calendar {

enum class ComponentKind { kEvent, kTodo, kJournal, kFreeBusy, kOther };

ComponentKind KindOf(std::string_view component);

// How a VEVENT takes time; nothing if it does not, as everything else.
std::optional<BusyKind> BusyKindOf(const Component& component);

struct ComponentTimes {
  ComponentKind kind = ComponentKind::kOther;
  std::optional<DateTime> start;
  std::optional<DateTime> end;  // DTEND, of a to-do DUE.
  std::optional<Duration> duration;
  std::optional<DateTime> completed;
  std::optional<DateTime> created;
  std::optional<DateTime> recurrence_id;
  bool this_and_future = false;  // RANGE=THISANDFUTURE
  std::vector<RecurrenceRule> rules;
  std::vector<RecurrenceRule> excluded_rules;
  std::vector<DateTime> added;        // RDATE
  std::vector<Period> added_periods;  // RDATE;VALUE=PERIOD
  std::vector<DateTime> excluded;
  std::vector<Period> busy;                         // FREEBUSY
  std::vector<std::optional<BusyKind>> busy_kinds;  // Of each of `busy`; nothing: free.
  std::optional<BusyKind> busy_kind;

  bool recurs() const { return !rules.empty() || !added.empty() || !added_periods.empty(); }
};

// An error names the line of the first property that makes no sense.
absl::StatusOr<ComponentTimes> ComponentTimesOf(const Component& component);

}  // namespace podkit::store::calendar
