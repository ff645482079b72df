// Puts many calendar objects into one iCalendar stream.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace podkit::store {

// The components come out byte for byte, in the order in which their objects are added; each time
// zone once, before its first use: the first of that TZID. Other properties of the objects'
// VCALENDARs are left out.
class CalendarExport {
 public:
  CalendarExport();

  // kInvalidArgument with a CalendarDataError if `object` is no calendar text; nothing was added.
  absl::Status Add(std::string_view object);

  std::string Finish() &&;

 private:
  std::string stream_;
  std::set<std::string, std::less<>> zones_;
};

}  // namespace podkit::store
