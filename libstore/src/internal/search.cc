#include "internal/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/status_macros.h"
#include "names.h"
#include "podkit/store/calendar_data.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

std::string AsciiUpper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

// Whether an instance is in the range. Text that was stored is readable; should it not be, to show
// too much is better than to hide.
bool Overlaps(const std::string& text, const SearchPlan& plan) {
  const auto object = CalendarObject::Parse(text, CalendarSource::kImport);
  return !object.ok() || object->OverlapsRange(*plan.range, plan.zone);
}

}  // namespace

absl::StatusOr<SearchPlan> PlanSearch(const Query& query) {
  SearchPlan plan;
  if (query.component) {
    plan.component = AsciiUpper(*query.component);
    // Nothing is of such a type: that is a slip, not an empty answer.
    if (!IsComponentType(*plan.component)) return NoComponentTypeError(*query.component);
  }
  if (query.start || query.end) {
    plan.range = TimeRange{.start = query.start.value_or(absl::InfinitePast()),
                           .end = query.end.value_or(absl::InfiniteFuture())};
    if (plan.range->start >= plan.range->end) {
      return MakeError(InvalidRequest{}, "the range ends before it starts");
    }
  }
  if (query.time_zone) {
    const auto zone = FindTimeZone(*query.time_zone);
    if (!zone) {
      return MakeError(InvalidRequest{},
                       fmt::format("there is no time zone '{}'", *query.time_zone));
    }
    plan.zone = *zone;
  }
  return plan;
}

absl::StatusOr<std::vector<ObjectInfo>> SearchObjects(ObjectView& view, const SearchPlan& plan) {
  std::vector<ObjectInfo> found;
  if (!plan.range) {
    PODKIT_ASSIGN_OR_RETURN(found, view.ChangedSince(0));
    std::erase_if(found, [&plan](const ObjectInfo& object) {
      return plan.component && object.component != *plan.component;
    });
    return found;
  }
  PODKIT_RETURN_IF_ERROR(
      view.VisitTexts(plan.range, [&](const ObjectInfo& object, const std::string& text) {
        if (plan.component && object.component != *plan.component) return;
        if (Overlaps(text, plan)) found.push_back(object);
      }));
  std::sort(found.begin(), found.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.name < b.name; });
  return found;
}

}  // namespace podkit::store
