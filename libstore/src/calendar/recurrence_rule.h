// A recurrence rule (RRULE, EXRULE), taken apart.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "calendar/component.h"
#include "calendar/values.h"

namespace podkit::store::calendar {

// Positions in a unit, counted from 1 at its start or from -1 at its end.
template <size_t kLargest>
class PositionSet {
 public:
  // False if there is no such position.
  bool Add(int position) {
    const int distance = position < 0 ? -position : position;
    if (distance == 0 || distance > static_cast<int>(kLargest)) return false;
    (position > 0 ? from_start_ : from_end_).set(static_cast<size_t>(distance));
    return true;
  }
  bool empty() const { return from_start_.none() && from_end_.none(); }
  // `position` from 1 in a unit that has `count` of them.
  bool Has(int position, int count) const {
    const auto from_start = static_cast<size_t>(position);
    const auto from_end = static_cast<size_t>(count) - from_start + 1;
    return from_start_.test(from_start) || from_end_.test(from_end);
  }

 private:
  std::bitset<kLargest + 1> from_start_;
  std::bitset<kLargest + 1> from_end_;
};

enum class Frequency { kSecondly, kMinutely, kHourly, kDaily, kWeekly, kMonthly, kYearly };

// Days of the week are counted from Monday, 0.
struct RecurrenceRule {
  Frequency frequency = Frequency::kDaily;
  int interval = 1;
  int count = 0;  // 0: not limited.
  std::optional<DateTime> until;

  // Empty: the rule does not have that part.
  std::vector<int> seconds;  // Sorted, distinct; so are minutes and hours.
  std::vector<int> minutes;
  std::vector<int> hours;
  std::bitset<7> weekdays;
  std::array<PositionSet<53>, 7> nth_weekdays;  // By day of the week: "2MO", "-1SU".
  PositionSet<31> month_days;
  PositionSet<366> year_days;
  PositionSet<53> weeks;
  std::bitset<13> months;
  std::vector<int> set_positions;
  int week_start = 0;

  bool has_weekdays() const;
  bool is_endless() const { return count == 0 && !until; }
};

// As libical reads it, and stricter: no UNTIL that is no date, no calendar but the Gregorian.
absl::StatusOr<RecurrenceRule> RecurrenceRuleOf(const Property& property);

}  // namespace podkit::store::calendar
