#include "attachments/attachment_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "attachments/attachment_table.h"
#include "attachments/managed_text.h"
#include "calendar/attach_text.h"
#include "calendar/display_text.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ids.h"
#include "internal/object_changes.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr size_t kMostNameBytes = 255;
constexpr std::string_view kAnyType = "application/octet-stream";

bool IsFileName(std::string_view name) {
  return name.size() <= kMostNameBytes && calendar::IsUtf8(name) &&
         std::none_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/' || c == '\\';
         });
}

// "type/subtype" (RFC 6838 section 4.2).
bool IsContentType(std::string_view type) {
  const auto is_name = [](std::string_view name) {
    constexpr size_t kMostBytes = 127;
    static constexpr std::string_view kOthers = "!#$&-^_.+";
    return !name.empty() && name.size() <= kMostBytes &&
           std::all_of(name.begin(), name.end(), [](char c) {
             return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    kOthers.find(c) != std::string_view::npos;
           });
  };
  const size_t slash = type.find('/');
  return slash != std::string_view::npos && is_name(type.substr(0, slash)) &&
         is_name(type.substr(slash + 1));
}

// Without parameters.
std::string_view ContentTypeOf(const NewAttachment& attachment) {
  const std::string_view type = TrimSpace(
      std::string_view(attachment.content_type).substr(0, attachment.content_type.find(';')));
  return type.empty() ? kAnyType : type;
}

absl::Status NoSuchAttachmentError(const std::string& object, const std::string& managed_id) {
  return MakeError(NoSuchAttachment{.object = object, .managed_id = managed_id},
                   fmt::format("object '{}' has no attachment '{}'", object, managed_id));
}

absl::Status CheckUse(Database& database, const ObjectInfo& object, const std::string& managed_id) {
  PODKIT_ASSIGN_OR_RETURN(const auto used, UsedAttachments(database, object.id));
  if (std::find(used.begin(), used.end(), managed_id) != used.end()) return absl::OkStatus();
  return NoSuchAttachmentError(object.name, managed_id);
}

absl::Status CheckOneMore(Database& database, const ObjectInfo& object,
                          const StoreOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto used, UsedAttachments(database, object.id));
  const int64_t limit = options.max_attachments_per_object;
  if (static_cast<int64_t>(used.size()) < limit) return absl::OkStatus();
  return MakeError(TooManyAttachments{.object = object.name, .limit = limit},
                   fmt::format("object '{}' has {} attachments, which is the limit: remove one "
                               "of them first",
                               object.name, used.size()));
}

// The parts that the actor uploaded are his, and wait no more.
absl::Status TakeParts(Database& database, const AttachedFile& file, const PutOptions& options) {
  // Later than that somebody may have collected it.
  if (file.last_put && options.now > *file.last_put + kUploadLife) {
    return MakeError(StoreBusy{.uid = database.uid()}, "the file took too long: try again");
  }
  const size_t own = file.last_put ? 1 : 0;
  for (size_t i = 0; i + own < file.parts.size(); ++i) {
    PODKIT_RETURN_IF_ERROR(
        CheckUploaded(database, file.parts[i], options.actor->author(), options.now));
  }
  for (const UploadedPart& part : file.parts) {
    PODKIT_RETURN_IF_ERROR(ForgetUpload(database, part, options.actor->author()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> StoredText(ObjectView& view, const ObjectInfo& object) {
  PODKIT_ASSIGN_OR_RETURN(auto text, view.table().TextOf(object.id));
  if (!text) return NoSuchObjectError(view.name(), object.name);
  return *std::move(text);
}

// An instance that is not there, by the name that callers know; a text that is none.
absl::Status Explain(const ObjectInfo& object, const absl::Status& status) {
  if (absl::IsNotFound(status)) {
    return MakeError(NoSuchInstance{.object = object.name},
                     fmt::format("object '{}': {}", object.name, std::string(status.message())));
  }
  return RefuseCalendar(object.name, status);
}

// Stores the text that everybody has of the object; gives the object as the actor sees it then.
absl::StatusOr<ObjectInfo> StoreText(ObjectView& view, const ObjectInfo& object,
                                     const absl::StatusOr<std::string>& text,
                                     const PutOptions& options) {
  if (!text.ok()) return Explain(object, text.status());
  PODKIT_ASSIGN_OR_RETURN(const auto stored, view.table().FindById(object.id));
  if (!stored) return NoSuchObjectError(view.name(), object.name);
  PODKIT_ASSIGN_OR_RETURN(const ObjectContent content,
                          UnderstandObject(stored->name, *text, options.store->max_object_bytes));
  PODKIT_RETURN_IF_ERROR(
      PutObjectByName(view.table(), stored->name, content, {}, options).status());
  return view.Find({.id = object.id});
}

// The bytes that go with one use of an attachment: none if there are others.
absl::StatusOr<int64_t> FreedWithout(Database& database, std::string_view managed_id) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto size,
      database.QueryInteger("SELECT size FROM attachment WHERE managed_id = ?1 AND"
                            " (SELECT count(*) FROM attachment_use WHERE managed_id = ?1) = 1",
                            {managed_id}));
  return size.value_or(0);
}

int64_t SizeOf(const std::vector<UploadedPart>& parts) {
  int64_t size = 0;
  for (const UploadedPart& part : parts) size += part.size;
  return size;
}

}  // namespace

absl::Status CheckAttachmentWrite(const AttachmentWrite& write) {
  const NewAttachment& attachment = write.attachment;
  if (!write.managed_id.empty() && !attachment.instances.empty()) {
    return MakeError(InvalidRequest{},
                     "instances: leave them out when an attachment is replaced; it is replaced "
                     "wherever the object uses it");
  }
  if (!IsFileName(attachment.file_name)) {
    return MakeError(InvalidRequest{},
                     fmt::format("file_name: at most {} bytes of UTF-8 without control characters, "
                                 "'/' and '\\'",
                                 kMostNameBytes));
  }
  if (IsContentType(ContentTypeOf(attachment))) return absl::OkStatus();
  return MakeError(InvalidRequest{}, "content_type: give one like image/png");
}

absl::Status CheckAttachmentSize(int64_t bytes, const StoreOptions& options) {
  if (bytes <= options.max_attachment_bytes) return absl::OkStatus();
  return MakeError(AttachmentTooLarge{.limit = options.max_attachment_bytes},
                   fmt::format("an attachment has at most {} bytes: attach a smaller file",
                               options.max_attachment_bytes));
}

absl::Status CheckQuota(Database& database, int64_t more, const PutOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t used, QuotaUsed(database, options.now));
  const int64_t limit = options.store->attachment_quota;
  if (used + more <= limit) return absl::OkStatus();
  return MakeError(QuotaExceeded{.owner = database.uid(), .limit = limit, .used = used},
                   fmt::format("the attachments of '{}' have {} bytes of {} that they may have, "
                               "and {} more do not fit: remove some of them first",
                               database.uid(), used, limit, more));
}

