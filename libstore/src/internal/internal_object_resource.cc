#include "internal/internal_object_resource.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <utility>

#include "attachments/attachment_changes.h"
#include "attachments/attachment_table.h"
#include "attachments/chunks.h"
#include "common/status_macros.h"
#include "hash.h"
#include "internal/object_changes.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

// Finds its object by id: the name may have changed.
class InternalObjectResource final : public ObjectResource {
 public:
  InternalObjectResource(CollectionAccess collection, ObjectInfo info)
      : collection_(std::move(collection)), info_(std::move(info)) {}

  const ObjectInfo& info() const override { return info_; }

  absl::StatusOr<Bytes> Text() override {
    return collection_.Read([&](ObjectView& view) -> absl::StatusOr<Bytes> {
      PODKIT_ASSIGN_OR_RETURN(auto text, view.TextOf(info_.id));
      if (!text) return NoSuchObjectError(view.name(), info_.name);
      return Bytes{*std::move(text)};
    });
  }

  absl::StatusOr<PutResult> SetText(const Bytes& text, const Precondition& condition) override {
    const auto content =
        UnderstandObject(info_.name, text.data, collection_.options().max_object_bytes);
    if (!content.ok()) return collection_.RefuseWrite(content.status());
    return collection_.WriteOwn([&](ObjectView& view) -> absl::StatusOr<PutResult> {
      PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
      return view.Put(object.name, *content, condition, collection_.put_options());
    });
  }

  absl::Status Remove(const Precondition& condition) override {
    return collection_
        .Write([&](ObjectView& view) -> absl::StatusOr<conduit::Nothing> {
          PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
          PODKIT_RETURN_IF_ERROR(RemoveObject(view.table(), object, condition, collection_.Now()));
          return conduit::Nothing{};
        })
        .status();
  }

  absl::StatusOr<UploadedPart> UploadAttachmentPart(const UploadPart& part) override;
  absl::StatusOr<AttachmentResult> WriteAttachment(const AttachmentWrite& write) override;
  absl::StatusOr<ObjectInfo> RemoveAttachment(const std::string& managed_id,
                                              const std::vector<std::string>& instances,
                                              const Precondition& condition) override {
    return collection_.Write([&](ObjectView& view) -> absl::StatusOr<ObjectInfo> {
      PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
      return DetachFile(view, object, managed_id, instances, condition, collection_.put_options());
    });
  }
  absl::StatusOr<std::vector<AttachmentInfo>> ListAttachments() override {
    return collection_.ReadAll(
        [&](ObjectView& view) -> absl::StatusOr<std::vector<AttachmentInfo>> {
          PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
          return AttachmentsOf(view, object, collection_.options());
        });
  }
  absl::StatusOr<AttachmentPart> ReadAttachmentPart(const std::string& managed_id,
                                                    int64_t offset) override;

 private:
  // The object under its present name.
  absl::StatusOr<ObjectInfo> Present(ObjectView& view) const {
    PODKIT_ASSIGN_OR_RETURN(auto object, view.FindById(info_.id));
    if (!object) return NoSuchObjectError(view.name(), info_.name);
    return *std::move(object);
  }

  // OK if the actor may attach to the object, nothing is wrong with the request by itself (`flaw`),
  // and there is room for a file of `bytes`, of which `more` are new; before any of them are kept.
  absl::Status CheckRoom(const absl::Status& flaw, int64_t bytes, int64_t more) const {
    return collection_
        .ReadToWrite([&](ObjectView& view) -> absl::StatusOr<ObjectInfo> {
          PODKIT_RETURN_IF_ERROR(flaw);
          PODKIT_RETURN_IF_ERROR(CheckAttachmentSize(bytes, collection_.options()));
          PODKIT_RETURN_IF_ERROR(
              CheckQuota(view.table().database(), more, collection_.put_options()));
          return Present(view);
        })
        .status();
  }

