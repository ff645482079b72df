#include "internal/busy_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "calendar/busy_text.h"
#include "common/status_macros.h"
#include "internal/object_changes.h"

namespace podkit::store {
namespace {

constexpr std::string_view kSuffix = ".ics";

std::string NameOf(const std::string& id) { return id + std::string(kSuffix); }

// What shows of an object whose text looks like this.
ObjectInfo Describe(const ObjectInfo& object, const std::string& text) {
  return {.id = object.id,
          .name = NameOf(object.id),
          .uid = object.id,
          .component = object.component,
          .etag = EtagOf(text),
          .size = static_cast<int64_t>(text.size()),
          .summary = "Busy",
          .created = absl::UnixEpoch(),
          .modified = absl::UnixEpoch()};
}

}  // namespace

absl::StatusOr<std::optional<ObjectInfo>> BusyView::FindByName(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  return FindById(name.substr(0, name.size() - kSuffix.size()));
}

absl::StatusOr<std::optional<ObjectInfo>> BusyView::FindByUid(std::string_view uid) {
  return FindById(uid);
}

absl::StatusOr<std::optional<ObjectInfo>> BusyView::FindById(std::string_view id) {
  PODKIT_ASSIGN_OR_RETURN(const auto object, table().FindById(id));
  if (!object) return std::nullopt;
  PODKIT_ASSIGN_OR_RETURN(const auto text, TextOf(id));
  if (!text) return std::nullopt;
  return Describe(*object, *text);
}

absl::StatusOr<std::vector<std::string>> BusyView::Names() {
  PODKIT_ASSIGN_OR_RETURN(auto objects, ChangedSince(0));
  std::vector<std::string> names;
  names.reserve(objects.size());
  for (ObjectInfo& object : objects) names.push_back(std::move(object.name));
  return names;
}

absl::StatusOr<int64_t> BusyView::Count() {
  PODKIT_ASSIGN_OR_RETURN(const auto objects, ChangedSince(0));
  return static_cast<int64_t>(objects.size());
}

absl::StatusOr<std::vector<ObjectInfo>> BusyView::ChangedSince(int64_t revision) {
  std::vector<ObjectInfo> shown;
  if (revision == 0) {
    PODKIT_RETURN_IF_ERROR(VisitTexts(
        std::nullopt,
        [&](const ObjectInfo& object, const std::string& /*text*/) { shown.push_back(object); }));
  } else {
    PODKIT_ASSIGN_OR_RETURN(const auto changed, table().ChangedSince(revision));
    for (const ObjectInfo& object : changed) {
      PODKIT_ASSIGN_OR_RETURN(auto found, FindById(object.id));
      if (found) shown.push_back(*std::move(found));
    }
  }
  std::sort(shown.begin(), shown.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.name < b.name; });
  return shown;
}

absl::StatusOr<std::vector<std::string>> BusyView::DeletedSince(int64_t revision) {
  std::vector<std::string> names;
  PODKIT_ASSIGN_OR_RETURN(const auto deleted, table().DeletedSince(revision));
  for (const DeletedObject& object : deleted) {
    PODKIT_ASSIGN_OR_RETURN(const auto existing, table().FindById(object.id));
    // Moved within the collection: only its name is gone, which does not show here.
    if (!existing && !object.id.empty()) names.push_back(NameOf(object.id));
  }
  PODKIT_ASSIGN_OR_RETURN(const auto changed, table().ChangedSince(revision));
  for (const ObjectInfo& object : changed) {
    PODKIT_ASSIGN_OR_RETURN(const auto text, TextOf(object.id));
    if (!text) names.push_back(NameOf(object.id));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

absl::StatusOr<std::optional<std::string>> BusyView::TextOf(std::string_view object_id) {
  PODKIT_ASSIGN_OR_RETURN(const auto text, table().TextOf(object_id));
  if (!text) return std::nullopt;
  return calendar::BusyText(*text, object_id);
}

absl::Status BusyView::VisitTexts(const std::optional<TimeRange>& range, const Visitor& visit) {
  return table().VisitTexts(range, [&](const ObjectInfo& object, const std::string& text) {
    const auto busy = calendar::BusyText(text, object.id);
    if (busy) visit(Describe(object, *busy), *busy);
  });
}

std::string BusyView::TokenPrefix() const {
  return fmt::format("data:,{}/busy/", table().collection_id());
}

}  // namespace podkit::store
