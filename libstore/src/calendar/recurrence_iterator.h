// Walks through the times that a recurrence rule gives, in order.
//
// Unlike libical's iterator it can be stopped: every step is counted against a budget, and days
// that cannot match are skipped as a whole, so that neither FREQ=SECONDLY nor a rule that never
// matches costs more than the caller allows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "calendar/budget.h"
#include "calendar/recurrence_rule.h"
#include "calendar/values.h"

namespace podkit::store::calendar {

struct DayPosition;

class RecurrenceIterator {
 public:
  // `start`: DTSTART on the local clock; `until`: the last time allowed, on the same clock.
  // `budget` must outlive the iterator.
  RecurrenceIterator(RecurrenceRule rule, Civil start, bool all_day, Civil until, Budget* budget);

  // The next time; nothing at the end, or when the budget is exhausted.
  std::optional<Civil> Next();

  // Need not give times before `time` any more. Without effect if the rule has a COUNT.
  void SkipTo(Civil time);

 private:
  void FillInDefaults(bool all_day);
  int64_t PeriodOf(Civil time) const;
  // Makes the candidates of the period `next_period_` the current ones. False at the end of time.
  bool LoadPeriod();
  void LoadYear(int64_t year);
  void LoadMonth(int64_t month_index);
  void LoadDays(int64_t first_day, int count);
  void LoadClockPeriod();
  void AddMatchingDays(int64_t year, int month);
  bool DayMatches(int64_t day_number, const DayPosition& day) const;
  bool WeekdayMatches(const DayPosition& day) const;
  void StartPeriod();
  std::optional<Civil> NextCandidate();
  Civil Candidate(int64_t index) const;

  RecurrenceRule rule_;
  const Civil start_;
  const Civil until_;
  Budget* const budget_;
  Civil from_;        // Earlier times are passed over.
  int64_t base_ = 0;  // Where period 0 begins: a year, a month, a day or a second.
  int64_t step_ = 1;  // From one period to the next, in the same unit.
  int64_t next_period_ = 0;
  int64_t last_period_ = 0;
  int given_ = 0;
  bool done_ = false;

  // The candidates of the current period: every day with every time of day.
  std::vector<int64_t> days_;  // Since 1970-01-01.
  std::span<const int> hours_;
  std::span<const int> minutes_;
  std::span<const int> seconds_;
  std::array<int, 3> clock_ = {};     // What the spans show where the period fixes it.
  std::vector<int64_t> picked_;       // By BYSETPOS: indices of candidates.
  int64_t index_ = 0;                 // Of the next candidate, or within picked_.
  int64_t checked_day_ = INT64_MIN;   // The last one asked for one by one,
  bool checked_day_matches_ = false;  // and whether it matches.
};

}  // namespace podkit::store::calendar
