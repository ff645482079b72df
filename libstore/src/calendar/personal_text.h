// Takes apart and puts together what everybody has of a calendar object and what each viewer keeps
// for himself: his alarms, and whether the event makes him busy (TRANSP).
//
// Works on raw bytes: what is nobody's own stays as it stands. All texts are objects that were
// accepted before; others are kInvalidArgument.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/conduit/message.h"

namespace podkit::store::calendar {

// What a viewer has in one component.
struct PersonalPart {
  std::string instance;                     // Its RECURRENCE-ID; empty: the series.
  std::optional<std::string> transparency;  // The value of TRANSP; nothing: as everybody has it.
  std::string alarms;                       // VALARM components, as he wrote them.

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("instance", &PersonalPart::instance),
                           conduit::Optional("transparency", &PersonalPart::transparency),
                           conduit::Optional("alarms", &PersonalPart::alarms));
  }
};

struct PersonalData {
  // Empty: nothing of his own. Else one for each component; a component without one has the alarms
  // of the series.
  std::vector<PersonalPart> parts;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("parts", &PersonalData::parts));
  }
};

// What a viewer sees of the owner's text: without the owner's alarms, with his own data.
absl::StatusOr<std::string> PersonalText(std::string_view owner_text, const PersonalData& data);

// False only for a text without VALARM components. Cheap.
bool MayHaveAlarms(std::string_view text);

struct ViewerText {
  // What the owner gets: the viewer's text with the owner's alarms and TRANSP; exactly the owner's
  // text if they differ in nothing else.
  std::string owner_text;
  PersonalData data;
};

// Takes apart what a viewer wrote. `owner_text` is empty for a new object: its TRANSP is for
// everybody then.
absl::StatusOr<ViewerText> SplitViewerText(std::string_view text, std::string_view owner_text);

}  // namespace podkit::store::calendar
