// Imports: one file with many components into one calendar object for each UID.
//
// The objects are made of slices of the file. A repair only inserts bytes into a slice; what was
// there before stays, byte for byte.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "calendar/check_object.h"
#include "calendar/component.h"
#include "calendar/display_text.h"
#include "calendar/raw_text.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "hash.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store {
namespace calendar {
namespace {

constexpr std::string_view kProductId = "PRODID:-//Podkit//Import//EN";
constexpr size_t kHashDigits = 32;
constexpr size_t kNameBytes = 1024;
// How many times the largest file all objects together may be: each has its own time zones.
constexpr size_t kLargestGrowth = 4;

// A component on its way into an object.
struct Part {
  const Component* component = nullptr;
  size_t calendar = 0;  // Its VCALENDAR.
  std::string uid;
  std::vector<std::string> notes;
};

// The parts of one object, in the order of the file.
struct Group {
  std::vector<Part> parts;
};

using ZonesByName = std::map<std::string, const Component*, std::less<>>;

// What stands around the components of a VCALENDAR in every object that is made of them.
struct Wrapper {
  std::string begin;  // BEGIN:VCALENDAR and the properties that an object keeps.
  std::string end;
  std::vector<std::string> notes;
};

int64_t SequenceOf(const Component& component) {
  const Property* sequence = FindProperty(component, "SEQUENCE");
  return sequence == nullptr ? 0 : ParseNumber(sequence->value).value_or(0);
}

Civil StampOf(const Component& component) {
  const Property* stamp = FindProperty(component, "DTSTAMP");
  const auto time = stamp == nullptr ? std::nullopt : ParseDateTime(stamp->value);
  return time ? time->civil : std::numeric_limits<Civil>::min();
}

void AddTimeZoneNames(const Component& component, std::vector<std::string_view>* names) {
  for (const Property& property : component.properties) {
    if (property.parameters.empty()) continue;
    if (const auto name = FindParameter(property, "TZID")) names->push_back(*name);
  }
  for (const Component& child : component.children) AddTimeZoneNames(child, names);
}

class Splitter {
 public:
  Splitter(std::string_view file, const CalendarLimits& limits) : limits_(limits), raw_(file) {}

  absl::StatusOr<ImportedCalendar> Split() {
    PODKIT_ASSIGN_OR_RETURN(text_, ParseCalendarText(raw_.text(), LooseLines::kJoin, limits_));
    const absl::Status made = MakeObjects();
    if (made.ok()) return std::move(result_);
    const auto error = GetCalendarDataError(made);
    return text_.lines.Blame(error ? error->line : 0, made);
  }

 private:
  absl::Status MakeObjects() {
    for (const Insertion& insertion : text_.lines.insertions()) raw_.Insert(insertion);
    for (size_t calendar = 0; calendar < text_.calendars.size(); ++calendar) {
      PODKIT_RETURN_IF_ERROR(ReadCalendar(calendar));
    }
    PODKIT_RETURN_IF_ERROR(SettleGroups());
    for (const Group& group : groups_) PODKIT_RETURN_IF_ERROR(AddObject(group));
    return absl::OkStatus();
  }

  absl::Status ReadCalendar(size_t index) {
    const Component& calendar = text_.calendars[index];
    PODKIT_RETURN_IF_ERROR(CheckCalendarScale(calendar));
    wrappers_.push_back(MakeWrapper(calendar));
    zones_.emplace_back();
    for (const Component& component : calendar.children) {
      if (component.name == "VTIMEZONE") {
        zones_.back().emplace(TimeZoneName(component), &component);
        all_zones_.emplace(TimeZoneName(component), &component);
      } else {
        PODKIT_RETURN_IF_ERROR(AddPart(component, index));
      }
    }
    const auto set_once = [&](std::string_view name, std::string* to) {
      const Property* property = FindProperty(calendar, name);
      if (property == nullptr || !to->empty()) return;
      *to = DisplayText(UnescapeText(property->value), kNameBytes);
    };
    set_once("X-WR-CALNAME", &result_.name);
    set_once("X-WR-TIMEZONE", &result_.time_zone);
    return absl::OkStatus();
  }

