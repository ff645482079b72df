#include "calendar/component.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "calendar/display_text.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

// The colon before the value: the first one outside of quotes; the first one at all if a quote is
// never closed.
size_t FindValue(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == ':' && !quoted) return i;
  }
  return text.find(':');
}

Property ParseProperty(const ContentLine& line) {
  const std::string_view text = line.text;
  const size_t colon = FindValue(text);
  const size_t name_end = std::min(text.find(';'), colon);
  Property property;
  property.name = text.substr(0, name_end);
  property.line = &line;
  if (name_end < colon) property.parameters = text.substr(name_end + 1, colon - name_end - 1);
  property.value = TrimSpace(text.substr(colon + 1));
  return property;
}

std::string UpperCase(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return upper;
}

class TreeBuilder {
 public:
  TreeBuilder(CalendarText* text, const CalendarLimits& limits) : text_(text), limits_(limits) {}

  absl::Status Build() {
    for (const ContentLine& line : text_->lines.lines()) {
      const Property property = ParseProperty(line);
      if (EqualsIgnoreCase(property.name, "BEGIN")) {
        PODKIT_RETURN_IF_ERROR(Begin(property));
      } else if (EqualsIgnoreCase(property.name, "END")) {
        PODKIT_RETURN_IF_ERROR(End(property));
      } else {
        PODKIT_RETURN_IF_ERROR(Add(property));
      }
    }
    if (!open_.empty()) {
      return Refuse(*open_.back().begin,
                    fmt::format("BEGIN:{} is never closed", open_.back().name));
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Refuse(const ContentLine& line, std::string_view reason) {
    return MakeCalendarDataError(line.line, reason);
  }

  absl::Status Begin(const Property& property) {
    Component component;
    component.name = UpperCase(property.value);
    component.begin = property.line;
    const bool is_calendar = component.name == "VCALENDAR";
    if (component.name.empty()) return Refuse(*property.line, "BEGIN names no component");
    if (open_.empty() && !is_calendar) {
      return Refuse(*property.line,
                    fmt::format("BEGIN:{} outside of a VCALENDAR", Excerpt(component.name)));
    }
    if (!open_.empty() && is_calendar) {
      return Refuse(*property.line, fmt::format("BEGIN:VCALENDAR within the {} of line {}",
                                                Excerpt(open_.back().name), open_.back().line()));
    }
    if (open_.size() == limits_.max_depth) {
      return Refuse(*property.line,
                    fmt::format("components are nested deeper than {} levels", limits_.max_depth));
    }
    if (++components_ > limits_.max_components) {
      return Refuse(*property.line, fmt::format("more than {} components", limits_.max_components));
    }
    open_.push_back(std::move(component));
    return absl::OkStatus();
  }

  absl::Status End(const Property& property) {
    const std::string name = UpperCase(property.value);
    if (open_.empty()) {
      return Refuse(*property.line, fmt::format("END:{} without a BEGIN", Excerpt(name)));
    }
    if (name != open_.back().name) {
      return Refuse(*property.line,
                    fmt::format("END:{} where the {} of line {} must end first", Excerpt(name),
                                Excerpt(open_.back().name), open_.back().line()));
    }
    Component component = std::move(open_.back());
    open_.pop_back();
    component.end = property.line;
    (open_.empty() ? text_->calendars : open_.back().children).push_back(std::move(component));
    return absl::OkStatus();
  }

  absl::Status Add(const Property& property) {
    if (open_.empty()) {
      return Refuse(*property.line,
                    fmt::format("'{}' outside of a VCALENDAR", Excerpt(property.line->text)));
    }
    if (open_.back().properties.size() == limits_.max_properties) {
      return Refuse(*property.line,
                    fmt::format("more than {} properties in one {}", limits_.max_properties,
                                Excerpt(open_.back().name)));
    }
    open_.back().properties.push_back(property);
    return absl::OkStatus();
  }

  CalendarText* const text_;
  const CalendarLimits& limits_;
  std::vector<Component> open_;  // From the VCALENDAR inwards.
  size_t components_ = 0;
};

}  // namespace

absl::StatusOr<CalendarText> ParseCalendarText(std::string_view text, LooseLines loose_lines,
                                               const CalendarLimits& limits) {
  CalendarText result;
  PODKIT_ASSIGN_OR_RETURN(result.lines, ContentLines::Scan(text, loose_lines, limits));
  PODKIT_RETURN_IF_ERROR(TreeBuilder(&result, limits).Build());
  if (result.calendars.empty()) return MakeCalendarDataError(0, "there is no VCALENDAR in it");
  return result;
}

const Property* FindProperty(const Component& component, std::string_view name) {
  for (const Property& property : component.properties) {
    if (EqualsIgnoreCase(property.name, name)) return &property;
  }
  return nullptr;
}

std::string_view NextParameter(std::string_view* parameters) {
  while (parameters->starts_with(';')) parameters->remove_prefix(1);
  bool quoted = false;
  const auto end = std::find_if(parameters->begin(), parameters->end(), [&quoted](char c) {
    if (c == '"') quoted = !quoted;
    return c == ';' && !quoted;
  });
  const std::string_view parameter = parameters->substr(0, end - parameters->begin());
  parameters->remove_prefix(std::min(parameters->size(), parameter.size() + 1));
  return parameter;
}

bool IsParameter(std::string_view parameter, std::string_view name) {
  const size_t equals = parameter.find('=');
  return equals != std::string_view::npos &&
         EqualsIgnoreCase(TrimSpace(parameter.substr(0, equals)), name);
}

std::optional<std::string_view> FindParameter(const Property& property, std::string_view name) {
  std::string_view rest = property.parameters;
  while (!rest.empty()) {
    const std::string_view parameter = NextParameter(&rest);
    if (!IsParameter(parameter, name)) continue;
    const std::string_view value = TrimSpace(parameter.substr(parameter.find('=') + 1));
    if (value.size() >= 2 && value.starts_with('"')) {
      return value.substr(1, value.find('"', 1) - 1);
    }
    return value;
  }
  return std::nullopt;
}

absl::StatusOr<const Property*> OnlyProperty(const Component& component, std::string_view name) {
  const Property* only = nullptr;
  for (const Property& property : component.properties) {
    if (!EqualsIgnoreCase(property.name, name)) continue;
    if (only != nullptr && only->line->text != property.line->text) {
      return MakeCalendarDataError(
          property.line->line, fmt::format("a second {} in the {} of line {}, and it differs", name,
                                           Excerpt(component.name), component.line()));
    }
    if (only == nullptr) only = &property;
  }
  return only;
}

}  // namespace podkit::store::calendar
