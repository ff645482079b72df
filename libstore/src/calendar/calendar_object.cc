#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "calendar/check_object.h"
#include "calendar/component.h"
#include "calendar/display_text.h"
#include "calendar/occurrences.h"
#include "calendar/time_range.h"
#include "common/status_macros.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store {
namespace {

using calendar::CalendarText;
using calendar::CheckedObject;
using calendar::Component;
using calendar::Excerpt;
using calendar::Occurrence;
using calendar::Property;
using calendar::UtcRange;
using calendar::Walk;

absl::Status CheckCalendarProperties(const Component& calendar) {
  if (const Property* method = FindProperty(calendar, "METHOD")) {
    return MakeCalendarDataError(
        method->line->line,
        fmt::format("METHOD:{} makes it a message; a stored object has no METHOD",
                    Excerpt(method->value)));
  }
  const Property* version = FindProperty(calendar, "VERSION");
  if (version == nullptr || version->value != "2.0") {
    return MakeCalendarDataError(version == nullptr ? calendar.line() : version->line->line,
                                 "the VCALENDAR needs VERSION:2.0");
  }
  return calendar::CheckCalendarScale(calendar);
}

absl::StatusOr<calendar::ObjectParts> PartsOf(const CalendarText& text) {
  if (text.calendars.size() > 1) {
    return MakeCalendarDataError(text.calendars[1].line(),
                                 "a second VCALENDAR; one object has one, import such a file");
  }
  calendar::ObjectParts parts;
  for (const Component& component : text.calendars.front().children) {
    if (component.name == "VTIMEZONE") {
      parts.zones.push_back(&component);
      continue;
    }
    PODKIT_ASSIGN_OR_RETURN(const std::string uid, UidOf(component));
    if (uid.empty() && !IsExperimental(component)) {
      return MakeCalendarDataError(component.line(),
                                   fmt::format("the {} has no UID", Excerpt(component.name)));
    }
    if (!uid.empty() && !parts.uid.empty() && uid != parts.uid) {
      return MakeCalendarDataError(
          component.line(),
          fmt::format("the UID '{}' beside '{}'; one object has one, import such a file",
                      Excerpt(uid), Excerpt(parts.uid)));
    }
    if (!uid.empty()) parts.uid = uid;
    parts.components.push_back(&component);
  }
  if (parts.uid.empty()) {
    return MakeCalendarDataError(text.calendars.front().line(),
                                 "the VCALENDAR has no event, to-do or other component with a UID");
  }
  return parts;
}

absl::StatusOr<CheckedObject> ParseObject(std::string_view text, CalendarSource source,
                                          const CalendarLimits& limits) {
  if (text.size() > limits.max_object_bytes) {
    return MakeCalendarDataError(0, fmt::format("the object has {} bytes; the limit is {}",
                                                text.size(), limits.max_object_bytes));
  }
  PODKIT_ASSIGN_OR_RETURN(const CalendarText parsed,
                          calendar::ParseCalendarText(text, calendar::LooseLines::kRefuse, limits));
  PODKIT_RETURN_IF_ERROR(CheckCalendarProperties(parsed.calendars.front()));
  PODKIT_ASSIGN_OR_RETURN(const calendar::ObjectParts parts, PartsOf(parsed));
  return CheckObject(parts, source);
}

// Whole seconds, no instant of `range` left out.
UtcRange ToUtcRange(const TimeRange& range) {
  UtcRange result;
  if (range.start != absl::InfinitePast()) result.start = absl::ToUnixSeconds(range.start);
  if (range.end != absl::InfiniteFuture()) {
    result.end = absl::ToUnixSeconds(range.end + absl::Seconds(1) - absl::Nanoseconds(1));
  }
  return result;
}

CalendarObject::Instance ToInstance(const Occurrence& occurrence) {
  CalendarObject::Instance instance;
  const calendar::Utc start = occurrence.start.value_or(occurrence.end.value_or(0));
  instance.start = absl::FromUnixSeconds(start);
  instance.end = absl::FromUnixSeconds(occurrence.end.value_or(start));
  instance.all_day = occurrence.all_day;
  if (occurrence.recurrence_id) {
    instance.recurrence_id = absl::FromUnixSeconds(*occurrence.recurrence_id);
  }
  return instance;
}

absl::Time FromUtc(calendar::Utc utc) { return absl::FromUnixSeconds(utc); }

// The part of [start, end) that lies in `range`.
void AddBusyTime(calendar::Utc start, calendar::Utc end, BusyKind kind, const TimeRange& range,
                 std::vector<CalendarObject::BusyTime>* times) {
  const absl::Time first = std::max(FromUtc(start), range.start);
  const absl::Time last = std::min(FromUtc(end), range.end);
  if (first < last) times->push_back({.start = first, .end = last, .kind = kind});
}

void AddBusyTimes(const Occurrence& occurrence, const TimeRange& range,
                  std::vector<CalendarObject::BusyTime>* times) {
  const calendar::ComponentTimes& component = *occurrence.component;
  if (component.busy_kind && occurrence.start && occurrence.end) {
    AddBusyTime(*occurrence.start, *occurrence.end, *component.busy_kind, range, times);
  }
  if (occurrence.kind != calendar::ComponentKind::kFreeBusy) return;
  for (size_t i = 0; i < occurrence.busy.size(); ++i) {
    const auto& [start, end] = occurrence.busy[i];
    const auto& kind = component.busy_kinds[i];
    if (kind.has_value()) AddBusyTime(start, end, *kind, range, times);
  }
}

}  // namespace

