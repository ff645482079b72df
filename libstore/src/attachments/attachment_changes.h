// Attaches files to an object and takes them off again: its text, the rows of its attachments and
// their uses, in one transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "internal/object_view.h"
#include "podkit/store/attachment.h"

namespace podkit::store {

// InvalidRequest if the file's name or type cannot be, or if one is to be replaced in some
// instances only.
absl::Status CheckAttachmentWrite(const AttachmentWrite& write);
// AttachmentTooLarge.
absl::Status CheckAttachmentSize(int64_t bytes, const StoreOptions& options);

// QuotaExceeded if `more` bytes do not fit. Inside of UserStore::Read or Write.
absl::Status CheckQuota(Database& database, int64_t more, const PutOptions& options);

// A file of parts that are all durable.
struct AttachedFile {
  std::vector<UploadedPart> parts;
  // When the last one was put for this call; the actor uploaded the others, or all.
  std::optional<absl::Time> last_put;
};

// The rest is for use inside of UserStore::Write. `object` is as the actor sees it.

// PartNotUploaded, NoSuchAttachment, NoSuchInstance, AttachmentTooLarge, TooManyAttachments,
// QuotaExceeded.
absl::StatusOr<AttachmentResult> AttachFile(ObjectView& view, const ObjectInfo& object,
                                            const AttachmentWrite& write, const AttachedFile& file,
                                            const PutOptions& options);

// NoSuchAttachment, NoSuchInstance.
absl::StatusOr<ObjectInfo> DetachFile(ObjectView& view, const ObjectInfo& object,
                                      const std::string& managed_id,
                                      const std::vector<std::string>& instances,
                                      const Precondition& condition, const PutOptions& options);

// What the object has, by managed id. Inside of UserStore::Read or Write.
absl::StatusOr<std::vector<AttachmentInfo>> AttachmentsOf(ObjectView& view,
                                                          const ObjectInfo& object,
                                                          const StoreOptions& options);
// NoSuchAttachment.
absl::StatusOr<AttachmentInfo> AttachmentOf(ObjectView& view, const ObjectInfo& object,
                                            const std::string& managed_id,
                                            const StoreOptions& options);

}  // namespace podkit::store
