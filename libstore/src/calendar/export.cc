#include "calendar/export.h"

#include <utility>

#include "calendar/component.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store {
namespace {

// Lines that end in CR alone can be read only where all lines do, so they cannot stay as they are
// beside others.
std::string WithLineFeeds(std::string_view text) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '\r') result += '\n';
  }
  return result;
}

bool HasBareReturns(std::string_view text) {
  return text.find('\n') == std::string_view::npos && text.find('\r') != std::string_view::npos;
}

}  // namespace

CalendarExport::CalendarExport()
    : stream_("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Podkit//Export//EN\r\n") {}

absl::Status CalendarExport::Add(std::string_view object) {
  if (HasBareReturns(object)) return Add(WithLineFeeds(object));
  PODKIT_ASSIGN_OR_RETURN(const auto text,
                          calendar::ParseCalendarText(object, calendar::LooseLines::kRefuse, {}));
  for (const calendar::Component& calendar : text.calendars) {
    for (const calendar::Component& component : calendar.children) {
      const calendar::Property* const zone =
          component.name == "VTIMEZONE" ? calendar::FindProperty(component, "TZID") : nullptr;
      if (zone != nullptr && !zones_.emplace(zone->value).second) continue;
      stream_ += object.substr(component.begin->begin, component.end->end - component.begin->begin);
    }
  }
  return absl::OkStatus();
}

std::string CalendarExport::Finish() && {
  stream_ += "END:VCALENDAR\r\n";
  return std::move(stream_);
}

}  // namespace podkit::store
