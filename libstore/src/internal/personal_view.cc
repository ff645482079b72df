#include "internal/personal_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/status_macros.h"
#include "internal/object_changes.h"
#include "internal/rights.h"
#include "podkit/store/errors.h"
#include "sqlite/user_store.h"

namespace podkit::store {
namespace {

using calendar::PersonalData;

// What the row holds. One that cannot be read, as one of a newer version, is as if he had nothing.
PersonalData ReadData(const std::string& json) {
  auto data = conduit::FromJson<PersonalData>(json);
  return data.ok() ? *std::move(data) : PersonalData{};
}

// What he sees of a text. One that cannot be taken apart is not shown to him as it is: the owner's
// alarms might be in it.
absl::StatusOr<std::string> Render(const std::string& text, const PersonalData& data) {
  if (data.parts.empty() && !calendar::MayHaveAlarms(text)) return text;
  return calendar::PersonalText(text, data);
}

void DescribeText(const std::string& text, ObjectInfo* object) {
  object->etag = EtagOf(text);
  object->size = static_cast<int64_t>(text.size());
}

}  // namespace

absl::StatusOr<std::optional<ObjectInfo>> PersonalView::FindByName(std::string_view name) {
  return Adjust(table().FindByName(name));
}

absl::StatusOr<std::optional<ObjectInfo>> PersonalView::FindByUid(std::string_view uid) {
  return Adjust(table().FindByUid(uid));
}

absl::StatusOr<std::optional<ObjectInfo>> PersonalView::FindById(std::string_view id) {
  return Adjust(table().FindById(id));
}

absl::StatusOr<std::optional<ObjectInfo>> PersonalView::Adjust(
    absl::StatusOr<std::optional<ObjectInfo>> found) {
  if (!found.ok() || !found->has_value()) return found;
  ObjectInfo& object = **found;
  bool personal = false;
  PODKIT_RETURN_IF_ERROR(table().database().Query(
      "SELECT shared_etag, shared_size, (SELECT data <> '{}' FROM personal"
      " WHERE object_id = object.id AND viewer_uid = ?) FROM object WHERE id = ?",
      {viewer_uid_, object.id}, [&](const Row& row) {
        personal = row.IsNull(0) || row.Integer(2) != 0;
        if (personal) return;
        object.etag = row.Text(0);
        object.size = row.Integer(1);
      }));
  if (!personal) return found;
  PODKIT_ASSIGN_OR_RETURN(const auto text, TextOf(object.id));
  if (text) DescribeText(*text, &object);
  return found;
}

absl::StatusOr<std::vector<ObjectInfo>> PersonalView::ChangedSince(int64_t revision) {
  PODKIT_ASSIGN_OR_RETURN(auto objects, table().ChangedForViewerSince(revision, viewer_uid_));
  std::vector<ObjectInfo> changed;
  changed.reserve(objects.size());
  for (auto& [object, is_personal] : objects) {
    if (is_personal) {
      PODKIT_ASSIGN_OR_RETURN(const auto text, TextOf(object.id));
      if (text) DescribeText(*text, &object);
    }
    changed.push_back(std::move(object));
  }
  return changed;
}

absl::StatusOr<std::optional<std::string>> PersonalView::TextOf(std::string_view object_id) {
  PODKIT_ASSIGN_OR_RETURN(const auto text, table().TextOf(object_id));
  if (!text) return std::nullopt;
  PODKIT_ASSIGN_OR_RETURN(const PersonalData data, DataOf(object_id));
  PODKIT_ASSIGN_OR_RETURN(std::string rendered, Render(*text, data));
  return rendered;
}

absl::Status PersonalView::VisitTexts(const std::optional<TimeRange>& range, const Visitor& visit) {
  std::map<std::string, std::string> data;
  PODKIT_RETURN_IF_ERROR(table().database().Query(
      "SELECT object_id, data FROM personal WHERE viewer_uid = ? AND data <> '{}'", {viewer_uid_},
      [&](const Row& row) { data.emplace(row.Text(0), row.Text(1)); }));
  absl::Status status;
  PODKIT_RETURN_IF_ERROR(table().VisitTexts(range, [&](const ObjectInfo& object,
                                                       const std::string& text) {
    const auto own = data.find(object.id);
    const auto rendered = Render(text, own == data.end() ? PersonalData{} : ReadData(own->second));
    if (!rendered.ok()) {
      status = RefuseCalendar(object.name, rendered.status());
      return;
    }
    ObjectInfo seen = object;
    if (*rendered != text) DescribeText(*rendered, &seen);
    visit(seen, *rendered);
  }));
  return status;
}

absl::StatusOr<int64_t> PersonalView::Revision() {
  PODKIT_ASSIGN_OR_RETURN(const int64_t shared, table().Revision());
  PODKIT_ASSIGN_OR_RETURN(
      const auto own,
      table().database().QueryInteger(
          "SELECT personal_revision FROM bind WHERE collection_id = ? AND viewer_uid = ?",
          {table().collection_id(), viewer_uid_}));
  return std::max(shared, own.value_or(0));
}

absl::StatusOr<PersonalData> PersonalView::DataOf(std::string_view object_id) {
  PODKIT_ASSIGN_OR_RETURN(const auto json,
                          table().database().QueryText(
                              "SELECT data FROM personal WHERE object_id = ? AND viewer_uid = ?",
                              {object_id, viewer_uid_}));
  return json ? ReadData(*json) : PersonalData{};
}

absl::Status PersonalView::SaveData(const std::string& object_id, const PersonalData& data,
                                    const PutOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const PersonalData old, DataOf(object_id));
  const std::string json = data.parts.empty() ? "{}" : conduit::ToJson(data);
  if (json == (old.parts.empty() ? "{}" : conduit::ToJson(old))) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, NextRevision(table().database()));
  PODKIT_RETURN_IF_ERROR(table().database().Execute(
      "INSERT OR REPLACE INTO personal (object_id, viewer_uid, data, modified_at, revision)"
      " VALUES (?, ?, ?, ?, ?)",
      {object_id, viewer_uid_, json, ToSqlTime(options.now), revision}));
  return table().database().Execute(
      "UPDATE bind SET personal_revision = ? WHERE collection_id = ? AND viewer_uid = ?",
      {revision, table().collection_id(), viewer_uid_});
}

