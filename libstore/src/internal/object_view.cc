#include "internal/object_view.h"

#include <fmt/format.h>

#include "common/status_macros.h"
#include "internal/busy_view.h"
#include "internal/object_changes.h"
#include "internal/personal_view.h"
#include "podkit/store/errors.h"

namespace podkit::store {

absl::StatusOr<std::optional<ObjectInfo>> ObjectView::FindByName(std::string_view name) {
  return table_.FindByName(name);
}

absl::StatusOr<std::optional<ObjectInfo>> ObjectView::FindByUid(std::string_view uid) {
  return table_.FindByUid(uid);
}

absl::StatusOr<std::optional<ObjectInfo>> ObjectView::FindById(std::string_view id) {
  return table_.FindById(id);
}

absl::StatusOr<ObjectInfo> ObjectView::Find(const ObjectKey& key) {
  const int members =
      int{key.name.has_value()} + int{key.uid.has_value()} + int{key.id.has_value()};
  if (members != 1) {
    return MakeError(InvalidRequest{}, "say which object by exactly one of name, uid and id");
  }
  auto found = key.name ? FindByName(*key.name) : key.uid ? FindByUid(*key.uid) : FindById(*key.id);
  if (!found.ok()) return std::move(found).status();
  if (found->has_value()) return **std::move(found);
  return NoSuchObjectError(name(), key.name ? *key.name : key.uid ? *key.uid : *key.id);
}

absl::StatusOr<std::vector<std::string>> ObjectView::Names() { return table_.Names(); }

absl::StatusOr<int64_t> ObjectView::Count() { return table_.Count(); }

absl::StatusOr<std::vector<ObjectInfo>> ObjectView::ChangedSince(int64_t revision) {
  return table_.ChangedSince(revision);
}

absl::StatusOr<std::vector<std::string>> ObjectView::DeletedSince(int64_t revision) {
  PODKIT_ASSIGN_OR_RETURN(auto deleted, table_.DeletedSince(revision));
  std::vector<std::string> names;
  names.reserve(deleted.size());
  for (DeletedObject& object : deleted) names.push_back(std::move(object.name));
  return names;
}

absl::StatusOr<std::optional<std::string>> ObjectView::TextOf(std::string_view object_id) {
  return table_.TextOf(object_id);
}

absl::Status ObjectView::VisitTexts(const std::optional<TimeRange>& range, const Visitor& visit) {
  return table_.VisitTexts(range, visit);
}

absl::StatusOr<PutResult> ObjectView::Put(const std::string& name, const ObjectContent& content,
                                          const Precondition& condition,
                                          const PutOptions& options) {
  return PutObjectByName(table_, name, content, condition, options);
}

absl::StatusOr<int64_t> ObjectView::Revision() { return table_.Revision(); }

std::string ObjectView::TokenPrefix() const {
  return fmt::format("data:,{}/", table_.collection_id());
}

std::unique_ptr<ObjectView> MakeObjectView(const Grant& grant, const Actor& actor,
                                           ObjectTable& table) {
  if (grant.as_owner) return std::make_unique<ObjectView>(table);
  switch (grant.access) {
    case Access::kOwner:
      return std::make_unique<ObjectView>(table);
    case Access::kReadWrite:
    case Access::kRead:
      return std::make_unique<PersonalView>(table, actor.uid, grant.access);
    case Access::kBusy:
      break;
  }
  return std::make_unique<BusyView>(table);
}

}  // namespace podkit::store
