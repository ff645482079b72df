#include "calendar/attach_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "calendar/component.h"
#include "calendar/fold.h"
#include "calendar/instance_text.h"
#include "calendar/text_edits.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

constexpr std::string_view kManagedId = "MANAGED-ID";

// A parameter's value with what it cannot hold written as RFC 6868 has it, in quotes.
std::string QuoteParameter(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"') {
      quoted += "^'";
    } else if (c == '^') {
      quoted += "^^";
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string UnquoteParameter(std::string_view value) {
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    const char next = value[i] == '^' && i + 1 < value.size() ? value[i + 1] : '\0';
    if (next != '\'' && next != '^') {
      text += value[i];
      continue;
    }
    text += next == '\'' ? '"' : '^';
    ++i;
  }
  return text;
}

std::string AttachLine(const ManagedAttach& attach, std::string_view line_end) {
  std::string line = fmt::format("ATTACH;{}={};FMTTYPE={};SIZE={}", kManagedId, attach.managed_id,
                                 attach.content_type, attach.size);
  if (!attach.file_name.empty()) line += ";FILENAME=" + QuoteParameter(attach.file_name);
  return FoldedLine(line + ":" + attach.uri, line_end);
}

// The managed id of an ATTACH; nothing for other properties.
std::optional<std::string> ManagedIdOf(const Property& property) {
  if (!EqualsIgnoreCase(property.name, "ATTACH")) return std::nullopt;
  const auto id = FindParameter(property, kManagedId);
  if (!id) return std::nullopt;
  return std::string(*id);
}

// Whether a property says exactly what `attach` does; what it says beside is the client's.
bool Says(const Property& property, const ManagedAttach& attach) {
  size_t ids = 0;
  bool is_binary = false;
  std::string_view rest = property.parameters;
  while (!rest.empty()) {
    const std::string_view parameter = NextParameter(&rest);
    if (IsParameter(parameter, kManagedId)) ++ids;
    if (IsParameter(parameter, "VALUE") || IsParameter(parameter, "ENCODING")) is_binary = true;
  }
  const auto type = FindParameter(property, "FMTTYPE");
  return ids == 1 && !is_binary && property.value == attach.uri && type &&
         EqualsIgnoreCase(*type, attach.content_type) &&
         FindParameter(property, "SIZE") == std::to_string(attach.size) &&
         UnquoteParameter(FindParameter(property, "FILENAME").value_or("")) == attach.file_name;
}

// The property as a content line that is no use of anything.
std::string WithoutManagedId(const Property& property, std::string_view line_end) {
  std::string line(property.name);
  std::string_view rest = property.parameters;
  while (!rest.empty()) {
    const std::string_view parameter = NextParameter(&rest);
    if (parameter.empty() || IsParameter(parameter, kManagedId)) continue;
    line += ';';
    line += parameter;
  }
  line += ':';
  line += property.value;
  return FoldedLine(line, line_end);
}

class AttachText {
 public:
  static absl::StatusOr<AttachText> Parse(std::string_view text) {
    PODKIT_ASSIGN_OR_RETURN(CalendarText parsed, ParseCalendarText(text, LooseLines::kRefuse, {}));
    return AttachText(text, std::move(parsed));
  }

  // Calls `visit` with each use and the component that it is in.
  template <typename Visitor>
  void ForEachUse(const Visitor& visit) const {
    for (const Component& component : InstanceComponents(parsed_)) {
      for (const Property& property : component.properties) {
        if (const auto id = ManagedIdOf(property)) visit(component, property, *id);
      }
    }
  }

  const CalendarText& parsed() const { return parsed_; }

  std::string_view LineEnd(const ContentLine& line) const {
    return LineEndOf(text_.substr(line.begin, line.end - line.begin));
  }

  void Add(const Component& component, const ManagedAttach& attach) {
    // After the properties: components within this one come after them.
    const ContentLine& next =
        component.children.empty() ? *component.end : *component.children.front().begin;
    edits_.Insert(next.begin, AttachLine(attach, LineEnd(*component.begin)));
  }