  Wrapper MakeWrapper(const Component& calendar) const {
    const std::string_view line_end = LineEndOf(raw_.Slice(*calendar.begin));
    Wrapper wrapper{.begin = fmt::format("BEGIN:VCALENDAR{}", line_end),
                    .end = fmt::format("END:VCALENDAR{}", line_end),
                    .notes = {}};
    const Property* version = FindProperty(calendar, "VERSION");
    const bool has_version = version != nullptr && version->value == "2.0";
    absl::flat_hash_set<std::string_view> kept;
    for (const Property& property : calendar.properties) {
      for (const std::string_view name : {"VERSION", "PRODID", "CALSCALE"}) {
        const bool wanted = name != "VERSION" || has_version;
        if (wanted && EqualsIgnoreCase(property.name, name) && kept.insert(name).second) {
          wrapper.begin += raw_.Repaired(property.line->begin, property.line->end, &wrapper.notes);
        }
      }
    }
    if (!has_version) {
      wrapper.begin += fmt::format("VERSION:2.0{}", line_end);
      wrapper.notes.push_back(VersionNote(version));
    }
    if (!kept.contains("PRODID")) {
      wrapper.begin += fmt::format("{}{}", kProductId, line_end);
      wrapper.notes.emplace_back("a PRODID was added");
    }
    const Property* method = FindProperty(calendar, "METHOD");
    if (method != nullptr && !EqualsIgnoreCase(method->value, "PUBLISH")) {
      wrapper.notes.push_back(fmt::format("line {}: METHOD:{} was left out; this was a message",
                                          method->line->line, Excerpt(method->value)));
    }
    return wrapper;
  }

  static std::string VersionNote(const Property* version) {
    if (version == nullptr) return "VERSION:2.0 was added";
    return fmt::format("line {}: VERSION:{} became VERSION:2.0", version->line->line,
                       Excerpt(version->value));
  }

  absl::Status AddPart(const Component& component, size_t calendar) {
    PODKIT_RETURN_IF_ERROR(CheckComponent(component));
    Part part{.component = &component, .calendar = calendar, .uid = "", .notes = {}};
    PODKIT_ASSIGN_OR_RETURN(part.uid, UidOf(component));
    if (part.uid.empty()) GiveUid(&part);
    if (component.name == "VEVENT" && FindProperty(component, "DTSTART") == nullptr) {
      part.notes.push_back(fmt::format(
          "line {}: the VEVENT has no DTSTART; no search by time will find it", component.line()));
    }
    const auto [entry, is_new] = group_of_uid_.try_emplace(part.uid, groups_.size());
    if (is_new) groups_.emplace_back();
    groups_[entry->second].parts.push_back(std::move(part));
    return absl::OkStatus();
  }

  std::string_view RawBytes(const Component& component) const {
    return raw_.Slice(component.begin->begin, component.end->end);
  }

  std::string HashOf(const Component& component) const {
    return Sha256Hex(RawBytes(component)).substr(0, kHashDigits);
  }

  // The same file gives the same UID again, so that a second import finds what the first one made.
  void GiveUid(Part* part) {
    const Component& component = *part->component;
    part->uid = fmt::format("podkit-{}", HashOf(component));
    if (FindProperty(component, "UID") != nullptr) {
      AppendToUid(component, part->uid);
    } else {
      raw_.Insert({component.begin->end, component.line(),
                   fmt::format("UID:{}{}", part->uid, LineEndOf(raw_.Slice(*component.begin))),
                   ""});
    }
    part->notes.push_back(fmt::format("line {}: the {} has no UID and was given '{}'",
                                      component.line(), Excerpt(component.name), part->uid));
  }

  void AppendToUid(const Component& component, std::string_view suffix) {
    for (const Property& property : component.properties) {
      if (!EqualsIgnoreCase(property.name, "UID")) continue;
      const std::string_view line = raw_.Slice(*property.line);
      raw_.Insert({property.line->begin + line.find_last_not_of(" \t\r\n") + 1, property.line->line,
                   std::string(suffix), ""});
    }
  }

  // Makes every group one object: what does not fit goes into a group of its own.
  absl::Status SettleGroups() {
    std::vector<Group> settled;
    for (Group& group : groups_) {
      std::vector<Part> others = Settle(&group);
      const int first_line = group.parts.front().component->line();
      settled.push_back(std::move(group));
      for (Part& other : others) {
        PODKIT_RETURN_IF_ERROR(MakeUidDistinct(&other, first_line));
        settled.emplace_back().parts.push_back(std::move(other));
      }
    }
    groups_ = std::move(settled);
    std::sort(groups_.begin(), groups_.end(), [](const Group& a, const Group& b) {
      return a.parts.front().component->line() < b.parts.front().component->line();
    });
    return absl::OkStatus();
  }

