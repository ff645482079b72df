#include "internal/import.h"

#include <optional>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "hash.h"
#include "ids.h"
#include "internal/object_changes.h"
#include "podkit/store/home_child.h"

namespace podkit::store {
namespace {

// A free name for a new object: its UID if that can be one, for then the same file gives the same
// names everywhere.
absl::StatusOr<std::string> ChooseName(ObjectTable& table, const std::string& uid) {
  for (const std::string& base : {uid, Sha256Hex(uid)}) {
    std::string name = base + ".ics";
    if (!IsValidName(name)) continue;
    PODKIT_ASSIGN_OR_RETURN(const auto occupant, table.FindByName(name));
    if (!occupant) return name;
  }
  return NewId() + ".ics";
}

std::string JoinNotes(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) {
    if (!text.empty()) text += "; ";
    text += note;
  }
  return text;
}

absl::StatusOr<PutResult> ImportOne(ObjectView& view, const ObjectContent& content,
                                    const PutOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto existing, view.table().FindByUid(content.facts.uid));
  if (existing) return view.Put(existing->name, content, {}, options);
  PODKIT_ASSIGN_OR_RETURN(const std::string name, ChooseName(view.table(), content.facts.uid));
  return view.Put(name, content, {}, options);
}

}  // namespace

absl::StatusOr<ImportPlan> PlanImport(std::string_view stream, int64_t max_object_bytes) {
  auto calendar =
      SplitCalendar(stream, {.max_object_bytes = static_cast<size_t>(max_object_bytes)});
  if (!calendar.ok()) return RefuseCalendar("import", calendar.status());
  ImportPlan plan;
  plan.calendar = *std::move(calendar);
  plan.contents.reserve(plan.calendar.objects.size());
  for (const ImportedObject& object : plan.calendar.objects) {
    auto content = MakeContent(object.text, object.info);
    if (!content.ok()) return RefuseCalendar("import", content.status());
    plan.contents.push_back(*std::move(content));
  }
  return plan;
}

absl::StatusOr<ImportReport> ImportObjects(ObjectView& view, const ImportPlan& plan,
                                           const PutOptions& options) {
  ImportReport report;
  report.items.reserve(plan.contents.size());
  for (size_t i = 0; i < plan.contents.size(); ++i) {
    PODKIT_ASSIGN_OR_RETURN(PutResult put, ImportOne(view, plan.contents[i], options));
    report.items.push_back({.uid = std::move(put.object.uid),
                            .name = std::move(put.object.name),
                            .result = put.created     ? "created"
                                      : put.unchanged ? "unchanged"
                                                      : "updated",
                            .note = JoinNotes(plan.calendar.objects[i].notes)});
  }
  return report;
}

}  // namespace podkit::store