absl::StatusOr<PutResult> PersonalView::PutShared(const std::optional<ObjectInfo>& existing,
                                                  const std::string& name,
                                                  const ObjectContent& content,
                                                  const std::string& owner_text,
                                                  const PutOptions& options) {
  if (access_ != Access::kReadWrite) {
    const std::string& id = table().collection_id();
    const std::string of_old =
        existing ? fmt::format(
                       ": of the object '{}' he may change his alarms and TRANSP, nothing "
                       "else",
                       name)
                 : "";
    return MakeError(AccessDenied{.actor = viewer_uid_, .collection = id},
                     fmt::format("user '{}' may only read '{}'{}", viewer_uid_,
                                 TitleOf(table().database(), id), of_old));
  }
  if (owner_text == content.text) return ObjectView::Put(name, content, {}, options);
  PODKIT_ASSIGN_OR_RETURN(const ObjectContent shared,
                          UnderstandObject(name, owner_text, options.store->max_object_bytes));
  // Before anything else: an object keeps its UID, whatever its viewers write.
  PODKIT_ASSIGN_OR_RETURN(PutResult result, ObjectView::Put(name, shared, {}, options));
  result.created = !existing.has_value();
  return result;
}

absl::StatusOr<PutResult> PersonalView::Put(const std::string& name, const ObjectContent& content,
                                            const Precondition& condition,
                                            const PutOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto existing, FindByName(name));
  PODKIT_RETURN_IF_ERROR(CheckPrecondition(table(), name, existing, condition));
  std::string owner_text;
  if (existing) {
    PODKIT_ASSIGN_OR_RETURN(const auto stored, table().TextOf(existing->id));
    owner_text = stored.value_or("");
  }
  const auto split = calendar::SplitViewerText(content.text, owner_text);
  if (!split.ok()) return RefuseCalendar(name, split.status());
  PutResult result;
  if (existing && split->owner_text == owner_text) {
    result.object = *existing;
    result.unchanged = true;
  } else {
    PODKIT_ASSIGN_OR_RETURN(result, PutShared(existing, name, content, split->owner_text, options));
  }
  PODKIT_RETURN_IF_ERROR(SaveData(result.object.id, split->data, options));
  PODKIT_ASSIGN_OR_RETURN(const auto seen, FindById(result.object.id));
  if (seen) result.object = *seen;
  result.unchanged = existing && existing->etag == result.object.etag;
  result.altered = result.object.etag != content.etag;
  return result;
}

}  // namespace podkit::store
