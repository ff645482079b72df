#include "calendar/busy_text.h"

#include <algorithm>
#include <vector>

#include "calendar/check_object.h"
#include "calendar/component.h"
#include "calendar/component_times.h"
#include "calendar/fold.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

constexpr std::string_view kParameters[] = {"TZID", "VALUE", "RANGE", "FBTYPE"};
constexpr std::string_view kTimes[] = {"DTSTART", "DTEND",  "DURATION", "RRULE",
                                       "RDATE",   "EXDATE", "EXRULE",   "RECURRENCE-ID"};
constexpr std::string_view kFreeBusyTimes[] = {"DTSTART", "DTEND", "FREEBUSY"};
constexpr std::string_view kZoneProperties[] = {"TZID",  "DTSTART",    "RRULE",
                                                "RDATE", "TZOFFSETTO", "TZOFFSETFROM"};

template <typename Names>
bool IsOneOf(std::string_view name, const Names& names) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view one) { return EqualsIgnoreCase(name, one); });
}

class BusyWriter {
 public:
  explicit BusyWriter(std::string_view uid) : uid_(uid) {
    for (const std::string_view line :
         {"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Podkit//Busy//EN"}) {
      Line(line);
    }
  }

  void Zone(const Component& zone) {
    Line("BEGIN:" + zone.name);
    for (const Property& property : zone.properties) {
      if (IsOneOf(property.name, kZoneProperties)) Copy(property.name, property);
    }
    for (const Component& part : zone.children) {
      if (part.name == "STANDARD" || part.name == "DAYLIGHT") Zone(part);
    }
    Line("END:" + zone.name);
  }

  // `freed` are the RECURRENCE-IDs of instances that take no time.
  void Event(const Component& event, const std::vector<const Property*>& freed) {
    Begin("VEVENT");
    for (const Property& property : event.properties) {
      if (IsOneOf(property.name, kTimes)) Copy(property.name, property);
    }
    for (const Property* recurrence_id : freed) Copy("EXDATE", *recurrence_id);
    if (BusyKindOf(event) == BusyKind::kTentative) Line("STATUS:TENTATIVE");
    Line("SUMMARY:Busy");
    Line("CLASS:PRIVATE");
    Line("END:VEVENT");
  }

  void FreeBusy(const Component& free_busy) {
    Begin("VFREEBUSY");
    for (const Property& property : free_busy.properties) {
      if (IsOneOf(property.name, kFreeBusyTimes)) Copy(property.name, property);
    }
    Line("END:VFREEBUSY");
  }

  bool empty() const { return !begun_; }

  std::string Finish() && {
    Line("END:VCALENDAR");
    return std::move(text_);
  }

 private:
  void Begin(std::string_view name) {
    begun_ = true;
    Line("BEGIN:" + std::string(name));
    Line("UID:" + std::string(uid_));
    Line("DTSTAMP:19700101T000000Z");  // When it was made is nobody's business.
  }

  void Copy(std::string_view name, const Property& property) {
    std::string line(name);
    for (const std::string_view parameter : kParameters) {
      const auto value = FindParameter(property, parameter);
      if (!value || (name == "EXDATE" && parameter == "RANGE")) continue;
      const bool quoted = value->find_first_of(":;,") != std::string_view::npos;
      line += ';';
      line += parameter;
      line += quoted ? "=\"" : "=";
      line += *value;
      if (quoted) line += '"';
    }
    line += ':';
    line += property.value;
    Line(line);
  }

  void Line(std::string_view line) { text_ += FoldedLine(line, "\r\n"); }

  const std::string_view uid_;
  std::string text_;
  bool begun_ = false;
};

// The RECURRENCE-IDs of the events that override an instance and take no time.
std::vector<const Property*> FreedInstances(const Component& calendar) {
  std::vector<const Property*> freed;
  for (const Component& component : calendar.children) {
    if (component.name != "VEVENT" || BusyKindOf(component)) continue;
    const Property* const recurrence_id = FindProperty(component, "RECURRENCE-ID");
    if (recurrence_id != nullptr) freed.push_back(recurrence_id);
  }
  return freed;
}

}  // namespace

std::optional<std::string> BusyText(std::string_view text, std::string_view uid) {
  const auto parsed = ParseCalendarText(text, LooseLines::kRefuse, {});
  if (!parsed.ok() || parsed->calendars.empty()) return std::nullopt;
  const Component& calendar = parsed->calendars.front();
  BusyWriter writer(uid);
  for (const Component& component : calendar.children) {
    if (component.name == "VTIMEZONE") writer.Zone(component);
  }
  const std::vector<const Property*> freed = FreedInstances(calendar);
  for (const Component& component : calendar.children) {
    if (component.name == "VFREEBUSY") writer.FreeBusy(component);
    if (component.name != "VEVENT" || !BusyKindOf(component)) continue;
    const bool is_master = FindProperty(component, "RECURRENCE-ID") == nullptr;
    writer.Event(component, is_master ? freed : std::vector<const Property*>());
  }
  if (writer.empty()) return std::nullopt;
  return std::move(writer).Finish();
}

}  // namespace podkit::store::calendar