  void Replace(const Property& property, std::string line) {
    edits_.Replace(property.line->begin, property.line->end, std::move(line));
  }

  std::string Finish() && { return std::move(edits_).Apply(text_); }

 private:
  AttachText(std::string_view text, CalendarText parsed)
      : text_(text), parsed_(std::move(parsed)) {}

  std::string_view text_;
  CalendarText parsed_;
  TextEdits edits_;
};

bool IsMeant(const Component& component, const std::vector<std::string>& instances) {
  return instances.empty() || std::find(instances.begin(), instances.end(),
                                        InstanceNameOf(component)) != instances.end();
}

// A text in which each of `instances` has a component, and the names that they have there.
struct Prepared {
  std::string text;
  std::vector<std::string> instances;
};

absl::StatusOr<Prepared> Prepare(std::string_view text, const std::vector<std::string>& instances) {
  Prepared prepared{.text = std::string(text)};
  for (const std::string& instance : instances) {
    PODKIT_ASSIGN_OR_RETURN(SetApart apart, SetInstanceApart(prepared.text, instance));
    prepared.text = std::move(apart.text);
    prepared.instances.push_back(std::move(apart.instance));
  }
  return prepared;
}

}  // namespace

bool MayHaveManagedAttaches(std::string_view text) { return MayHaveWord(text, "managed-id"); }

absl::StatusOr<std::vector<AttachUse>> FindManagedAttaches(std::string_view text) {
  std::vector<AttachUse> uses;
  if (!MayHaveManagedAttaches(text)) return uses;
  PODKIT_ASSIGN_OR_RETURN(const AttachText parsed, AttachText::Parse(text));
  parsed.ForEachUse([&](const Component& component, const Property&, const std::string& id) {
    uses.push_back({.managed_id = id, .instance = InstanceNameOf(component)});
  });
  return uses;
}

absl::StatusOr<std::string> AddAttach(std::string_view text, const ManagedAttach& attach,
                                      const std::vector<std::string>& instances) {
  PODKIT_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(text, instances));
  PODKIT_ASSIGN_OR_RETURN(AttachText parsed, AttachText::Parse(prepared.text));
  for (const Component& component : InstanceComponents(parsed.parsed())) {
    if (IsMeant(component, prepared.instances)) parsed.Add(component, attach);
  }
  return std::move(parsed).Finish();
}

absl::StatusOr<std::string> RemoveAttach(std::string_view text, std::string_view managed_id,
                                         const std::vector<std::string>& instances) {
  PODKIT_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(text, instances));
  PODKIT_ASSIGN_OR_RETURN(AttachText parsed, AttachText::Parse(prepared.text));
  parsed.ForEachUse(
      [&](const Component& component, const Property& property, const std::string& id) {
        if (id == managed_id && IsMeant(component, prepared.instances))
          parsed.Replace(property, "");
      });
  return std::move(parsed).Finish();
}

absl::StatusOr<std::string> ReplaceAttach(std::string_view text, std::string_view managed_id,
                                          const ManagedAttach& attach) {
  PODKIT_ASSIGN_OR_RETURN(AttachText parsed, AttachText::Parse(text));
  parsed.ForEachUse([&](const Component&, const Property& property, const std::string& id) {
    if (id == managed_id) {
      parsed.Replace(property, AttachLine(attach, parsed.LineEnd(*property.line)));
    }
  });
  return std::move(parsed).Finish();
}

absl::StatusOr<std::string> CorrectAttaches(
    std::string_view text,
    const std::function<std::optional<ManagedAttach>(const std::string& managed_id)>& find) {
  PODKIT_ASSIGN_OR_RETURN(AttachText parsed, AttachText::Parse(text));
  parsed.ForEachUse([&](const Component&, const Property& property, const std::string& id) {
    const auto attach = find(id);
    const std::string_view line_end = parsed.LineEnd(*property.line);
    if (!attach) {
      parsed.Replace(property, WithoutManagedId(property, line_end));
    } else if (!Says(property, *attach)) {
      parsed.Replace(property, AttachLine(*attach, line_end));
    }
  });
  return std::move(parsed).Finish();
}

}  // namespace podkit::store::calendar
