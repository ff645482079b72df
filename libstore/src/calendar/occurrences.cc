#include "calendar/occurrences.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "calendar/recurrence_iterator.h"

namespace podkit::store::calendar {
namespace {

Civil DayBegin(Civil civil) {
  const Civil rest = civil % kDaySeconds;
  return civil - (rest < 0 ? rest + kDaySeconds : rest);
}

bool IsDate(const DateTime& time) { return time.form == DateTime::Form::kDate; }

// How long an occurrence lasts.
struct Length {
  bool known = false;
  bool is_duration = false;
  Duration duration;
};

Length LengthOf(const ComponentTimes& times, Zones* zones) {
  Length length;
  if (times.start && times.end) {
    length.known = true;
    if (IsDate(*times.start) && IsDate(*times.end)) {
      length.duration.days = (times.end->civil - times.start->civil) / kDaySeconds;
    } else {
      length.duration.seconds = zones->ToUtc(*times.end) - zones->ToUtc(*times.start);
    }
  } else if (times.start && times.duration) {
    length = {.known = true, .is_duration = true, .duration = *times.duration};
  }
  return length;
}

// What recurs: the start, or the due date of a to-do that has no start. Null if it has neither.
const DateTime* AnchorOf(const ComponentTimes& times) {
  if (times.start) return &*times.start;
  return times.kind == ComponentKind::kTodo && times.end ? &*times.end : nullptr;
}

Utc EndOf(Civil start, const Duration& duration, Zone* zone) {
  return zone->ToUtc(start + duration.days * kDaySeconds) + duration.seconds;
}

// Turns a component that starts at some local time into an occurrence.
class OccurrenceMaker {
 public:
  // `anchor` is null for a component without any time.
  OccurrenceMaker(const ComponentTimes& times, const DateTime* anchor, Zones* zones)
      : times_(times), zones_(zones), length_(LengthOf(times, zones)) {
    occurrence_.kind = times.kind;
    occurrence_.component = &times;
    occurrence_.all_day = anchor != nullptr && IsDate(*anchor);
    occurrence_.floating = anchor != nullptr && zones->IsFloating(*anchor);
    const auto utc = [&](const std::optional<DateTime>& time) -> std::optional<Utc> {
      if (!time) return std::nullopt;
      return zones->ToUtc(*time);
    };
    occurrence_.completed = utc(times.completed);
    occurrence_.created = utc(times.created);
    occurrence_.recurrence_id = utc(times.recurrence_id);
    for (const Period& period : times.busy) {
      occurrence_.busy.emplace_back(zones->ToUtc(period.start), EndOfPeriod(period));
    }
  }

  // How far apart from its start an occurrence may lie.
  int64_t reach() const {
    return std::abs(length_.duration.days) * kDaySeconds + std::abs(length_.duration.seconds);
  }

  Utc EndOfPeriod(const Period& period) {
    if (period.end) return zones_->ToUtc(*period.end);
    return EndOf(period.start.civil, period.duration, &zones_->Of(period.start));
  }

  // Without any time.
  const Occurrence& Timeless() const { return occurrence_; }

  // At `civil` on the clock of `zone`.
  const Occurrence& At(Civil civil, Zone* zone) {
    const Utc utc = zone->ToUtc(civil);
    occurrence_.has_duration = false;
    if (!times_.start) {
      occurrence_.end = utc;
      return occurrence_;
    }
    occurrence_.start = utc;
    if (length_.known) {
      occurrence_.end = EndOf(civil, length_.duration, zone);
      occurrence_.has_duration = length_.is_duration;
    } else if (occurrence_.all_day && times_.kind != ComponentKind::kTodo) {
      occurrence_.end = zone->ToUtc(civil + kDaySeconds);
      occurrence_.has_duration = true;
    }
    return occurrence_;
  }

  // From `start` to `end`.
  const Occurrence& Between(Utc start, Utc end) {
    occurrence_.start = start;
    occurrence_.end = end;
    occurrence_.has_duration = false;
    return occurrence_;
  }

 private:
  const ComponentTimes& times_;
  Zones* const zones_;
  const Length length_;
  Occurrence occurrence_;
};

// The component that recurs, with what is taken out of its series.
class SeriesWalker {
 public:
  SeriesWalker(const ComponentTimes& master, const DateTime& anchor, Zones* zones, Budget* budget)
      : master_(master),
        anchor_(anchor),
        zones_(zones),
        budget_(budget),
        zone_(&zones->Of(anchor)),
        all_day_(IsDate(anchor)),
        maker_(master, &anchor, zones) {}

  void Exclude(const DateTime& time) {
    if (IsDate(time) && !all_day_) {
      excluded_days_.insert(time.civil);
    } else {
      excluded_.insert(OnOwnClock(time));
    }
  }

  // False if the visitor returned false.
  bool Visit(Utc from, Utc to, const std::function<bool(const Occurrence&)>& visitor) {
    for (const DateTime& time : master_.excluded) Exclude(time);
    for (const Period& period : master_.added_periods) {
      if (!budget_->Spend(1)) return true;
      if (IsExcluded(OnOwnClock(period.start))) continue;
      const Utc start = zones_->ToUtc(period.start);
      if (!visitor(maker_.Between(start, maker_.EndOfPeriod(period)))) return false;
      Exclude(period.start);
    }
    Prepare(from, to);
    for (;;) {
      const std::optional<Civil> civil = NextTime();
      if (!civil || !budget_->Spend(1)) return true;
      if (!IsExcluded(*civil) && !visitor(maker_.At(*civil, zone_))) return false;
    }
  }

