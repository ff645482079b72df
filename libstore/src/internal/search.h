// Finds the objects of a collection that match a query.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "internal/object_view.h"
#include "podkit/store/types.h"

namespace podkit::store {

// A query that was checked.
struct SearchPlan {
  std::optional<std::string> component;  // Upper case.
  std::optional<TimeRange> range;
  absl::TimeZone zone = absl::UTCTimeZone();
};

// InvalidRequest if the range is empty or the time zone unknown.
absl::StatusOr<SearchPlan> PlanSearch(const Query& query);

// The objects that match, by name. Inside of UserStore::Read.
absl::StatusOr<std::vector<ObjectInfo>> SearchObjects(ObjectView& view, const SearchPlan& plan);

}  // namespace podkit::store
