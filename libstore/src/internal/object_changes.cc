#include "internal/object_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "attachments/attachment_table.h"
#include "attachments/managed_text.h"
#include "calendar/personal_text.h"
#include "common/status_macros.h"
#include "hash.h"
#include "ids.h"
#include "names.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr size_t kEtagDigits = 32;

absl::Status CheckComponent(ObjectTable& table, const std::string& component) {
  PODKIT_ASSIGN_OR_RETURN(const auto supported, table.Components());
  if (supported.empty()) return absl::OkStatus();
  if (std::find(supported.begin(), supported.end(), component) != supported.end()) {
    return absl::OkStatus();
  }
  return MakeError(
      UnsupportedComponent{.collection = table.name(), .component = component},
      fmt::format("collection '{}' takes no {}: use another collection", table.name(), component));
}

// A UID is in a collection once.
absl::Status CheckUid(ObjectTable& table, const std::string& uid) {
  PODKIT_ASSIGN_OR_RETURN(const auto holder, table.FindByUid(uid));
  if (!holder) return absl::OkStatus();
  return MakeError(UidConflict{.uid = uid, .object = holder->name},
                   fmt::format("collection '{}' has the UID '{}' already, in object '{}'",
                               table.name(), uid, holder->name));
}

void Describe(const ObjectContent& content, const PutOptions& options, ObjectInfo* object) {
  object->component = content.facts.component;
  object->etag = content.etag;
  object->size = static_cast<int64_t>(content.text.size());
  object->summary = content.facts.summary;
  object->modified_by = options.actor->author();
  object->modified = options.now;
}

absl::StatusOr<PutResult> Create(ObjectTable& table, const std::string& name,
                                 const ObjectContent& content, const PutOptions& options) {
  PODKIT_RETURN_IF_ERROR(CheckUid(table, content.facts.uid));
  ObjectInfo object = {
      .id = NewId(), .name = name, .uid = content.facts.uid, .created = options.now};
  Describe(content, options, &object);
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, table.BeginChange(options.now));
  PODKIT_RETURN_IF_ERROR(table.Insert(object, content, revision));
  return PutResult{.object = std::move(object), .created = true};
}

absl::StatusOr<PutResult> Replace(ObjectTable& table, ObjectInfo object,
                                  const ObjectContent& content, const PutOptions& options) {
  if (object.uid != content.facts.uid) {
    return MakeError(UidChanged{.object = object.name, .uid = object.uid},
                     fmt::format("object '{}' has the UID '{}', which must stay: the new text has "
                                 "'{}'",
                                 object.name, object.uid, content.facts.uid));
  }
  if (object.etag == content.etag && object.size == static_cast<int64_t>(content.text.size())) {
    return PutResult{.object = std::move(object), .unchanged = true};
  }
  Describe(content, options, &object);
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, table.BeginChange(options.now));
  PODKIT_RETURN_IF_ERROR(table.Replace(object, content, revision));
  return PutResult{.object = std::move(object)};
}

absl::StatusOr<PutResult> PutContent(ObjectTable& table, const std::string& name,
                                     const std::optional<ObjectInfo>& existing,
                                     const ObjectContent& content, const ManagedText& managed,
                                     const PutOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(PutResult result, existing ? Replace(table, *existing, content, options)
                                                     : Create(table, name, content, options));
  if (existing || !managed.managed_ids.empty()) {
    PODKIT_RETURN_IF_ERROR(SetUses(table.database(), result.object.id, managed.managed_ids));
  }
  return result;
}

}  // namespace

absl::Status CheckPrecondition(const ObjectTable& table, const std::string& name,
                               const std::optional<ObjectInfo>& existing,
                               const Precondition& condition) {
  if (condition.must_not_exist && existing) {
    return MakeError(ObjectExists{.collection = table.name(), .object = name},
                     fmt::format("collection '{}' has an object '{}' already", table.name(), name));
  }
  if (!condition.etag || (existing && existing->etag == *condition.etag)) return absl::OkStatus();
  const std::string present = existing ? existing->etag : "";
  return MakeError(
      PreconditionFailed{.object = name, .etag = present},
      existing ? fmt::format("object '{}' has the ETag {} now: read it again", name, present)
               : fmt::format("object '{}' is not there any more", name));
}

absl::Status CheckObjectName(const std::string& name) { return CheckName("an object", name); }