  // Makes the bytes durable.
  absl::StatusOr<UploadedPart> PutChunk(std::string_view bytes) const {
    UploadedPart part = {.chunk = Sha256Hex(bytes), .size = static_cast<int64_t>(bytes.size())};
    PODKIT_RETURN_IF_ERROR(
        collection_.options().chunks->Put(collection_.info().owner_uid, part.chunk, bytes));
    return part;
  }

  const CollectionAccess collection_;
  const ObjectInfo info_;
};

absl::Status CheckPartSize(size_t bytes, size_t least) {
  if (bytes >= least && bytes <= kAttachmentPartBytes) return absl::OkStatus();
  return MakeError(InvalidRequest{},
                   fmt::format("a part of a file has {} to {} bytes", least, kAttachmentPartBytes));
}

absl::StatusOr<UploadedPart> InternalObjectResource::UploadAttachmentPart(const UploadPart& part) {
  const auto size = static_cast<int64_t>(part.payload.size());
  absl::Status flaw = CheckPartSize(part.payload.size(), 1);
  if (part.offset < 0 || part.offset > std::numeric_limits<int64_t>::max() - size) {
    flaw = MakeError(InvalidRequest{}, "offset: give how many bytes of the file came before");
  }
  PODKIT_RETURN_IF_ERROR(CheckRoom(flaw, flaw.ok() ? part.offset + size : 0, size));
  PODKIT_ASSIGN_OR_RETURN(UploadedPart uploaded, PutChunk(part.payload));
  const absl::Status kept = collection_.WriteUnseen([&](Database& database) {
    return AddUpload(database, uploaded, collection_.actor().author(), collection_.Now());
  });
  if (!kept.ok()) return kept;
  return uploaded;
}

absl::StatusOr<AttachmentResult> InternalObjectResource::WriteAttachment(
    const AttachmentWrite& write) {
  absl::Status flaw = CheckPartSize(write.payload.size(), 0);
  flaw.Update(CheckAttachmentWrite(write));
  PODKIT_RETURN_IF_ERROR(CheckRoom(flaw, static_cast<int64_t>(write.payload.size()), 0));
  AttachedFile file = {.parts = write.parts, .last_put = {}};
  if (!write.payload.empty()) {
    file.last_put = collection_.Now();
    PODKIT_ASSIGN_OR_RETURN(UploadedPart last, PutChunk(write.payload));
    file.parts.push_back(std::move(last));
  }
  return collection_.Write([&](ObjectView& view) -> absl::StatusOr<AttachmentResult> {
    PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
    return AttachFile(view, object, write, file, collection_.put_options());
  });
}

absl::StatusOr<AttachmentPart> InternalObjectResource::ReadAttachmentPart(
    const std::string& managed_id, int64_t offset) {
  std::optional<ChunkPlace> place;
  PODKIT_ASSIGN_OR_RETURN(
      AttachmentInfo attachment,
      collection_.ReadAll([&](ObjectView& view) -> absl::StatusOr<AttachmentInfo> {
        PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
        PODKIT_ASSIGN_OR_RETURN(place, FindChunk(view.table().database(), managed_id, offset));
        return AttachmentOf(view, object, managed_id, collection_.options());
      }));
  if (offset < 0 || offset > attachment.size) {
    return MakeError(InvalidRequest{},
                     fmt::format("offset: the attachment has {} bytes", attachment.size));
  }
  AttachmentPart part = {.attachment = std::move(attachment), .offset = offset, .payload = {}};
  if (!place) return part;
  PODKIT_ASSIGN_OR_RETURN(
      part.payload,
      ReadChunk(*collection_.options().chunks, collection_.info().owner_uid, managed_id, *place));
  part.payload.erase(0, static_cast<size_t>(offset - place->begins_at));
  return part;
}

}  // namespace

std::unique_ptr<ObjectResource> MakeInternalObjectResource(CollectionAccess collection,
                                                           ObjectInfo info) {
  return std::make_unique<InternalObjectResource>(std::move(collection), std::move(info));
}

}  // namespace podkit::store
