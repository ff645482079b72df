// What is left of a calendar object for somebody who may know only that time is taken.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podkit::store::calendar {

// The object under the UID `uid`, with when its instances are and whether they are tentative;
// nothing else of `text` is in it. Nothing if the object takes no time: transparent and cancelled
// instances are left out. Valid as a client's object.
std::optional<std::string> BusyText(std::string_view text, std::string_view uid);

}  // namespace podkit::store::calendar
