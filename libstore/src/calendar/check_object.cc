#include "calendar/check_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "calendar/display_text.h"
#include "calendar/spans.h"
#include "calendar/time_range.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

constexpr size_t kSummaryBytes = 1024;

// The components that decide what the object is.
std::vector<const Component*> MainComponents(const std::vector<const Component*>& components) {
  std::vector<const Component*> main;
  std::copy_if(components.begin(), components.end(), std::back_inserter(main),
               [](const Component* component) { return !IsExperimental(*component); });
  return main.empty() ? components : main;
}

absl::Status CheckTypes(const std::vector<const Component*>& main) {
  for (const Component* component : main) {
    if (component->name != main.front()->name) {
      return MakeCalendarDataError(
          component->line(),
          fmt::format("a {} beside the {} of line {}: one object has components of one type",
                      Excerpt(component->name), Excerpt(main.front()->name), main.front()->line()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckInstances(const std::vector<const Component*>& main) {
  absl::flat_hash_map<std::string, int> lines;
  for (const Component* component : main) {
    const auto [entry, is_new] = lines.emplace(RecurrenceKeyOf(*component), component->line());
    if (is_new) continue;
    return MakeCalendarDataError(
        component->line(),
        fmt::format("a second {} {} of the same UID; the first is in line {}",
                    Excerpt(component->name),
                    entry->first.empty() ? "without RECURRENCE-ID" : "with that RECURRENCE-ID",
                    entry->second));
  }
  return absl::OkStatus();
}

// The component that stands for the series.
const Component& MasterOf(const std::vector<const Component*>& main) {
  const auto master = std::find_if(main.begin(), main.end(), [](const Component* component) {
    return RecurrenceKeyOf(*component).empty();
  });
  return master == main.end() ? *main.front() : **master;
}

std::string SummaryOf(const Component& component) {
  const Property* summary = FindProperty(component, "SUMMARY");
  if (summary == nullptr) return "";
  return DisplayText(UnescapeText(summary->value), kSummaryBytes);
}

bool IsEndless(const SeriesTimes& times) {
  return std::any_of(times.components.begin(), times.components.end(), [](const auto& component) {
    return !component.recurrence_id &&
           std::any_of(component.rules.begin(), component.rules.end(),
                       [](const RecurrenceRule& rule) { return rule.is_endless(); });
  });
}

// The components one by one, each as if it did not recur by a rule and nothing were left out.
SeriesTimes WithoutRules(const SeriesTimes& times) {
  SeriesTimes result = times;
  for (ComponentTimes& component : result.components) {
    component.rules.clear();
    component.excluded.clear();
    component.excluded_rules.clear();
    component.recurrence_id.reset();
  }
  return result;
}

TimeRange BoundsOfSeries(const SeriesTimes& times) {
  const bool endless = IsEndless(times);
  Budget budget;
  std::optional<UtcRange> bounds;
  const Walk walk =
      ForEachOccurrence(endless ? WithoutRules(times) : times, INT64_MIN, INT64_MAX,
                        absl::UTCTimeZone(), &budget, [&bounds](const Occurrence& occurrence) {
                          const auto range = BoundsOf(occurrence);
                          if (!range) return true;
                          if (!bounds) bounds = range;
                          bounds->start = std::min(bounds->start, range->start);
                          bounds->end = std::max(bounds->end, range->end);
                          return true;
                        });
  if (!bounds && walk == Walk::kFinished) return {absl::UnixEpoch(), absl::UnixEpoch()};
  TimeRange result;
  if (bounds && bounds->start != INT64_MIN) result.start = absl::FromUnixSeconds(bounds->start);
  if (bounds && bounds->end != INT64_MAX && !endless && walk == Walk::kFinished) {
    result.end = absl::FromUnixSeconds(bounds->end);
  }
  return result;
}

absl::StatusOr<SeriesTimes> TimesOf(const std::vector<const Component*>& main,
                                    const std::vector<const Component*>& zones) {
  SeriesTimes times;
  for (const Component* component : main) {
    PODKIT_ASSIGN_OR_RETURN(ComponentTimes component_times, ComponentTimesOf(*component));
    times.components.push_back(std::move(component_times));
  }
  for (const Component* zone : zones) {
    PODKIT_ASSIGN_OR_RETURN(TimeZoneDefinition definition, TimeZoneDefinitionOf(*zone));
    times.zones.push_back(std::move(definition));
  }
  return times;
}

absl::Status CheckStarts(const std::vector<const Component*>& main) {
  for (const Component* component : main) {
    if (component->name == "VEVENT" && FindProperty(*component, "DTSTART") == nullptr) {
      return MakeCalendarDataError(component->line(), "the VEVENT has no DTSTART");
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsExperimental(const Component& component) { return component.name.starts_with("X-"); }

absl::Status CheckComponent(const Component& component) {
  const ComponentKind kind = KindOf(component.name);
  if (kind == ComponentKind::kOther) return absl::OkStatus();
  for (const Component& child : component.children) {
    if (KindOf(child.name) == ComponentKind::kOther) continue;
    return MakeCalendarDataError(child.line(),
                                 fmt::format("a {} within the {} of line {}, which must end before",
                                             child.name, component.name, component.line()));
  }
  const std::string_view end_name = kind == ComponentKind::kTodo ? "DUE" : "DTEND";
  const Property* const end = FindProperty(component, end_name);
  const Property* const duration = FindProperty(component, "DURATION");
  if (end == nullptr || duration == nullptr) return absl::OkStatus();
  return MakeCalendarDataError(duration->line->line,
                               fmt::format("DURATION beside the {} of line {}: only one may say "
                                           "when it ends",
                                           end_name, end->line->line));
}

absl::Status CheckCalendarScale(const Component& calendar) {
  const Property* scale = FindProperty(calendar, "CALSCALE");
  if (scale == nullptr || EqualsIgnoreCase(scale->value, "GREGORIAN")) return absl::OkStatus();
  return MakeCalendarDataError(scale->line->line,
                               fmt::format("CALSCALE:{} is not supported", Excerpt(scale->value)));
}

absl::StatusOr<std::string> UidOf(const Component& component) {
  PODKIT_ASSIGN_OR_RETURN(const Property* uid, OnlyProperty(component, "UID"));
  if (uid == nullptr) return "";
  const bool has_control = std::any_of(uid->value.begin(), uid->value.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (has_control || !IsUtf8(uid->value)) {
    return MakeCalendarDataError(uid->line->line, "the UID has control characters or is not UTF-8");
  }
  if (uid->value.size() > kLongestUid) {
    return MakeCalendarDataError(uid->line->line,
                                 fmt::format("the UID is longer than {} bytes", kLongestUid));
  }
  return std::string(uid->value);
}

std::string RecurrenceKeyOf(const Component& component) {
  const Property* recurrence_id = FindProperty(component, "RECURRENCE-ID");
  if (recurrence_id == nullptr) return "";
  return fmt::format("{}:{}", FindParameter(*recurrence_id, "TZID").value_or(""),
                     recurrence_id->value);
}

absl::StatusOr<CheckedObject> CheckObject(const ObjectParts& parts, CalendarSource source) {
  const std::vector<const Component*> main = MainComponents(parts.components);
  PODKIT_RETURN_IF_ERROR(CheckTypes(main));
  PODKIT_RETURN_IF_ERROR(CheckInstances(main));
  if (source == CalendarSource::kClient) {
    PODKIT_RETURN_IF_ERROR(CheckStarts(main));
    for (const Component* component : main) PODKIT_RETURN_IF_ERROR(CheckComponent(*component));
  }

  CheckedObject object;
  PODKIT_ASSIGN_OR_RETURN(object.times, TimesOf(main, parts.zones));
  object.info.uid = parts.uid;
  object.info.component = main.front()->name;
  object.info.summary = SummaryOf(MasterOf(main));
  object.info.bounds = BoundsOfSeries(object.times);
  object.info.spans = SpansOf(object.times, object.info.bounds);
  object.info.has_recurrence = std::any_of(
      object.times.components.begin(), object.times.components.end(),
      [](const ComponentTimes& times) { return times.recurs() || times.recurrence_id; });
  return object;
}

}  // namespace podkit::store::calendar
