// How whole files go through the parts that both families of objects are made of.
#include <algorithm>
#include <utility>

#include "attachments/attachment_changes.h"
#include "common/status_macros.h"
#include "podkit/store/attachment.h"
#include "podkit/store/errors.h"
#include "podkit/store/object_resource.h"

namespace podkit::store {
namespace {

// The next part of the file, shorter than others only at its end.
absl::StatusOr<std::string> ReadPart(const ByteSource& bytes) {
  std::string part(kAttachmentPartBytes, '\0');
  size_t filled = 0;
  while (filled < part.size()) {
    PODKIT_ASSIGN_OR_RETURN(const size_t got, bytes(part.data() + filled, part.size() - filled));
    if (got == 0) break;
    filled += std::min(got, part.size() - filled);
  }
  part.resize(filled);
  return part;
}

}  // namespace

absl::StatusOr<AttachmentResult> ObjectResource::SendAttachment(AttachmentWrite write,
                                                                const ByteSource& bytes) {
  PODKIT_ASSIGN_OR_RETURN(write.payload, ReadPart(bytes));
  for (int64_t offset = 0; write.payload.size() == kAttachmentPartBytes;) {
    PODKIT_ASSIGN_OR_RETURN(std::string next, ReadPart(bytes));
    if (next.empty()) break;
    UploadPart part = {.offset = offset, .payload = std::move(write.payload)};
    offset += static_cast<int64_t>(part.payload.size());
    PODKIT_ASSIGN_OR_RETURN(UploadedPart uploaded, UploadAttachmentPart(part));
    write.parts.push_back(std::move(uploaded));
    write.payload = std::move(next);
  }
  return WriteAttachment(write);
}

absl::StatusOr<AttachmentResult> ObjectResource::AddAttachment(const NewAttachment& attachment,
                                                               const ByteSource& bytes) {
  return SendAttachment({.managed_id = {}, .attachment = attachment, .parts = {}, .payload = {}},
                        bytes);
}

absl::StatusOr<AttachmentResult> ObjectResource::UpdateAttachment(const std::string& managed_id,
                                                                  const NewAttachment& attachment,
                                                                  const ByteSource& bytes) {
  if (managed_id.empty()) {
    return MakeError(InvalidRequest{}, "managed_id: say which attachment is replaced");
  }
  AttachmentWrite write = {
      .managed_id = managed_id, .attachment = attachment, .parts = {}, .payload = {}};
  // Before any of a large file is sent.
  PODKIT_RETURN_IF_ERROR(CheckAttachmentWrite(write));
  return SendAttachment(std::move(write), bytes);
}

absl::Status ObjectResource::ReadAttachment(const std::string& managed_id,
                                            const AttachmentSink& sink) {
  int64_t offset = 0;
  for (;;) {
    PODKIT_ASSIGN_OR_RETURN(const AttachmentPart part, ReadAttachmentPart(managed_id, offset));
    const auto got = static_cast<int64_t>(part.payload.size());
    if (got > part.attachment.size - offset || (got == 0 && offset < part.attachment.size)) {
      return absl::InternalError("a pod answered with another part of an attachment than asked");
    }
    PODKIT_RETURN_IF_ERROR(sink(part.attachment, part.payload));
    offset += got;
    if (offset == part.attachment.size) return absl::OkStatus();
  }
}

}  // namespace podkit::store
