#include "calendar/time_range.h"

#include <algorithm>

namespace podkit::store::calendar {
namespace {

bool EventOverlaps(const Occurrence& event, const UtcRange& range) {
  if (!event.start) return false;
  const bool is_point = !event.end || (event.has_duration && *event.end == *event.start);
  if (is_point) return range.start <= *event.start && range.end > *event.start;
  return range.start < *event.end && range.end > *event.start;
}

bool TimelessTodoOverlaps(const Occurrence& todo, const UtcRange& range) {
  if (todo.completed && todo.created) {
    return (range.start <= *todo.created || range.start <= *todo.completed) &&
           (range.end >= *todo.created || range.end >= *todo.completed);
  }
  if (todo.completed) return range.start <= *todo.completed && range.end >= *todo.completed;
  return !todo.created || range.end > *todo.created;
}

bool TodoOverlaps(const Occurrence& todo, const UtcRange& range) {
  if (todo.start && todo.end) {
    const bool begins_before = todo.has_duration
                                   ? range.start <= *todo.end
                                   : range.start < *todo.end || range.start <= *todo.start;
    return begins_before && (range.end > *todo.start || range.end >= *todo.end);
  }
  if (todo.start) return range.start <= *todo.start && range.end > *todo.start;
  if (todo.end) return range.start < *todo.end && range.end >= *todo.end;
  return TimelessTodoOverlaps(todo, range);
}

bool JournalOverlaps(const Occurrence& journal, const UtcRange& range) {
  if (!journal.start) return false;
  if (journal.end) return range.start < *journal.end && range.end > *journal.start;
  return range.start <= *journal.start && range.end > *journal.start;
}

bool FreeBusyOverlaps(const Occurrence& free_busy, const UtcRange& range) {
  if (free_busy.start && free_busy.end) {
    return range.start <= *free_busy.end && range.end > *free_busy.start;
  }
  return std::any_of(free_busy.busy.begin(), free_busy.busy.end(), [&](const auto& period) {
    return range.start < period.second && range.end > period.first;
  });
}

}  // namespace

bool Overlaps(const Occurrence& occurrence, const UtcRange& range) {
  switch (occurrence.kind) {
    case ComponentKind::kEvent:
      return EventOverlaps(occurrence, range);
    case ComponentKind::kTodo:
      return TodoOverlaps(occurrence, range);
    case ComponentKind::kJournal:
      return JournalOverlaps(occurrence, range);
    case ComponentKind::kFreeBusy:
      return FreeBusyOverlaps(occurrence, range);
    case ComponentKind::kOther:
      break;
  }
  return true;  // The table does not speak of it: never hide it.
}

std::optional<UtcRange> BoundsOf(const Occurrence& occurrence) {
  std::optional<UtcRange> bounds;
  const auto include = [&bounds](Utc time) {
    if (!bounds) bounds = UtcRange{time, time};
    bounds->start = std::min(bounds->start, time);
    bounds->end = std::max(bounds->end, time);
  };
  const bool is_todo = occurrence.kind == ComponentKind::kTodo;
  if (occurrence.kind == ComponentKind::kOther) return UtcRange{};
  const bool timeless = is_todo && !occurrence.start && !occurrence.end;
  if (timeless && !occurrence.completed) {
    return UtcRange{.start = occurrence.created.value_or(INT64_MIN), .end = INT64_MAX};
  }
  for (const auto& time : {timeless ? occurrence.completed : occurrence.start,
                           timeless ? occurrence.created : occurrence.end}) {
    if (time) include(*time);
  }
  for (const auto& [start, end] : occurrence.busy) {
    include(start);
    include(end);
  }
  if (!bounds) return std::nullopt;
  // Of these two the end belongs to them, of a to-do what is just before it too; a point is a
  // second long.
  const bool closed = is_todo || occurrence.kind == ComponentKind::kFreeBusy;
  const int64_t slack = occurrence.floating ? kDaySeconds : 0;
  bounds->end = std::max(bounds->end + (closed ? 1 : 0), bounds->start + 1) + slack;
  bounds->start -= slack + (is_todo ? 1 : 0);
  return bounds;
}

}  // namespace podkit::store::calendar
