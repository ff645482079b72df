// How a refused calendar text tells its line and its reason.
#include <fmt/format.h>

#include <string>

#include "absl/strings/cord.h"
#include "common/text.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store {
namespace {

constexpr char kLinePayload[] = "podkit.store/CalendarDataError.line";

std::string Prefix(int line) { return line > 0 ? fmt::format("line {}: ", line) : ""; }

}  // namespace

absl::Status MakeCalendarDataError(int line, std::string_view reason) {
  absl::Status status = absl::InvalidArgumentError(fmt::format("{}{}", Prefix(line), reason));
  status.SetPayload(kLinePayload, absl::Cord(std::to_string(line)));
  return status;
}

std::optional<CalendarDataError> GetCalendarDataError(const absl::Status& status) {
  const auto payload = status.GetPayload(kLinePayload);
  if (!payload) return std::nullopt;
  const int line = ParseNumber<int>(std::string(*payload)).value_or(0);
  return CalendarDataError{line, std::string(status.message()).substr(Prefix(line).size())};
}

}  // namespace podkit::store
