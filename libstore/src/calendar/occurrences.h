// The occurrences of a calendar object: those of the series (DTSTART, RRULE, RDATE without EXDATE,
// EXRULE and what is overridden), and the overriding components.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "calendar/budget.h"
#include "calendar/component_times.h"
#include "calendar/time_zones.h"
#include "calendar/values.h"

namespace podkit::store::calendar {

// The components of one object.
struct SeriesTimes {
  std::vector<ComponentTimes> components;
  std::vector<TimeZoneDefinition> zones;
};

// One occurrence in UTC.
struct Occurrence {
  ComponentKind kind = ComponentKind::kOther;
  const ComponentTimes* component = nullptr;  // Whose occurrence it is.
  bool all_day = false;
  bool floating = false;  // Depends on the zone for floating times; true if all_day.
  std::optional<Utc> start;
  std::optional<Utc> end;     // From DTEND, DUE, DURATION, or the day itself if it is all-day.
  bool has_duration = false;  // `end` is not from DTEND or DUE.
  std::optional<Utc> completed;
  std::optional<Utc> created;
  std::optional<Utc> recurrence_id;
  std::vector<std::pair<Utc, Utc>> busy;
};

enum class Walk {
  kFinished,
  kStopped,     // By the visitor.
  kIncomplete,  // There may be more: the budget is exhausted, or the object has a
                // RANGE=THISANDFUTURE, which moves occurrences that are not looked for.
};

// Visits all occurrences that may touch [from, to), and maybe others, in no promised order, until
// the visitor returns false.
Walk ForEachOccurrence(const SeriesTimes& series, Utc from, Utc to, const absl::TimeZone& floating,
                       Budget* budget, const std::function<bool(const Occurrence&)>& visitor);

}  // namespace podkit::store::calendar
