#include "calendar/time_zones.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/time/civil_time.h"
#include "calendar/display_text.h"
#include "calendar/recurrence_iterator.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store {

std::optional<absl::TimeZone> FindTimeZone(std::string_view name) {
  // Abseil opens whatever file a name leads to and remembers every name it was ever given.
  constexpr size_t kLongestName = 64;
  const auto is_allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '/';
  };
  if (name.empty() || name.size() > kLongestName || name.starts_with('/') || name == "localtime" ||
      !std::all_of(name.begin(), name.end(), is_allowed)) {
    return std::nullopt;
  }
  std::error_code error;
  const std::filesystem::path file = std::filesystem::path("/usr/share/zoneinfo") / name;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(std::string(name), &zone)) return std::nullopt;
  return zone;
}

namespace calendar {
namespace {

constexpr int64_t kYearSeconds = 366 * kDaySeconds;

class NamedZone : public Zone {
 public:
  explicit NamedZone(const absl::TimeZone& zone) : zone_(zone) {}

 private:
  int64_t OffsetAtCivil(Civil civil) override {
    return civil - absl::ToUnixSeconds(zone_.At(absl::CivilSecond() + civil).pre);
  }
  int64_t OffsetAtUtc(Utc utc) override { return zone_.At(absl::FromUnixSeconds(utc)).offset; }

  const absl::TimeZone zone_;
};

// A VTIMEZONE. Knows the changes of the clock in the years around the last question.
class DefinedZone : public Zone {
 public:
  DefinedZone(const TimeZoneDefinition& definition, Budget* budget)
      : definition_(definition), budget_(budget) {}

 private:
  struct Change {
    Utc at = 0;
    int from = 0;
    int to = 0;
    Civil first_after() const { return at + std::max(from, to); }  // On the local clock.
  };

  int64_t OffsetAtCivil(Civil civil) override {
    Cover(civil);
    const auto next = std::upper_bound(
        changes_.begin(), changes_.end(), civil,
        [](Civil time, const Change& change) { return time < change.first_after(); });
    return OffsetBefore(next);
  }

  int64_t OffsetAtUtc(Utc utc) override {
    Cover(utc);
    const auto next =
        std::upper_bound(changes_.begin(), changes_.end(), utc,
                         [](Utc time, const Change& change) { return time < change.at; });
    return OffsetBefore(next);
  }

  int64_t OffsetBefore(std::vector<Change>::const_iterator next) const {
    if (next != changes_.begin()) return std::prev(next)->to;
    return next == changes_.end() ? 0 : next->from;
  }

  // `time` on whatever clock: a day more or less does not matter.
  void Cover(int64_t time) {
    if ((time >= first_covered_ && time <= last_covered_) || budget_->exhausted()) return;
    first_covered_ = time - kYearSeconds;
    last_covered_ = time + 10 * kYearSeconds;
    changes_.clear();
    for (const Observance& observance : definition_.observances) AddChanges(observance);
    std::sort(changes_.begin(), changes_.end(),
              [](const Change& a, const Change& b) { return a.at < b.at; });
  }

  void AddChanges(const Observance& observance) {
    const auto add = [&](Civil civil) {
      changes_.push_back(
          {civil - observance.offset_from, observance.offset_from, observance.offset_to});
    };
    add(observance.onset);
    for (const Civil date : observance.dates) add(date);
    budget_->Spend(static_cast<int64_t>(observance.dates.size()) + 1);
    for (const RecurrenceRule& rule : observance.rules) {
      Civil until = last_covered_ + kDaySeconds;
      if (rule.until.has_value()) {
        const bool is_utc = rule.until->form == DateTime::Form::kUtc;
        until = std::min(until, rule.until->civil + (is_utc ? observance.offset_from : 0));
      }
      RecurrenceIterator iterator(rule, observance.onset, false, until, budget_);
      // Far enough back to see the change that is still in force when the covered time begins, even
      // of a rule for February 29.
      iterator.SkipTo(std::min(first_covered_, until) - (8 + rule.interval) * kYearSeconds);
      while (const auto civil = iterator.Next()) add(*civil);
    }
  }