 private:
  struct Source {
    RecurrenceIterator iterator;
    std::optional<Civil> next;
  };

  Civil OnOwnClock(const DateTime& time) {
    if (all_day_) return DayBegin(time.civil);
    Zone& zone = zones_->Of(time);
    return &zone == zone_ ? time.civil : zone_->ToCivil(zone.ToUtc(time.civil));
  }

  bool IsExcluded(Civil civil) {
    if (excluded_.contains(civil) || excluded_days_.contains(DayBegin(civil))) return true;
    return std::any_of(excluded_rules_.begin(), excluded_rules_.end(), [&](Source& source) {
      while (source.next && *source.next < civil) source.next = source.iterator.Next();
      return source.next == civil;
    });
  }

  // Occurrences outside of [from, to) need not be found, but for those that are listed.
  void Prepare(Utc from, Utc to) {
    const int64_t slack = maker_.reach() + 2 * kDaySeconds;
    const Civil first = std::max(from, kFirstCivil) - slack;
    const Civil last = std::min(to, kLastCivil) + slack;
    listed_.push_back(OnOwnClock(anchor_));
    for (const DateTime& time : master_.added) listed_.push_back(OnOwnClock(time));
    std::sort(listed_.begin(), listed_.end());
    AddSources(master_.rules, first, last, &rules_);
    AddSources(master_.excluded_rules, first, last, &excluded_rules_);
  }

  void AddSources(const std::vector<RecurrenceRule>& rules, Civil first, Civil last,
                  std::vector<Source>* sources) {
    const Civil start = OnOwnClock(anchor_);
    for (const RecurrenceRule& rule : rules) {
      if (!budget_->Spend(1)) return;
      const Civil until = std::min(last, UntilOf(rule));
      Source source{RecurrenceIterator(rule, start, all_day_, until, budget_), std::nullopt};
      source.iterator.SkipTo(first);
      source.next = source.iterator.Next();
      sources->push_back(std::move(source));
    }
  }

  Civil UntilOf(const RecurrenceRule& rule) {
    if (!rule.until) return kLastCivil;
    const DateTime& until = *rule.until;
    if (all_day_) return DayBegin(until.civil);
    if (IsDate(until)) return until.civil + kDaySeconds - 1;
    return until.form == DateTime::Form::kUtc ? zone_->ToCivil(until.civil) : until.civil;
  }

  // The next time of the lists and rules together, each once.
  std::optional<Civil> NextTime() {
    std::optional<Civil> next;
    const auto consider = [&next](Civil civil) { next = next ? std::min(*next, civil) : civil; };
    if (listed_index_ < listed_.size()) consider(listed_[listed_index_]);
    for (const Source& source : rules_) {
      if (source.next) consider(*source.next);
    }
    if (!next) return std::nullopt;
    while (listed_index_ < listed_.size() && listed_[listed_index_] == *next) ++listed_index_;
    for (Source& source : rules_) {
      while (source.next == next) source.next = source.iterator.Next();
    }
    budget_->Spend(static_cast<int64_t>(rules_.size() + excluded_rules_.size()));
    return next;
  }

  const ComponentTimes& master_;
  const DateTime& anchor_;
  Zones* const zones_;
  Budget* const budget_;
  Zone* const zone_;
  const bool all_day_;
  OccurrenceMaker maker_;
  absl::flat_hash_set<Civil> excluded_;
  absl::flat_hash_set<Civil> excluded_days_;
  std::vector<Civil> listed_;
  size_t listed_index_ = 0;
  std::vector<Source> rules_;
  std::vector<Source> excluded_rules_;
};

}  // namespace

Walk ForEachOccurrence(const SeriesTimes& series, Utc from, Utc to, const absl::TimeZone& floating,
                       Budget* budget, const std::function<bool(const Occurrence&)>& visitor) {
  Zones zones(series.zones, floating, budget);
  bool this_and_future = false;
  std::vector<const DateTime*> overridden;
  for (const ComponentTimes& component : series.components) {
    this_and_future |= component.this_and_future;
    if (component.recurrence_id) overridden.push_back(&*component.recurrence_id);
  }
  for (const ComponentTimes& component : series.components) {
    if (!budget->Spend(1)) return Walk::kIncomplete;
    const DateTime* const anchor = AnchorOf(component);
    OccurrenceMaker maker(component, anchor, &zones);
    if (anchor == nullptr) {
      if (!visitor(maker.Timeless())) return Walk::kStopped;
    } else if (component.recurrence_id) {
      if (!visitor(maker.At(anchor->civil, &zones.Of(*anchor)))) return Walk::kStopped;
    } else {
      SeriesWalker walker(component, *anchor, &zones, budget);
      for (const DateTime* time : overridden) walker.Exclude(*time);
      if (!walker.Visit(from, to, visitor)) return Walk::kStopped;
    }
  }
  return budget->exhausted() || this_and_future ? Walk::kIncomplete : Walk::kFinished;
}

}  // namespace podkit::store::calendar