absl::StatusOr<AttachmentResult> AttachFile(ObjectView& view, const ObjectInfo& object,
                                            const AttachmentWrite& write, const AttachedFile& file,
                                            const PutOptions& options) {
  Database& database = view.table().database();
  const NewAttachment& attachment = write.attachment;
  PODKIT_RETURN_IF_ERROR(
      CheckPrecondition(view.table(), object.name, object, {.etag = attachment.condition.etag}));
  PODKIT_RETURN_IF_ERROR(write.managed_id.empty() ? CheckOneMore(database, object, *options.store)
                                                  : CheckUse(database, object, write.managed_id));
  PODKIT_RETURN_IF_ERROR(TakeParts(database, file, options));
  AttachmentResult result{.attachment = {.managed_id = NewId(),
                                         .file_name = attachment.file_name,
                                         .content_type = std::string(ContentTypeOf(attachment)),
                                         .size = SizeOf(file.parts),
                                         .created_by = options.actor->author(),
                                         .created = options.now}};
  PODKIT_RETURN_IF_ERROR(CheckAttachmentSize(result.attachment.size, *options.store));
  PODKIT_ASSIGN_OR_RETURN(const int64_t freed, FreedWithout(database, write.managed_id));
  PODKIT_RETURN_IF_ERROR(CheckQuota(database, result.attachment.size - freed, options));
  PODKIT_RETURN_IF_ERROR(InsertAttachment(database, result.attachment, file.parts));
  const std::string id = result.attachment.managed_id;
  // Before the text, in which a managed id counts only if the object uses it or others do.
  PODKIT_RETURN_IF_ERROR(AddUse(database, object.id, id));
  PODKIT_ASSIGN_OR_RETURN(const std::string text, StoredText(view, object));
  const auto attach = ToAttach(result.attachment, database.uid(), *options.store);
  const auto changed = write.managed_id.empty()
                           ? calendar::AddAttach(text, attach, attachment.instances)
                           : calendar::ReplaceAttach(text, write.managed_id, attach);
  PODKIT_ASSIGN_OR_RETURN(result.object, StoreText(view, object, changed, options));
  PODKIT_ASSIGN_OR_RETURN(result.attachment, AttachmentOf(view, object, id, *options.store));
  return result;
}

absl::StatusOr<ObjectInfo> DetachFile(ObjectView& view, const ObjectInfo& object,
                                      const std::string& managed_id,
                                      const std::vector<std::string>& instances,
                                      const Precondition& condition, const PutOptions& options) {
  PODKIT_RETURN_IF_ERROR(
      CheckPrecondition(view.table(), object.name, object, {.etag = condition.etag}));
  PODKIT_RETURN_IF_ERROR(CheckUse(view.table().database(), object, managed_id));
  PODKIT_ASSIGN_OR_RETURN(const std::string text, StoredText(view, object));
  return StoreText(view, object, calendar::RemoveAttach(text, managed_id, instances), options);
}

absl::StatusOr<std::vector<AttachmentInfo>> AttachmentsOf(ObjectView& view,
                                                          const ObjectInfo& object,
                                                          const StoreOptions& options) {
  Database& database = view.table().database();
  PODKIT_ASSIGN_OR_RETURN(const auto ids, UsedAttachments(database, object.id));
  std::vector<AttachmentInfo> attachments;
  if (ids.empty()) return attachments;
  PODKIT_ASSIGN_OR_RETURN(const std::string text, StoredText(view, object));
  const auto uses = calendar::FindManagedAttaches(text);
  if (!uses.ok()) return RefuseCalendar(object.name, uses.status());
  for (const std::string& id : ids) {
    PODKIT_ASSIGN_OR_RETURN(auto attachment, FindAttachment(database, id));
    if (!attachment) continue;
    attachment->uri = ToAttach(*attachment, database.uid(), options).uri;
    for (const calendar::AttachUse& use : *uses) {
      if (use.managed_id == id) attachment->instances.push_back(use.instance);
    }
    attachments.push_back(*std::move(attachment));
  }
  return attachments;
}

absl::StatusOr<AttachmentInfo> AttachmentOf(ObjectView& view, const ObjectInfo& object,
                                            const std::string& managed_id,
                                            const StoreOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(auto attachments, AttachmentsOf(view, object, options));
  for (AttachmentInfo& attachment : attachments) {
    if (attachment.managed_id == managed_id) return std::move(attachment);
  }
  return NoSuchAttachmentError(object.name, managed_id);
}

}  // namespace podkit::store
