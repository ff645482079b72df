// The times of a series as a few ranges: what an index over time is made of.
#pragma once

#include <vector>

#include "calendar/occurrences.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store::calendar {

// Parts of `bounds` that together overlap every range that an occurrence overlaps, in whatever zone
// floating times are read: by start, disjoint, at most some sixty and one for each component.
std::vector<TimeRange> SpansOf(const SeriesTimes& series, const TimeRange& bounds);

}  // namespace podkit::store::calendar
