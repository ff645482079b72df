// Which occurrences lie in a range of time: the table of RFC 4791 section 9.9.
#pragma once

#include <optional>

#include "calendar/occurrences.h"

namespace podkit::store::calendar {

// [start, end)
struct UtcRange {
  Utc start = INT64_MIN;
  Utc end = INT64_MAX;
};

bool Overlaps(const Occurrence& occurrence, const UtcRange& range);

// A range that every range overlaps which `occurrence` overlaps, whatever zone floating times are
// read in; nothing if it overlaps none.
std::optional<UtcRange> BoundsOf(const Occurrence& occurrence);

}  // namespace podkit::store::calendar
