#include "calendar/instance_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "calendar/attach_text.h"
#include "calendar/budget.h"
#include "calendar/check_object.h"
#include "calendar/display_text.h"
#include "calendar/fold.h"
#include "calendar/occurrences.h"
#include "calendar/text_edits.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

constexpr std::string_view kRecurrence[] = {"RRULE", "RDATE", "EXDATE", "EXRULE"};

absl::Status NoSuchInstance(std::string_view instance) {
  return absl::NotFoundError(
      fmt::format("there is no instance '{}': give M for the series, or when an instance begins "
                  "as RECURRENCE-ID has it",
                  Excerpt(instance)));
}

// "20250131", "20250131T090000" or "20250131T090000Z".
std::string FormatDateTime(Civil civil, DateTime::Form form) {
  const absl::CivilSecond time = absl::CivilSecond(1970, 1, 1) + civil;
  std::string text = fmt::format("{:04}{:02}{:02}", time.year(), time.month(), time.day());
  if (form == DateTime::Form::kDate) return text;
  text += fmt::format("T{:02}{:02}{:02}", time.hour(), time.minute(), time.second());
  return form == DateTime::Form::kUtc ? text + 'Z' : text;
}

// A series and its times.
class Series {
 public:
  explicit Series(const CalendarText& text)
      : text_(text), zones_(definitions_.zones, absl::UTCTimeZone(), &budget_) {}

  // Reads the times of all components. To be called once.
  absl::Status Read() {
    ObjectParts parts;
    for (const Component& component : text_.calendars.front().children) {
      (component.name == "VTIMEZONE" ? parts.zones : parts.components).push_back(&component);
    }
    PODKIT_ASSIGN_OR_RETURN(CheckedObject checked, CheckObject(parts, CalendarSource::kImport));
    definitions_ = std::move(checked.times);
    return absl::OkStatus();
  }

  // The component of that name, or null.
  const Component* Find(std::string_view instance) const {
    for (const Component& component : InstanceComponents(text_)) {
      if (InstanceNameOf(component) == instance) return &component;
    }
    return nullptr;
  }

  // The component for the instance that was to begin then, or null.
  const Component* FindAt(Utc start) {
    for (const Component& component : InstanceComponents(text_)) {
      const Property* const property = FindProperty(component, "RECURRENCE-ID");
      if (property == nullptr) continue;
      const auto time = DateTimeOf(*property, property->value);
      if (time.ok() && zones_.ToUtc(*time) == start) return &component;
    }
    return nullptr;
  }

  // When the instance begins in UTC, in which floating times are read; nothing if that makes no
  // sense for the series.
  std::optional<Utc> StartOf(std::string_view instance) {
    auto wanted = ParseDateTime(instance);
    if (!wanted) return std::nullopt;
    const ComponentTimes* const master = MasterTimes();
    if (master == nullptr || !master->start) {
      // The others are told by their own RECURRENCE-ID only.
      if (wanted->form != DateTime::Form::kUtc) return std::nullopt;
      return wanted->civil;
    }
    const bool is_date = master->start->form == DateTime::Form::kDate;
    if (is_date != (wanted->form == DateTime::Form::kDate)) return std::nullopt;
    if (wanted->form == DateTime::Form::kFloating) {
      wanted->form = master->start->form;
      wanted->zone = master->start->zone;
    } else if (!is_date && zones_.IsFloating(*master->start)) {
      return std::nullopt;
    }
    return zones_.ToUtc(*wanted);
  }

  // What begins at `start` by the rules of the series.
  std::optional<Occurrence> OccurrenceAt(const ComponentTimes& master, Utc start) {
    std::optional<Occurrence> found;
    ForEachOccurrence(definitions_, start, start + 1, absl::UTCTimeZone(), &budget_,
                      [&](const Occurrence& occurrence) {
                        if (occurrence.component == &master && occurrence.start == start) {
                          found = occurrence;
                        }
                        return !found.has_value();
                      });
    return found;
  }

  const ComponentTimes* MasterTimes() const {
    const auto& all = definitions_.components;
    const auto master = std::find_if(all.begin(), all.end(),
                                     [](const auto& times) { return !times.recurrence_id; });
    return master == all.end() || !master->recurs() ? nullptr : &*master;
  }