struct CalendarObject::Series : CheckedObject {
  explicit Series(CheckedObject object) : CheckedObject(std::move(object)) {}
};

CalendarObject::CalendarObject(std::unique_ptr<const Series> series) : series_(std::move(series)) {}
CalendarObject::CalendarObject(CalendarObject&&) noexcept = default;
CalendarObject& CalendarObject::operator=(CalendarObject&&) noexcept = default;
CalendarObject::~CalendarObject() = default;

absl::StatusOr<CalendarObject> CalendarObject::Parse(std::string_view text, CalendarSource source,
                                                     const CalendarLimits& limits) {
  PODKIT_ASSIGN_OR_RETURN(CheckedObject object, ParseObject(text, source, limits));
  return CalendarObject(std::make_unique<const Series>(std::move(object)));
}

const CalendarObjectInfo& CalendarObject::info() const { return series_->info; }

bool CalendarObject::OverlapsRange(const TimeRange& range,
                                   const absl::TimeZone& floating_zone) const {
  const UtcRange utc = ToUtcRange(range);
  calendar::Budget budget;
  bool overlaps = false;
  const Walk walk = ForEachOccurrence(series_->times, utc.start, utc.end, floating_zone, &budget,
                                      [&](const Occurrence& occurrence) {
                                        overlaps = Overlaps(occurrence, utc);
                                        return !overlaps;
                                      });
  return overlaps || walk == Walk::kIncomplete;
}

CalendarObject::Expansion CalendarObject::Expand(const TimeRange& range, size_t max_instances,
                                                 const absl::TimeZone& floating_zone) const {
  const UtcRange utc = ToUtcRange(range);
  calendar::Budget budget;
  Expansion expansion;
  const Walk walk =
      ForEachOccurrence(series_->times, utc.start, utc.end, floating_zone, &budget,
                        [&](const Occurrence& occurrence) {
                          if ((!occurrence.start && !occurrence.end) || !Overlaps(occurrence, utc))
                            return true;
                          if (expansion.instances.size() == max_instances) return false;
                          expansion.instances.push_back(ToInstance(occurrence));
                          return true;
                        });
  expansion.complete = walk == Walk::kFinished;
  std::sort(expansion.instances.begin(), expansion.instances.end(),
            [](const Instance& a, const Instance& b) { return a.start < b.start; });
  return expansion;
}

CalendarObject::BusyTimes CalendarObject::BusyTimesIn(const TimeRange& range, size_t max_times,
                                                      const absl::TimeZone& floating_zone) const {
  const UtcRange utc = ToUtcRange(range);
  calendar::Budget budget;
  BusyTimes busy;
  const Walk walk = ForEachOccurrence(series_->times, utc.start, utc.end, floating_zone, &budget,
                                      [&](const Occurrence& occurrence) {
                                        AddBusyTimes(occurrence, range, &busy.times);
                                        return busy.times.size() <= max_times;
                                      });
  busy.complete = walk == Walk::kFinished;
  return busy;
}

absl::StatusOr<CalendarObjectInfo> ValidateCalendarObject(std::string_view text,
                                                          CalendarSource source,
                                                          const CalendarLimits& limits) {
  PODKIT_ASSIGN_OR_RETURN(CheckedObject object, ParseObject(text, source, limits));
  return std::move(object.info);
}

}  // namespace podkit::store
