#include "calendar/component_times.h"

#include <utility>

#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

// FBTYPE: what is not known counts as busy (RFC 5545 section 3.2.9).
std::optional<BusyKind> FreeBusyTypeOf(const Property& property) {
  const std::string_view type = FindParameter(property, "FBTYPE").value_or("BUSY");
  if (EqualsIgnoreCase(type, "FREE")) return std::nullopt;
  if (EqualsIgnoreCase(type, "BUSY-TENTATIVE")) return BusyKind::kTentative;
  if (EqualsIgnoreCase(type, "BUSY-UNAVAILABLE")) return BusyKind::kUnavailable;
  return BusyKind::kBusy;
}

class Reader {
 public:
  explicit Reader(const Component& component) : component_(component) {}

  absl::StatusOr<ComponentTimes> Read() {
    times_.kind = KindOf(component_.name);
    if (times_.kind == ComponentKind::kOther) return std::move(times_);
    times_.busy_kind = BusyKindOf(component_);
    const bool is_todo = times_.kind == ComponentKind::kTodo;
    PODKIT_RETURN_IF_ERROR(ReadTime("DTSTART", &times_.start));
    if (times_.kind != ComponentKind::kJournal) {
      PODKIT_RETURN_IF_ERROR(ReadTime(is_todo ? "DUE" : "DTEND", &times_.end));
      PODKIT_RETURN_IF_ERROR(ReadDuration());
    }
    PODKIT_RETURN_IF_ERROR(ReadTime("RECURRENCE-ID", &times_.recurrence_id));
    if (is_todo) {
      PODKIT_RETURN_IF_ERROR(ReadTime("COMPLETED", &times_.completed));
      PODKIT_RETURN_IF_ERROR(ReadTime("CREATED", &times_.created));
    }
    for (const Property& property : component_.properties) {
      PODKIT_RETURN_IF_ERROR(ReadRecurrence(property));
    }
    return std::move(times_);
  }

 private:
  absl::Status ReadTime(std::string_view name, std::optional<DateTime>* time) {
    PODKIT_ASSIGN_OR_RETURN(const Property* property, OnlyProperty(component_, name));
    if (property == nullptr) return absl::OkStatus();
    PODKIT_ASSIGN_OR_RETURN(*time, DateTimeOf(*property, property->value));
    return absl::OkStatus();
  }

  absl::Status ReadDuration() {
    PODKIT_ASSIGN_OR_RETURN(const Property* property, OnlyProperty(component_, "DURATION"));
    if (property == nullptr) return absl::OkStatus();
    PODKIT_ASSIGN_OR_RETURN(times_.duration, DurationOf(*property));
    return absl::OkStatus();
  }

  absl::Status ReadRecurrence(const Property& property) {
    const auto is = [&](std::string_view name) { return EqualsIgnoreCase(property.name, name); };
    if (is("RRULE")) return ReadRule(property, &times_.rules);
    if (is("EXRULE")) return ReadRule(property, &times_.excluded_rules);
    if (is("RECURRENCE-ID")) times_.this_and_future |= FindParameter(property, "RANGE").has_value();
    if (property.value.empty()) return absl::OkStatus();  // A list may be empty.
    if (is("EXDATE")) return ReadTimes(property, &times_.excluded);
    if (is("FREEBUSY")) {
      PODKIT_RETURN_IF_ERROR(ReadPeriods(property, &times_.busy));
      times_.busy_kinds.resize(times_.busy.size(), FreeBusyTypeOf(property));
      return absl::OkStatus();
    }
    if (!is("RDATE")) return absl::OkStatus();
    return property.value.find('/') == std::string_view::npos
               ? ReadTimes(property, &times_.added)
               : ReadPeriods(property, &times_.added_periods);
  }

  static absl::Status ReadRule(const Property& property, std::vector<RecurrenceRule>* rules) {
    PODKIT_ASSIGN_OR_RETURN(RecurrenceRule rule, RecurrenceRuleOf(property));
    rules->push_back(std::move(rule));
    return absl::OkStatus();
  }

  static absl::Status ReadTimes(const Property& property, std::vector<DateTime>* times) {
    for (const std::string_view value : SplitText(property.value, ',')) {
      PODKIT_ASSIGN_OR_RETURN(DateTime time, DateTimeOf(property, value));
      times->push_back(std::move(time));
    }
    return absl::OkStatus();
  }

  static absl::Status ReadPeriods(const Property& property, std::vector<Period>* periods) {
    for (const std::string_view value : SplitText(property.value, ',')) {
      PODKIT_ASSIGN_OR_RETURN(Period period, PeriodOf(property, value));
      periods->push_back(std::move(period));
    }
    return absl::OkStatus();
  }

  const Component& component_;
  ComponentTimes times_;
};

}  // namespace

ComponentKind KindOf(std::string_view component) {
  if (component == "VEVENT") return ComponentKind::kEvent;
  if (component == "VTODO") return ComponentKind::kTodo;
  if (component == "VJOURNAL") return ComponentKind::kJournal;
  if (component == "VFREEBUSY") return ComponentKind::kFreeBusy;
  return ComponentKind::kOther;
}

std::optional<BusyKind> BusyKindOf(const Component& component) {
  if (KindOf(component.name) != ComponentKind::kEvent) return std::nullopt;
  const Property* const transparency = FindProperty(component, "TRANSP");
  if (transparency != nullptr && EqualsIgnoreCase(transparency->value, "TRANSPARENT")) {
    return std::nullopt;
  }
  const Property* const status = FindProperty(component, "STATUS");
  if (status == nullptr) return BusyKind::kBusy;
  if (EqualsIgnoreCase(status->value, "CANCELLED")) return std::nullopt;
  return EqualsIgnoreCase(status->value, "TENTATIVE") ? BusyKind::kTentative : BusyKind::kBusy;
}

absl::StatusOr<ComponentTimes> ComponentTimesOf(const Component& component) {
  return Reader(component).Read();
}

}  // namespace podkit::store::calendar
