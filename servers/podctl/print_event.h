// An event, a to-do or a journal entry for people to read.
#pragma once

#include <string>
#include <string_view>

namespace podkit::podctl {

// One block of lines for the object and one for each changed instance, times as they are stored. A
// text that cannot be read says so and is shown as it is.
std::string DescribeEvent(std::string_view text);

}  // namespace podkit::podctl