  // Leaves in `group` one component for each instance, all of one type; returns the others. Of two
  // that differ, the newer one stays.
  std::vector<Part> Settle(Group* group) const {
    const auto main = std::find_if(group->parts.begin(), group->parts.end(), [](const Part& part) {
      return !IsExperimental(*part.component);
    });
    const bool has_main = main != group->parts.end();
    const std::string type = (has_main ? *main : group->parts.front()).component->name;
    std::vector<Part> kept;
    std::vector<Part> others;
    absl::flat_hash_map<std::string, size_t> kept_of_instance;
    for (Part& part : group->parts) {
      const Component& component = *part.component;
      if (component.name != type) {
        (has_main && IsExperimental(component) ? kept : others).push_back(std::move(part));
        continue;
      }
      const auto [entry, is_new] =
          kept_of_instance.emplace(RecurrenceKeyOf(component), kept.size());
      if (is_new) {
        kept.push_back(std::move(part));
        continue;
      }
      Part& twin = kept[entry->second];
      if (RawBytes(component) == RawBytes(*twin.component)) {
        twin.notes.push_back(fmt::format("line {}: repeats line {} byte for byte", component.line(),
                                         twin.component->line()));
        continue;
      }
      if (IsNewer(component, *twin.component)) std::swap(twin, part);
      others.push_back(std::move(part));
    }
    group->parts = std::move(kept);
    return others;
  }

  static bool IsNewer(const Component& a, const Component& b) {
    return std::pair(SequenceOf(a), StampOf(a)) >= std::pair(SequenceOf(b), StampOf(b));
  }

  absl::Status MakeUidDistinct(Part* part, int first_line) {
    const Component& component = *part->component;
    const std::string suffix = fmt::format("-{}", HashOf(component));
    do {
      part->uid += suffix;
      AppendToUid(component, suffix);
    } while (!group_of_uid_.try_emplace(part->uid, 0).second);
    if (part->uid.size() > kLongestUid) {
      return MakeCalendarDataError(
          component.line(),
          fmt::format("another {} with the UID of line {}, which is too long to be made distinct",
                      Excerpt(component.name), first_line));
    }
    part->notes.push_back(
        fmt::format("line {}: another {} with the UID of line {} was kept under the UID '{}'",
                    component.line(), Excerpt(component.name), first_line, part->uid));
    return absl::OkStatus();
  }

  absl::Status AddObject(const Group& group) {
    const Part& first = group.parts.front();
    const Wrapper& wrapper = wrappers_[first.calendar];
    ObjectParts parts{.uid = first.uid, .components = {}, .zones = ZonesOf(group)};
    ImportedObject object;
    object.line = first.component->line();
    object.notes = wrapper.notes;
    object.text = wrapper.begin;
    for (const Component* zone : parts.zones) Append(*zone, &object);
    for (const Part& part : group.parts) {
      parts.components.push_back(part.component);
      Append(*part.component, &object);
      object.notes.insert(object.notes.end(), part.notes.begin(), part.notes.end());
    }
    object.text += wrapper.end;

    result_bytes_ += object.text.size();
    if (object.text.size() > limits_.max_object_bytes ||
        result_bytes_ > kLargestGrowth * limits_.max_file_bytes) {
      return MakeCalendarDataError(object.line, "the object made of this component is too large");
    }
    PODKIT_ASSIGN_OR_RETURN(CheckedObject checked, CheckObject(parts, CalendarSource::kImport));
    object.info = std::move(checked.info);
    result_.objects.push_back(std::move(object));
    return absl::OkStatus();
  }

  void Append(const Component& component, ImportedObject* object) const {
    object->text += raw_.Repaired(component.begin->begin, component.end->end, &object->notes);
  }

  // The time zones that the components of a group name, from their own VCALENDAR if it has them.
  std::vector<const Component*> ZonesOf(const Group& group) const {
    std::vector<const Component*> zones;
    absl::flat_hash_set<std::string_view> seen;
    for (const Part& part : group.parts) {
      std::vector<std::string_view> names;
      AddTimeZoneNames(*part.component, &names);
      for (const std::string_view name : names) {
        if (!seen.insert(name).second) continue;
        const auto& own = zones_[part.calendar];
        if (const auto zone = own.find(name); zone != own.end()) {
          zones.push_back(zone->second);
        } else if (const auto other = all_zones_.find(name); other != all_zones_.end()) {
          zones.push_back(other->second);
        }
      }
    }
    return zones;
  }

  const CalendarLimits& limits_;
  RawText raw_;
  CalendarText text_;
  ImportedCalendar result_;
  std::vector<Wrapper> wrappers_;  // By VCALENDAR, as are zones_.
  std::vector<ZonesByName> zones_;
  ZonesByName all_zones_;
  std::vector<Group> groups_;
  absl::flat_hash_map<std::string, size_t> group_of_uid_;
  size_t result_bytes_ = 0;
};

}  // namespace
}  // namespace calendar

absl::StatusOr<ImportedCalendar> SplitCalendar(std::string_view file,
                                               const CalendarLimits& limits) {
  if (file.size() > limits.max_file_bytes) {
    return MakeCalendarDataError(0, fmt::format("the file has {} bytes; the limit is {}",
                                                file.size(), limits.max_file_bytes));
  }
  return calendar::Splitter(file, limits).Split();
}

}  // namespace podkit::store
