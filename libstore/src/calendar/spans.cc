#include "calendar/spans.h"

#include <algorithm>
#include <optional>

#include "calendar/budget.h"
#include "calendar/time_range.h"

namespace podkit::store::calendar {
namespace {

// What a rule gives beyond these is one span to the end.
constexpr int kMostOccurrences = 64;
// Occurrences that are not farther apart are one span: a question about a week finds them anyway.
constexpr Utc kGap = 8 * kDaySeconds;

absl::Time ToTime(Utc utc) {
  if (utc == INT64_MIN) return absl::InfinitePast();
  if (utc == INT64_MAX) return absl::InfiniteFuture();
  return absl::FromUnixSeconds(utc);
}

// Overriding components are where they say, not where a rule puts them.
void AddOverrides(const SeriesTimes& series, std::vector<UtcRange>* ranges) {
  SeriesTimes overrides;
  overrides.zones = series.zones;
  for (const ComponentTimes& component : series.components) {
    if (component.recurrence_id) overrides.components.push_back(component);
  }
  Budget budget;
  ForEachOccurrence(overrides, INT64_MIN, INT64_MAX, absl::UTCTimeZone(), &budget,
                    [&](const Occurrence& occurrence) {
                      if (const auto range = BoundsOf(occurrence)) ranges->push_back(*range);
                      return true;
                    });
}

// The first occurrences of the series itself, in their order. False if there are more.
bool AddFirstOccurrences(const SeriesTimes& series, std::vector<UtcRange>* ranges) {
  Budget budget;
  int count = 0;
  const Walk walk = ForEachOccurrence(series, INT64_MIN, INT64_MAX, absl::UTCTimeZone(), &budget,
                                      [&](const Occurrence& occurrence) {
                                        if (occurrence.recurrence_id) return true;
                                        const auto range = BoundsOf(occurrence);
                                        if (range) ranges->push_back(*range);
                                        return ++count < kMostOccurrences;
                                      });
  return walk == Walk::kFinished;
}

std::vector<TimeRange> Join(std::vector<UtcRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const UtcRange& a, const UtcRange& b) { return a.start < b.start; });
  std::vector<UtcRange> joined;
  for (const UtcRange& range : ranges) {
    if (joined.empty() ||
        (joined.back().end < INT64_MAX - kGap && joined.back().end + kGap < range.start)) {
      joined.push_back(range);
    } else {
      joined.back().end = std::max(joined.back().end, range.end);
    }
  }
  std::vector<TimeRange> spans;
  spans.reserve(joined.size());
  for (const UtcRange& range : joined) spans.push_back({ToTime(range.start), ToTime(range.end)});
  return spans;
}

}  // namespace

std::vector<TimeRange> SpansOf(const SeriesTimes& series, const TimeRange& bounds) {
  // Occurrences that are not looked for, or do not come in order, are somewhere within the bounds.
  const bool unordered =
      std::any_of(series.components.begin(), series.components.end(), [](const auto& component) {
        return component.this_and_future || !component.added_periods.empty();
      });
  const bool recurs = std::any_of(series.components.begin(), series.components.end(),
                                  [](const auto& component) { return component.recurs(); });
  if (unordered || !recurs || bounds.start == absl::InfinitePast()) return {bounds};
  std::vector<UtcRange> ranges;
  const bool all = AddFirstOccurrences(series, &ranges);
  if (!all) {
    if (ranges.empty()) return {bounds};
    // The last one is not before those that were not looked at.
    const Utc end =
        bounds.end == absl::InfiniteFuture() ? INT64_MAX : absl::ToUnixSeconds(bounds.end);
    ranges.back().end = std::max(ranges.back().end, end);
  }
  AddOverrides(series, &ranges);
  if (ranges.empty()) return {bounds};
  return Join(std::move(ranges));
}

}  // namespace podkit::store::calendar
