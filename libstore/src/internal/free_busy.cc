#include "internal/free_busy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "common/status_macros.h"
#include "internal/search.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

absl::Status TooMany() {
  return MakeError(
      TooManyResults{.limit = int64_t{kMostBusyPeriods}},
      fmt::format("more than {} busy periods: ask for a shorter range", kMostBusyPeriods));
}

// A period begins or ends.
struct Edge {
  absl::Time time;
  size_t kind = 0;
  int step = 0;
};

std::vector<Edge> EdgesOf(const std::vector<BusyPeriod>& periods) {
  std::vector<Edge> edges;
  edges.reserve(periods.size() * 2);
  for (const BusyPeriod& period : periods) {
    if (period.start >= period.end) continue;
    const auto kind = static_cast<size_t>(period.kind);
    edges.push_back({period.start, kind, 1});
    edges.push_back({period.end, kind, -1});
  }
  std::sort(edges.begin(), edges.end(),
            [](const Edge& a, const Edge& b) { return a.time < b.time; });
  return edges;
}

}  // namespace

absl::StatusOr<FreeBusyPlan> PlanFreeBusy(const FreeBusyQuery& query) {
  Query same = {.start = query.start, .end = query.end};
  if (!query.time_zone.empty()) same.time_zone = query.time_zone;
  PODKIT_ASSIGN_OR_RETURN(const SearchPlan plan, PlanSearch(same));
  if (query.end - query.start > kLongestFreeBusyRange) {
    return MakeError(InvalidRequest{},
                     fmt::format("free-busy time is told for at most {} days at once",
                                 kLongestFreeBusyRange / absl::Hours(24)));
  }
  return FreeBusyPlan{.range = {.start = query.start, .end = query.end},
                      .zone = plan.zone,
                      .exclude_uid = query.exclude_uid};
}

absl::Status AddBusyPeriods(ObjectView& view, const FreeBusyPlan& plan,
                            std::vector<BusyPeriod>* periods, bool* complete) {
  bool too_many = false;
  PODKIT_RETURN_IF_ERROR(
      view.VisitTexts(plan.range, [&](const ObjectInfo& info, const std::string& text) {
        if (too_many || (info.component != "VEVENT" && info.component != "VFREEBUSY")) return;
        if (info.uid == plan.exclude_uid) return;
        const auto object = CalendarObject::Parse(text, CalendarSource::kImport);
        if (!object.ok()) {
          *complete = false;
          return;
        }
        const size_t room = kMostBusyPeriods - periods->size();
        const auto busy = object->BusyTimesIn(plan.range, room, plan.zone);
        too_many = busy.times.size() > room;
        *complete = *complete && busy.complete;
        if (too_many) return;
        for (const CalendarObject::BusyTime& time : busy.times) {
          periods->push_back({.start = time.start, .end = time.end, .kind = time.kind});
        }
      }));
  return too_many ? TooMany() : absl::OkStatus();
}

std::vector<BusyPeriod> MergePeriods(const std::vector<BusyPeriod>& periods) {
  constexpr size_t kKinds = 3;
  std::array<int, kKinds> open = {};
  const auto strongest = [&open]() -> std::optional<BusyKind> {
    for (size_t kind = kKinds; kind > 0; --kind) {
      if (open[kind - 1] > 0) return static_cast<BusyKind>(kind - 1);
    }
    return std::nullopt;
  };
  std::vector<BusyPeriod> merged;
  const std::vector<Edge> edges = EdgesOf(periods);
  for (size_t i = 0; i < edges.size();) {
    const absl::Time time = edges[i].time;
    for (; i < edges.size() && edges[i].time == time; ++i) open[edges[i].kind] += edges[i].step;
    const auto kind = strongest();
    if (!kind) continue;
    const absl::Time end = edges[i].time;  // What is open ends at some later edge.
    if (!merged.empty() && merged.back().end == time && merged.back().kind == *kind) {
      merged.back().end = end;
    } else {
      merged.push_back({.start = time, .end = end, .kind = *kind});
    }
  }
  return merged;
}

}  // namespace podkit::store
