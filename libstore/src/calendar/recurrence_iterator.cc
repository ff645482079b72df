#include "calendar/recurrence_iterator.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/time/civil_time.h"

namespace podkit::store::calendar {

// Where a day stands in its month, its year and its week.
struct DayPosition {
  int64_t year;
  int month;
  int month_day;
  int month_length;
  int year_day;
  int year_length;
  int weekday;  // From Monday, 0.
};

namespace {

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int64_t FloorModulo(int64_t a, int64_t b) { return a - FloorDivide(a, b) * b; }

int64_t DayNumber(absl::CivilDay day) { return day - absl::CivilDay(); }
absl::CivilDay DayOf(int64_t day_number) { return absl::CivilDay() + day_number; }

int WeekdayOf(int64_t day_number) { return static_cast<int>(FloorModulo(day_number + 3, 7)); }

bool IsLeapYear(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int YearLength(int64_t year) { return IsLeapYear(year) ? 366 : 365; }

int MonthLength(int64_t year, int month) {
  constexpr std::array<int, 12> kLengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kLengths[static_cast<size_t>(month - 1)];
}

DayPosition PositionOf(int64_t day_number) {
  const absl::CivilDay day = DayOf(day_number);
  return {.year = day.year(),
          .month = day.month(),
          .month_day = day.day(),
          .month_length = MonthLength(day.year(), day.month()),
          .year_day = absl::GetYearDay(day),
          .year_length = YearLength(day.year()),
          .weekday = WeekdayOf(day_number)};
}

// The first day of the first week of a year: the week that has January 4.
int64_t FirstWeek(int64_t year, int week_start) {
  const int64_t day = DayNumber(absl::CivilDay(year, 1, 4));
  return day - FloorModulo(WeekdayOf(day) - week_start, 7);
}

// The year that the week of `day` belongs to.
int64_t WeekYear(int64_t day, int week_start) {
  const int64_t year = DayOf(day).year();
  if (day < FirstWeek(year, week_start)) return year - 1;
  return day < FirstWeek(year + 1, week_start) ? year : year + 1;
}

int64_t MonthIndex(Civil time) {
  const absl::CivilDay day = DayOf(FloorDivide(time, kDaySeconds));
  return day.year() * 12 + day.month() - 1;
}

bool HasTime(const std::vector<int>& times, int64_t time) {
  return times.empty() || std::binary_search(times.begin(), times.end(), static_cast<int>(time));
}

// Seconds from one value of a clock-like frequency to the next.
int64_t UnitSeconds(Frequency frequency) {
  switch (frequency) {
    case Frequency::kSecondly:
      return 1;
    case Frequency::kMinutely:
      return 60;
    case Frequency::kHourly:
      return 3600;
    default:
      return kDaySeconds;
  }
}

}  // namespace

RecurrenceIterator::RecurrenceIterator(RecurrenceRule rule, Civil start, bool all_day, Civil until,
                                       Budget* budget)
    : rule_(std::move(rule)),
      start_(start),
      until_(std::min(until, kLastCivil)),
      budget_(budget),
      from_(start) {
  FillInDefaults(all_day);
  const int64_t day = FloorDivide(start_, kDaySeconds);
  step_ = rule_.interval;
  switch (rule_.frequency) {
    case Frequency::kYearly:
      base_ = rule_.weeks.empty() ? DayOf(day).year() : WeekYear(day, rule_.week_start);
      break;
    case Frequency::kMonthly:
      base_ = MonthIndex(start_);
      break;
    case Frequency::kWeekly:
      base_ = day - FloorModulo(WeekdayOf(day) - rule_.week_start, 7);
      step_ *= 7;
      break;
    case Frequency::kDaily:
      base_ = day;
      break;
    default:
      base_ = start_ - FloorModulo(start_, UnitSeconds(rule_.frequency));
      step_ *= UnitSeconds(rule_.frequency);
  }
  last_period_ = PeriodOf(until_) + 1;  // A week may belong to the year after.
}

// What the rule does not say, DTSTART does.
void RecurrenceIterator::FillInDefaults(bool all_day) {
  if (all_day) {
    // Parts about the time of day must be ignored then (RFC 5545 section 3.3.10).
    rule_.frequency = std::max(rule_.frequency, Frequency::kDaily);
    rule_.hours = rule_.minutes = rule_.seconds = {0};
  }
  const int64_t clock = FloorModulo(start_, kDaySeconds);
  const auto fill = [](std::vector<int>* times, int64_t value) {
    if (times->empty()) times->push_back(static_cast<int>(value));
  };
  if (rule_.frequency >= Frequency::kDaily) fill(&rule_.hours, clock / 3600);
  if (rule_.frequency >= Frequency::kHourly) fill(&rule_.minutes, clock / 60 % 60);
  if (rule_.frequency >= Frequency::kMinutely) fill(&rule_.seconds, clock % 60);
  if (!rule_.seconds.empty() && rule_.seconds.back() == 60) rule_.seconds.back() = 59;

  if (rule_.has_weekdays() || !rule_.month_days.empty() || !rule_.year_days.empty()) return;
  const DayPosition day = PositionOf(FloorDivide(start_, kDaySeconds));
  const bool yearly = rule_.frequency == Frequency::kYearly;
  if (rule_.frequency == Frequency::kWeekly || (yearly && !rule_.weeks.empty())) {
    rule_.weekdays.set(static_cast<size_t>(day.weekday));
  } else if (rule_.frequency >= Frequency::kMonthly) {
    rule_.month_days.Add(day.month_day);
    if (yearly && rule_.months.none()) rule_.months.set(static_cast<size_t>(day.month));
  }
}

void RecurrenceIterator::SkipTo(Civil time) {
  if (rule_.count > 0 || time <= from_) return;
  from_ = std::min(time, kLastCivil);
  // One period early: a week may begin in the year before.
  next_period_ = std::max(next_period_, PeriodOf(from_) - 1);
}

int64_t RecurrenceIterator::PeriodOf(Civil time) const {
  switch (rule_.frequency) {
    case Frequency::kYearly:
      return FloorDivide(DayOf(FloorDivide(time, kDaySeconds)).year() - base_, step_);
    case Frequency::kMonthly:
      return FloorDivide(MonthIndex(time) - base_, step_);
    case Frequency::kWeekly:
    case Frequency::kDaily:
      return FloorDivide(FloorDivide(time, kDaySeconds) - base_, step_);
    default:
      return FloorDivide(time - base_, step_);
  }
}

std::optional<Civil> RecurrenceIterator::Next() {
  while (!done_) {
    const std::optional<Civil> candidate = NextCandidate();
    if (!candidate) {
      done_ = !LoadPeriod();
      continue;
    }
    if (!budget_->Spend(1) || *candidate > until_) break;
    if (*candidate < from_) continue;
    if (rule_.count > 0 && ++given_ == rule_.count) done_ = true;
    return candidate;
  }
  done_ = true;
  return std::nullopt;
}

Civil RecurrenceIterator::Candidate(int64_t index) const {
  const auto hours = static_cast<int64_t>(hours_.size());
  const auto minutes = static_cast<int64_t>(minutes_.size());
  const auto seconds = static_cast<int64_t>(seconds_.size());
  const int64_t day = index / (hours * minutes * seconds);
  const int64_t hour = index / (minutes * seconds) % hours;
  const int64_t minute = index / seconds % minutes;
  const Civil clock = hours_[static_cast<size_t>(hour)] * int64_t{3600} +
                      minutes_[static_cast<size_t>(minute)] * int64_t{60} +
                      seconds_[static_cast<size_t>(index % seconds)];
  return days_[static_cast<size_t>(day)] * kDaySeconds + clock;
}

std::optional<Civil> RecurrenceIterator::NextCandidate() {
  const auto per_day = static_cast<int64_t>(hours_.size() * minutes_.size() * seconds_.size());
  const auto count = static_cast<int64_t>(days_.size()) * per_day;
  if (!rule_.set_positions.empty()) {
    if (index_ == static_cast<int64_t>(picked_.size())) return std::nullopt;
    return Candidate(picked_[static_cast<size_t>(index_++)]);
  }
  if (index_ == count) return std::nullopt;
  return Candidate(index_++);
}

bool RecurrenceIterator::LoadPeriod() {
  if (next_period_ > last_period_) return false;
  days_.clear();
  hours_ = rule_.hours;
  minutes_ = rule_.minutes;
  seconds_ = rule_.seconds;
  const int64_t position = base_ + next_period_ * step_;
  switch (rule_.frequency) {
    case Frequency::kYearly:
      LoadYear(position);
      break;
    case Frequency::kMonthly:
      LoadMonth(position);
      break;
    case Frequency::kWeekly:
      LoadDays(position, 7);
      break;
    case Frequency::kDaily:
      LoadDays(position, 1);
      break;
    default:
      LoadClockPeriod();
  }
  ++next_period_;
  StartPeriod();
  return budget_->Spend(1);
}

void RecurrenceIterator::StartPeriod() {
  index_ = 0;
  const auto per_day = static_cast<int64_t>(hours_.size() * minutes_.size() * seconds_.size());
  const auto count = static_cast<int64_t>(days_.size()) * per_day;
  if (rule_.set_positions.empty()) {
    const auto first =
        std::lower_bound(days_.begin(), days_.end(), FloorDivide(from_, kDaySeconds));
    index_ = (first - days_.begin()) * per_day;
    return;
  }
  picked_.clear();
  for (const int position : rule_.set_positions) {
    const int64_t index = position > 0 ? position - 1 : count + position;
    if (index >= 0 && index < count) picked_.push_back(index);
  }
  std::sort(picked_.begin(), picked_.end());
  picked_.erase(std::unique(picked_.begin(), picked_.end()), picked_.end());
  budget_->Spend(static_cast<int64_t>(rule_.set_positions.size()));
}

void RecurrenceIterator::LoadYear(int64_t year) {
  if (!rule_.weeks.empty()) {
    const int64_t first = FirstWeek(year, rule_.week_start);
    LoadDays(first, static_cast<int>(FirstWeek(year + 1, rule_.week_start) - first));
    return;
  }
  for (int month = 1; month <= 12; ++month) AddMatchingDays(year, month);
}

void RecurrenceIterator::LoadMonth(int64_t month_index) {
  AddMatchingDays(FloorDivide(month_index, 12), static_cast<int>(FloorModulo(month_index, 12)) + 1);
}

void RecurrenceIterator::LoadDays(int64_t first_day, int count) {
  for (int64_t day = first_day; day < first_day + count; ++day) {
    if (DayMatches(day, PositionOf(day))) days_.push_back(day);
  }
  budget_->Spend(count);
}

// A period shorter than a day. If it cannot match, moves on to the first one that may.
void RecurrenceIterator::LoadClockPeriod() {
  const Civil position = base_ + next_period_ * step_;
  const int64_t day = FloorDivide(position, kDaySeconds);
  const int64_t clock = FloorModulo(position, kDaySeconds);
  const auto skip_to = [this](Civil time) {
    next_period_ = -FloorDivide(base_ - time, step_) - 1;  // The caller adds one.
  };
  if (day != checked_day_) {
    checked_day_ = day;
    checked_day_matches_ = DayMatches(day, PositionOf(day));
  }
  if (!checked_day_matches_) return skip_to((day + 1) * kDaySeconds);
  if (!HasTime(rule_.hours, clock / 3600)) return skip_to(position - clock % 3600 + 3600);
  clock_ = {static_cast<int>(clock / 3600), static_cast<int>(clock / 60 % 60),
            static_cast<int>(clock % 60)};
  hours_ = std::span(clock_).subspan(0, 1);
  if (rule_.frequency <= Frequency::kMinutely) {
    if (!HasTime(rule_.minutes, clock_[1])) return skip_to(position - clock % 60 + 60);
    minutes_ = std::span(clock_).subspan(1, 1);
  }
  if (rule_.frequency == Frequency::kSecondly) {
    if (!HasTime(rule_.seconds, clock_[2])) return;
    seconds_ = std::span(clock_).subspan(2, 1);
  }
  days_.push_back(day);
}

void RecurrenceIterator::AddMatchingDays(int64_t year, int month) {
  budget_->Spend(1);
  if (rule_.months.any() && !rule_.months.test(static_cast<size_t>(month))) return;
  int64_t day_number = DayNumber(absl::CivilDay(year, month, 1));
  DayPosition day = PositionOf(day_number);
  for (; day.month_day <= day.month_length; ++day_number) {
    if (DayMatches(day_number, day)) days_.push_back(day_number);
    ++day.month_day;
    ++day.year_day;
    day.weekday = (day.weekday + 1) % 7;
  }
  budget_->Spend(day.month_length / 4);  // Cheaper than instances.
}

bool RecurrenceIterator::DayMatches(int64_t day_number, const DayPosition& day) const {
  if (rule_.months.any() && !rule_.months.test(static_cast<size_t>(day.month))) return false;
  if (!rule_.month_days.empty() && !rule_.month_days.Has(day.month_day, day.month_length)) {
    return false;
  }
  if (!rule_.year_days.empty() && !rule_.year_days.Has(day.year_day, day.year_length)) return false;
  if (!rule_.weeks.empty()) {
    const int64_t year = WeekYear(day_number, rule_.week_start);
    const int64_t first = FirstWeek(year, rule_.week_start);
    const int64_t next = FirstWeek(year + 1, rule_.week_start);
    if (!rule_.weeks.Has(static_cast<int>((day_number - first) / 7) + 1,
                         static_cast<int>((next - first) / 7))) {
      return false;
    }
  }
  return !rule_.has_weekdays() || WeekdayMatches(day);
}

bool RecurrenceIterator::WeekdayMatches(const DayPosition& day) const {
  const auto weekday = static_cast<size_t>(day.weekday);
  const PositionSet<53>& nth = rule_.nth_weekdays[weekday];
  if (rule_.weekdays.test(weekday)) return true;
  if (nth.empty()) return false;
  // "2MO" counts within the month or the year; elsewhere the number means nothing.
  const bool in_year = rule_.frequency == Frequency::kYearly && rule_.months.none();
  if (rule_.frequency < Frequency::kMonthly || !rule_.weeks.empty()) return true;
  const int position = in_year ? day.year_day : day.month_day;
  const int length = in_year ? day.year_length : day.month_length;
  const int before = (position - 1) / 7;
  const int after = (length - position) / 7;
  return nth.Has(before + 1, before + 1 + after);
}

}  // namespace podkit::store::calendar
