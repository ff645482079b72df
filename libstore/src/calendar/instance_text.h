// The components of an object that instances are made of, and how an instance of a series gets one
// of its own.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "calendar/component.h"

namespace podkit::store::calendar {

// Events, to-dos and so on of the one VCALENDAR, in the order of the text. Lives as long as `text`.
std::vector<std::reference_wrapper<const Component>> InstanceComponents(const CalendarText& text);

// "M" for that of the series, else the RECURRENCE-ID as it is written.
std::string InstanceNameOf(const Component& component);

struct SetApart {
  std::string text;
  std::string instance;  // What InstanceNameOf says of the component.
};

// The text with a component for `instance`, which is "M" or a RECURRENCE-ID: as it is written, or
// in UTC. The same text if it has one; else one more component, made of that of the series: without
// its recurrence, with a RECURRENCE-ID and with the times of the instance. kNotFound if the series
// has no such instance, or none that can be found within a bounded number of steps.
absl::StatusOr<SetApart> SetInstanceApart(std::string_view text, std::string_view instance);

}  // namespace podkit::store::calendar