  const TimeZoneDefinition& definition_;
  Budget* const budget_;
  std::vector<Change> changes_;
  int64_t first_covered_ = 1;
  int64_t last_covered_ = 0;
};

absl::StatusOr<const Property*> RequiredProperty(const Component& component,
                                                 std::string_view name) {
  PODKIT_ASSIGN_OR_RETURN(const Property* property, OnlyProperty(component, name));
  if (property == nullptr) {
    return MakeCalendarDataError(component.line(),
                                 fmt::format("{} without {}", Excerpt(component.name), name));
  }
  return property;
}

absl::StatusOr<int> RequiredOffset(const Component& component, std::string_view name) {
  PODKIT_ASSIGN_OR_RETURN(const Property* property, RequiredProperty(component, name));
  const auto offset = ParseUtcOffset(property->value);
  if (offset) return *offset;
  return MakeCalendarDataError(
      property->line->line,
      fmt::format("{} '{}' is not an offset such as +0100", name, Excerpt(property->value)));
}

absl::StatusOr<Observance> ObservanceOf(const Component& component) {
  Observance observance;
  PODKIT_ASSIGN_OR_RETURN(const Property* start, RequiredProperty(component, "DTSTART"));
  PODKIT_ASSIGN_OR_RETURN(const DateTime onset, DateTimeOf(*start, start->value));
  observance.onset = onset.civil;
  PODKIT_ASSIGN_OR_RETURN(observance.offset_from, RequiredOffset(component, "TZOFFSETFROM"));
  PODKIT_ASSIGN_OR_RETURN(observance.offset_to, RequiredOffset(component, "TZOFFSETTO"));
  for (const Property& property : component.properties) {
    if (EqualsIgnoreCase(property.name, "RRULE")) {
      PODKIT_ASSIGN_OR_RETURN(RecurrenceRule rule, RecurrenceRuleOf(property));
      observance.rules.push_back(std::move(rule));
    } else if (EqualsIgnoreCase(property.name, "RDATE")) {
      for (const std::string_view value : SplitText(property.value, ',')) {
        // Of a period, which some write here, the start.
        PODKIT_ASSIGN_OR_RETURN(const DateTime date,
                                DateTimeOf(property, value.substr(0, value.find('/'))));
        observance.dates.push_back(date.civil);
      }
    }
  }
  return observance;
}

// The zone of the longest tail of `name` that is one: ".../Olson_20011030_5/America/Chicago".
std::optional<absl::TimeZone> FindTimeZoneByTail(std::string_view name) {
  constexpr int kTails = 8;
  for (int i = 0; i < kTails; ++i) {
    if (auto zone = FindTimeZone(name)) return zone;
    const size_t slash = name.find('/');
    if (slash == std::string_view::npos) break;
    name.remove_prefix(slash + 1);
  }
  return std::nullopt;
}

}  // namespace

std::string TimeZoneName(const Component& vtimezone) {
  const Property* name = FindProperty(vtimezone, "TZID");
  return name == nullptr ? "" : UnescapeText(name->value);
}

absl::StatusOr<TimeZoneDefinition> TimeZoneDefinitionOf(const Component& vtimezone) {
  TimeZoneDefinition definition{.name = TimeZoneName(vtimezone), .observances = {}};
  for (const Component& child : vtimezone.children) {
    if (child.name != "STANDARD" && child.name != "DAYLIGHT") continue;
    PODKIT_ASSIGN_OR_RETURN(Observance observance, ObservanceOf(child));
    definition.observances.push_back(std::move(observance));
  }
  return definition;
}

Utc Zone::ToUtc(Civil civil) {
  civil = std::clamp(civil, kFirstCivil, kLastCivil);
  return civil - OffsetAtCivil(civil);
}

Civil Zone::ToCivil(Utc utc) {
  utc = std::clamp(utc, kFirstCivil, kLastCivil);
  return utc + OffsetAtUtc(utc);
}

Zones::Zones(const std::vector<TimeZoneDefinition>& definitions, const absl::TimeZone& floating,
             Budget* budget)
    : definitions_(definitions),
      budget_(budget),
      utc_(std::make_unique<NamedZone>(absl::UTCTimeZone())),
      floating_(std::make_unique<NamedZone>(floating)) {}

Zone& Zones::Of(const DateTime& time) {
  switch (time.form) {
    case DateTime::Form::kUtc:
      return *utc_;
    case DateTime::Form::kZoned:
      return Named(time.zone);
    case DateTime::Form::kDate:
    case DateTime::Form::kFloating:
      break;
  }
  return *floating_;
}

Zone& Zones::Named(const std::string& name) {
  const auto [entry, is_new] = named_.try_emplace(name, floating_.get());
  constexpr int64_t kSearchCost = 100;  // Files are looked for.
  if (!is_new || !budget_->Spend(kSearchCost + static_cast<int64_t>(definitions_.size()))) {
    return *entry->second;
  }
  const auto definition =
      std::find_if(definitions_.begin(), definitions_.end(), [&](const TimeZoneDefinition& zone) {
        return zone.name == name && !zone.observances.empty();
      });
  if (definition != definitions_.end()) {
    owned_.push_back(std::make_unique<DefinedZone>(*definition, budget_));
    entry->second = owned_.back().get();
  } else if (const auto zone = FindTimeZoneByTail(name)) {
    owned_.push_back(std::make_unique<NamedZone>(*zone));
    entry->second = owned_.back().get();
  }
  return *entry->second;
}

}  // namespace calendar
}  // namespace podkit::store
