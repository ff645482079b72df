#include "servers/podctl/print_event.h"

#include <fmt/format.h>
#include <libical/ical.h>

#include <memory>
#include <vector>

#include "common/text.h"
#include "servers/podctl/table.h"

namespace podkit::podctl {
namespace {

struct FreeIcal {
  void operator()(icalcomponent* component) const { icalcomponent_free(component); }
  void operator()(char* text) const { icalmemory_free_buffer(text); }
};
using ComponentPtr = std::unique_ptr<icalcomponent, FreeIcal>;
using TextPtr = std::unique_ptr<char, FreeIcal>;

std::string Line(std::string_view label, std::string_view value) {
  return fmt::format("{:<13}{}\n", fmt::format("{}:", label), Printable(value));
}

std::string ValueText(icalproperty* property) {
  const icalvalue* const value = icalproperty_get_value(property);
  if (value == nullptr) return "";
  if (icalvalue_isa(value) == ICAL_TEXT_VALUE) {
    const char* const text = icalvalue_get_text(value);
    return text == nullptr ? "" : text;
  }
  const TextPtr text(icalvalue_as_ical_string_r(value));
  return text ? text.get() : "";
}

// "2026-01-31 09:00 Europe/Berlin", without the time for a whole day.
std::string TimeText(icalproperty* property) {
  const icalvalue* const value = icalproperty_get_value(property);
  const bool is_time = value != nullptr && (icalvalue_isa(value) == ICAL_DATETIME_VALUE ||
                                            icalvalue_isa(value) == ICAL_DATE_VALUE);
  if (!is_time) return ValueText(property);
  const icaltimetype time = icalvalue_get_datetime(value);
  std::string text = fmt::format("{:04}-{:02}-{:02}", time.year, time.month, time.day);
  if (time.is_date) return text;
  text += fmt::format(" {:02}:{:02}", time.hour, time.minute);
  if (time.second != 0) text += fmt::format(":{:02}", time.second);
  if (icaltime_is_utc(time)) return text + " UTC";
  icalparameter* const zone = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER);
  return zone == nullptr ? text : fmt::format("{} {}", text, icalparameter_get_tzid(zone));
}

// "Anna Berg <mailto:anna@example.org>, accepted".
std::string PersonText(icalproperty* property) {
  std::string text = ValueText(property);
  if (icalparameter* name = icalproperty_get_first_parameter(property, ICAL_CN_PARAMETER)) {
    text = fmt::format("{} <{}>", icalparameter_get_cn(name), text);
  }
  if (icalparameter* state = icalproperty_get_first_parameter(property, ICAL_PARTSTAT_PARAMETER)) {
    const char* const value = icalparameter_enum_to_string(icalparameter_get_partstat(state));
    std::string word = value == nullptr ? "" : value;
    for (char& c : word) c = AsciiLower(c);
    if (!word.empty()) text += ", " + word;
  }
  return text;
}

struct Row {
  icalproperty_kind kind;
  std::string_view label;
  std::string (*text)(icalproperty*);
};

constexpr Row kRows[] = {
    {ICAL_RECURRENCEID_PROPERTY, "Instance of", TimeText},
    {ICAL_SUMMARY_PROPERTY, "Summary", ValueText},
    {ICAL_DTSTART_PROPERTY, "Starts", TimeText},
    {ICAL_DTEND_PROPERTY, "Ends", TimeText},
    {ICAL_DUE_PROPERTY, "Due", TimeText},
    {ICAL_DURATION_PROPERTY, "Lasts", ValueText},
    {ICAL_COMPLETED_PROPERTY, "Completed", TimeText},
    {ICAL_RRULE_PROPERTY, "Repeats", ValueText},
    {ICAL_RDATE_PROPERTY, "Also on", TimeText},
    {ICAL_EXDATE_PROPERTY, "Not on", TimeText},
    {ICAL_LOCATION_PROPERTY, "Where", ValueText},
    {ICAL_STATUS_PROPERTY, "Status", ValueText},
    {ICAL_ORGANIZER_PROPERTY, "Organizer", PersonText},
    {ICAL_ATTENDEE_PROPERTY, "Attendee", PersonText},
    {ICAL_CATEGORIES_PROPERTY, "Categories", ValueText},
    {ICAL_URL_PROPERTY, "URL", ValueText},
    {ICAL_DESCRIPTION_PROPERTY, "Description", ValueText},
    {ICAL_UID_PROPERTY, "UID", ValueText},
};

std::string Describe(icalcomponent* component) {
  std::string text = Line("Type", icalcomponent_kind_to_string(icalcomponent_isa(component)));
  for (const Row& row : kRows) {
    for (icalproperty* property = icalcomponent_get_first_property(component, row.kind);
         property != nullptr; property = icalcomponent_get_next_property(component, row.kind)) {
      text += Line(row.label, row.text(property));
    }
  }
  const int alarms = icalcomponent_count_components(component, ICAL_VALARM_COMPONENT);
  if (alarms > 0) text += Line("Alarms", fmt::format("{}", alarms));
  return text;
}

// The events, to-dos and journal entries in `root`, which may be one itself.
std::vector<icalcomponent*> Objects(icalcomponent* root) {
  if (icalcomponent_isa(root) != ICAL_VCALENDAR_COMPONENT) return {root};
  std::vector<icalcomponent*> objects;
  for (const auto kind : {ICAL_VEVENT_COMPONENT, ICAL_VTODO_COMPONENT, ICAL_VJOURNAL_COMPONENT,
                          ICAL_VFREEBUSY_COMPONENT}) {
    for (icalcomponent* component = icalcomponent_get_first_component(root, kind);
         component != nullptr; component = icalcomponent_get_next_component(root, kind)) {
      objects.push_back(component);
    }
  }
  return objects;
}

}  // namespace

std::string DescribeEvent(std::string_view text) {
  const ComponentPtr root(icalparser_parse_string(std::string(text).c_str()));
  const auto objects = root ? Objects(root.get()) : std::vector<icalcomponent*>();
  if (objects.empty())
    return "This cannot be read as an event; the stored text:\n" + std::string(text);
  std::string description;
  for (icalcomponent* const object : objects) {
    if (!description.empty()) description += '\n';
    description += Describe(object);
  }
  return description;
}

}  // namespace podkit::podctl