  // The instant on the clock of `time`.
  std::string Local(const DateTime& time, Utc utc) {
    return FormatDateTime(zones_.Of(time).ToCivil(utc), time.form);
  }

 private:
  const CalendarText& text_;
  SeriesTimes definitions_;
  Budget budget_;
  Zones zones_;
};

const Component* MasterOf(const CalendarText& text) {
  for (const Component& component : InstanceComponents(text)) {
    if (InstanceNameOf(component) == kSeriesInstance) return &component;
  }
  return nullptr;
}

std::string LineWithValue(std::string_view name, const Property& like, std::string_view value,
                          std::string_view line_end) {
  std::string line(name);
  if (!like.parameters.empty()) line += ';';
  line += like.parameters;
  line += ':';
  line += value;
  return FoldedLine(line, line_end);
}

// The component of the series as the one of its instance.
std::string InstanceOf(std::string_view text, const Component& master, const ComponentTimes& times,
                       const Occurrence& occurrence, const std::string& instance, Series* series) {
  const size_t first = master.begin->begin;
  const std::string_view raw = text.substr(first, master.end->end - first);
  const std::string_view line_end =
      LineEndOf(text.substr(first, master.begin->end - master.begin->begin));
  TextEdits edits;
  bool is_named = false;
  for (const Property& property : master.properties) {
    const auto is = [&](std::string_view name) { return EqualsIgnoreCase(property.name, name); };
    std::string line;
    if (is("DTSTART")) {
      line = LineWithValue(property.name, property, instance, line_end);
      if (!std::exchange(is_named, true)) {
        line += LineWithValue("RECURRENCE-ID", property, instance, line_end);
      }
    } else if ((is("DTEND") || is("DUE")) && times.end && occurrence.end) {
      line = LineWithValue(property.name, property, series->Local(*times.end, *occurrence.end),
                           line_end);
    } else if (std::none_of(std::begin(kRecurrence), std::end(kRecurrence), is)) {
      continue;
    }
    edits.Replace(property.line->begin - first, property.line->end - first, std::move(line));
  }
  return std::move(edits).Apply(raw);
}

}  // namespace

std::vector<std::reference_wrapper<const Component>> InstanceComponents(const CalendarText& text) {
  std::vector<std::reference_wrapper<const Component>> components;
  std::vector<std::reference_wrapper<const Component>> experimental;
  for (const Component& component : text.calendars.front().children) {
    if (component.name == "VTIMEZONE") continue;
    (IsExperimental(component) ? experimental : components).emplace_back(component);
  }
  return components.empty() ? experimental : components;
}

std::string InstanceNameOf(const Component& component) {
  const Property* const recurrence_id = FindProperty(component, "RECURRENCE-ID");
  return std::string(recurrence_id == nullptr ? kSeriesInstance : recurrence_id->value);
}

absl::StatusOr<SetApart> SetInstanceApart(std::string_view text, std::string_view instance) {
  PODKIT_ASSIGN_OR_RETURN(const CalendarText parsed,
                          ParseCalendarText(text, LooseLines::kRefuse, {}));
  Series series(parsed);
  PODKIT_RETURN_IF_ERROR(series.Read());
  if (const Component* const found = series.Find(instance)) {
    return SetApart{.text = std::string(text), .instance = InstanceNameOf(*found)};
  }
  const auto start = series.StartOf(instance);
  if (!start) return NoSuchInstance(instance);
  if (const Component* const found = series.FindAt(*start)) {
    return SetApart{.text = std::string(text), .instance = InstanceNameOf(*found)};
  }
  const Component* const master = MasterOf(parsed);
  const ComponentTimes* const times = series.MasterTimes();
  if (master == nullptr || times == nullptr || !times->start) return NoSuchInstance(instance);
  const auto occurrence = series.OccurrenceAt(*times, *start);
  if (!occurrence) return NoSuchInstance(instance);
  SetApart apart{.instance = series.Local(*times->start, *start)};
  TextEdits edits;
  edits.Insert(master->end->end,
               InstanceOf(text, *master, *times, *occurrence, apart.instance, &series));
  apart.text = std::move(edits).Apply(text);
  return apart;
}

}  // namespace podkit::store::calendar
