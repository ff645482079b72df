// One calendar object: an event, a to-do or a journal entry with its overridden instances.
//
// Internal objects answer from the owner's file, external ones through the conduit; a caller cannot
// tell. A handle keeps what was true when it was made; methods work on what is true when they are
// called. Owner-thread. Must not outlive the Store it comes from. Errors: see errors.h;
// NoSuchObject when it was removed meanwhile; AccessDenied by the rights of the acting user,
// checked where the data is; PodUnavailable when the owner's pod is down.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/attachment.h"
#include "podkit/store/types.h"

namespace podkit::store {

class ObjectResource {
 public:
  virtual ~ObjectResource() = default;

  virtual const ObjectInfo& info() const = 0;

  // The bytes that the client stored.
  virtual absl::StatusOr<Bytes> Text() = 0;

  // Replaces the text; the UID must stay. Durable when it returns.
  virtual absl::StatusOr<PutResult> SetText(const Bytes& text, const Precondition& condition) = 0;

  virtual absl::Status Remove(const Precondition& condition) = 0;

  // Attachments. A change of them is one of the object's text, which stays byte for byte but for
  // ATTACH properties, and components for instances that had none. Both or neither is done.
  // NoSuchAttachment; NoSuchInstance; AttachmentTooLarge, TooManyAttachments, QuotaExceeded: the
  // limits of the owner's pod (see StoreOptions); AccessDenied to who sees busy time only.

  // Attaches what `bytes` gives, reading it once and to its end. Takes two parts in memory, and a
  // round trip for each where the owner lives elsewhere.
  absl::StatusOr<AttachmentResult> AddAttachment(const NewAttachment& attachment,
                                                 const ByteSource& bytes);
  // The same in the place of an attachment, wherever in this object it is used. It gets another
  // managed id; other objects keep what they have.
  absl::StatusOr<AttachmentResult> UpdateAttachment(const std::string& managed_id,
                                                    const NewAttachment& attachment,
                                                    const ByteSource& bytes);
  // From these instances (see NewAttachment), or from all of the object. The bytes go when nothing
  // uses them any more. Gives the object as it is then.
  virtual absl::StatusOr<ObjectInfo> RemoveAttachment(const std::string& managed_id,
                                                      const std::vector<std::string>& instances,
                                                      const Precondition& condition) = 0;
  // By managed id.
  virtual absl::StatusOr<std::vector<AttachmentInfo>> ListAttachments() = 0;
  // Gives all bytes of an attachment to `sink`, checked against what was attached.
  // AttachmentDamaged.
  absl::Status ReadAttachment(const std::string& managed_id, const AttachmentSink& sink);

  // What those calls are made of.
  virtual absl::StatusOr<UploadedPart> UploadAttachmentPart(const UploadPart& part) = 0;
  virtual absl::StatusOr<AttachmentResult> WriteAttachment(const AttachmentWrite& write) = 0;
  // From `offset`, which is at most the size.
  virtual absl::StatusOr<AttachmentPart> ReadAttachmentPart(const std::string& managed_id,
                                                            int64_t offset) = 0;

 private:
  absl::StatusOr<AttachmentResult> SendAttachment(AttachmentWrite write, const ByteSource& bytes);
};

}  // namespace podkit::store
