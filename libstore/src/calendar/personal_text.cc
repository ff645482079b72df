#include "calendar/personal_text.h"

#include <map>
#include <utility>

#include "calendar/check_object.h"
#include "calendar/component.h"
#include "calendar/text_edits.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

constexpr std::string_view kOpaque = "OPAQUE";

// `text` with `line_end` wherever a line ends.
std::string WithLineEnds(std::string_view text, std::string_view line_end) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r' && text[i] != '\n') {
      result += text[i];
      continue;
    }
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    result += line_end;
  }
  return result;
}

// What may be somebody's own in a component.
struct Own {
  std::optional<std::string> transparency;  // The value, as written.
  std::string alarms;
};

bool SameTransparency(const std::optional<std::string>& a, const std::optional<std::string>& b) {
  return EqualsIgnoreCase(a.value_or(std::string(kOpaque)), b.value_or(std::string(kOpaque)));
}

// A text and where its components stand.
class ObjectText {
 public:
  static absl::StatusOr<ObjectText> Parse(std::string_view text) {
    PODKIT_ASSIGN_OR_RETURN(CalendarText parsed, ParseCalendarText(text, LooseLines::kRefuse, {}));
    return ObjectText(text, std::move(parsed));
  }

  // The components that instances are made of.
  std::vector<const Component*> components() const {
    std::vector<const Component*> components;
    for (const Component& component : parsed_.calendars.front().children) {
      if (component.name != "VTIMEZONE") components.push_back(&component);
    }
    return components;
  }

  Own OwnOf(const Component& component) const {
    Own own;
    if (const Property* transparency = FindProperty(component, "TRANSP")) {
      own.transparency = std::string(transparency->value);
    }
    for (const Component& child : component.children) {
      if (child.name == "VALARM") own.alarms += Slice(*child.begin, *child.end);
    }
    return own;
  }

  // The text with what `replace` gives for each component in the place of what is its own.
  template <typename Replace>
  std::string With(const Replace& replace) const {
    TextEdits edits;
    for (const Component* component : components()) {
      const Own old = OwnOf(*component);
      AddEdits(*component, old, replace(*component, old), &edits);
    }
    return std::move(edits).Apply(text_);
  }

  // Without anything that may be somebody's own.
  std::string Bare() const {
    return With([](const Component&, const Own&) { return Own{}; });
  }

 private:
  ObjectText(std::string_view text, CalendarText parsed)
      : text_(text), line_end_(LineEndOf(text)), parsed_(std::move(parsed)) {}

  std::string_view Slice(const ContentLine& begin, const ContentLine& end) const {
    return text_.substr(begin.begin, end.end - begin.begin);
  }

  std::string TransparencyLine(const std::string& value) const {
    return "TRANSP:" + value + std::string(line_end_);
  }

  void AddEdits(const Component& component, const Own& old, const Own& own,
                TextEdits* edits) const {
    const size_t bottom = component.end->begin;
    if (own.transparency != old.transparency) {
      std::string line = own.transparency ? TransparencyLine(*own.transparency) : "";
      for (const Property& property : component.properties) {
        if (!EqualsIgnoreCase(property.name, "TRANSP")) continue;
        edits->Replace(property.line->begin, property.line->end, std::exchange(line, ""));
      }
      if (!line.empty()) edits->Insert(bottom, std::move(line));
    }
    if (own.alarms == old.alarms) return;
    for (const Component& child : component.children) {
      if (child.name == "VALARM") edits->Replace(child.begin->begin, child.end->end, "");
    }
    edits->Insert(bottom, WithLineEnds(own.alarms, line_end_));
  }

  std::string_view text_;
  std::string_view line_end_;
  CalendarText parsed_;
};

std::string InstanceOf(const Component& component) {
  const Property* const recurrence_id = FindProperty(component, "RECURRENCE-ID");
  return recurrence_id == nullptr ? "" : std::string(recurrence_id->value);
}

std::map<std::string, Own> OwnByInstance(const ObjectText& text) {
  std::map<std::string, Own> own;
  for (const Component* component : text.components()) {
    own.emplace(InstanceOf(*component), text.OwnOf(*component));
  }
  return own;
}

// What the viewer keeps of a component in which he wrote `written` and the others have `shared`.
PersonalPart PartOf(const std::string& instance, const Own& written, const Own* shared) {
  PersonalPart part = {.instance = instance, .alarms = written.alarms};
  if (shared != nullptr && !SameTransparency(written.transparency, shared->transparency)) {
    part.transparency = written.transparency.value_or(std::string(kOpaque));
  }
  return part;
}

template <typename Map>
auto* FindOrNull(Map& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

bool MayHaveAlarms(std::string_view text) { return MayHaveWord(text, "valarm"); }

absl::StatusOr<std::string> PersonalText(std::string_view owner_text, const PersonalData& data) {
  PODKIT_ASSIGN_OR_RETURN(const ObjectText text, ObjectText::Parse(owner_text));
  std::map<std::string, PersonalPart> parts;
  for (const PersonalPart& part : data.parts) parts.emplace(part.instance, part);
  return text.With([&](const Component& component, const Own& shared) {
    Own own = {.transparency = shared.transparency};
    if (const PersonalPart* part = FindOrNull(parts, InstanceOf(component))) {
      if (part->transparency) own.transparency = part->transparency;
      own.alarms = part->alarms;
    } else if (const PersonalPart* series = FindOrNull(parts, "")) {
      own.alarms = series->alarms;
    }
    return own;
  });
}

absl::StatusOr<ViewerText> SplitViewerText(std::string_view text, std::string_view owner_text) {
  PODKIT_ASSIGN_OR_RETURN(const ObjectText written, ObjectText::Parse(text));
  std::map<std::string, Own> shared;
  std::optional<ObjectText> owner;
  if (!owner_text.empty()) {
    PODKIT_ASSIGN_OR_RETURN(owner, ObjectText::Parse(owner_text));
    shared = OwnByInstance(*owner);
  }
  ViewerText result;
  bool anything = false;
  for (const Component* component : written.components()) {
    const std::string instance = InstanceOf(*component);
    result.data.parts.push_back(
        PartOf(instance, written.OwnOf(*component), FindOrNull(shared, instance)));
    const PersonalPart& part = result.data.parts.back();
    anything = anything || part.transparency || !part.alarms.empty();
  }
  if (!anything) result.data.parts.clear();
  if (owner && owner->Bare() == written.Bare()) {
    result.owner_text = owner_text;
    return result;
  }
  result.owner_text = written.With([&](const Component& component, const Own& own) {
    if (const Own* same = FindOrNull(shared, InstanceOf(component))) return *same;
    // An instance that was not set apart before has the owner's alarms of the series.
    const Own* const series = FindOrNull(shared, "");
    return Own{.transparency = own.transparency, .alarms = series == nullptr ? "" : series->alarms};
  });
  return result;
}

}  // namespace podkit::store::calendar
