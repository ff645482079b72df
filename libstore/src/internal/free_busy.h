// When the objects of collections take time.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "internal/object_view.h"
#include "podkit/store/free_busy.h"

namespace podkit::store {

// A query that was checked.
struct FreeBusyPlan {
  TimeRange range;
  absl::TimeZone zone = absl::UTCTimeZone();
  std::string exclude_uid;
};

// InvalidRequest if the range is empty or too long, or the time zone unknown.
absl::StatusOr<FreeBusyPlan> PlanFreeBusy(const FreeBusyQuery& query);

// Adds the time that the objects of one collection take, as they look in this view. Inside of
// UserStore::Read. `complete` becomes false if not all of it can be found out; TooManyResults if
// there is more than kMostBusyPeriods.
absl::Status AddBusyPeriods(ObjectView& view, const FreeBusyPlan& plan,
                            std::vector<BusyPeriod>* periods, bool* complete);

// The same time, by start, disjoint: where several overlap, the strongest kind counts.
std::vector<BusyPeriod> MergePeriods(const std::vector<BusyPeriod>& periods);

}  // namespace podkit::store