std::string EtagOf(std::string_view text) { return Sha256Hex(text).substr(0, kEtagDigits); }

absl::StatusOr<ObjectContent> UnderstandObject(const std::string& name, std::string_view text,
                                               int64_t max_bytes) {
  if (text.size() > static_cast<size_t>(max_bytes)) {
    return MakeError(
        StoreFull{.object = name},
        fmt::format("object '{}' has {} bytes: {} are the limit", name, text.size(), max_bytes));
  }
  auto facts = ValidateCalendarObject(text, CalendarSource::kClient,
                                      {.max_object_bytes = static_cast<size_t>(max_bytes)});
  if (!facts.ok()) return RefuseCalendar(name, facts.status());
  auto content = MakeContent(text, *std::move(facts));
  return content.ok() ? content : RefuseCalendar(name, content.status());
}

absl::StatusOr<ObjectContent> MakeContent(std::string_view text, CalendarObjectInfo facts) {
  ObjectContent content = {.text = text, .etag = EtagOf(text), .facts = std::move(facts)};
  content.shared_etag = content.etag;
  content.shared_size = static_cast<int64_t>(text.size());
  if (!calendar::MayHaveAlarms(text)) return content;
  PODKIT_ASSIGN_OR_RETURN(const std::string shared, calendar::PersonalText(text, {}));
  content.shared_etag = EtagOf(shared);
  content.shared_size = static_cast<int64_t>(shared.size());
  return content;
}

absl::Status RefuseCalendar(const std::string& what, const absl::Status& status) {
  const auto error = GetCalendarDataError(status);
  if (!error) return status;
  return MakeError(InvalidCalendarData{.line = error->line, .reason = error->reason},
                   fmt::format("'{}': {}", what, std::string(status.message())));
}

absl::StatusOr<PutResult> PutObjectByName(ObjectTable& table, const std::string& name,
                                          const ObjectContent& content,
                                          const Precondition& condition,
                                          const PutOptions& options) {
  PODKIT_RETURN_IF_ERROR(CheckComponent(table, content.facts.component));
  PODKIT_ASSIGN_OR_RETURN(const auto existing, table.FindByName(name));
  PODKIT_RETURN_IF_ERROR(CheckPrecondition(table, name, existing, condition));
  PODKIT_ASSIGN_OR_RETURN(const ManagedText managed,
                          CheckManagedText(table.database(), existing ? existing->id : "", name,
                                           content.text, options));
  if (!managed.corrected) return PutContent(table, name, existing, content, managed, options);
  PODKIT_ASSIGN_OR_RETURN(
      const ObjectContent corrected,
      UnderstandObject(name, *managed.corrected, options.store->max_object_bytes));
  PODKIT_ASSIGN_OR_RETURN(PutResult result,
                          PutContent(table, name, existing, corrected, managed, options));
  result.altered = true;
  return result;
}

absl::Status RemoveObject(ObjectTable& table, const ObjectInfo& object,
                          const Precondition& condition, absl::Time now) {
  PODKIT_RETURN_IF_ERROR(CheckPrecondition(table, object.name, object, {.etag = condition.etag}));
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, table.BeginChange(now));
  return table.Remove(object, revision);
}

absl::StatusOr<ObjectInfo> MoveObject(ObjectTable& from, const std::string& name, ObjectTable& to,
                                      const std::string& to_name, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(auto found, from.FindByName(name));
  if (!found) return NoSuchObjectError(from.name(), name);
  ObjectInfo& object = *found;
  const bool stays = from.collection_id() == to.collection_id();
  if (stays && name == to_name) return object;
  PODKIT_RETURN_IF_ERROR(CheckComponent(to, object.component));
  PODKIT_ASSIGN_OR_RETURN(const auto occupant, to.FindByName(to_name));
  PODKIT_RETURN_IF_ERROR(CheckPrecondition(to, to_name, occupant, {.must_not_exist = true}));
  if (!stays) PODKIT_RETURN_IF_ERROR(CheckUid(to, object.uid));
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, from.BeginChange(now));
  if (!stays) PODKIT_RETURN_IF_ERROR(to.SetRevision(revision, now));
  PODKIT_RETURN_IF_ERROR(to.MoveHere(from, object, to_name, revision));
  object.name = to_name;
  return object;
}

}  // namespace podkit::store
