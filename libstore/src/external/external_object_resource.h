// An object whose home lives on another pod.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "external/remote_caller.h"
#include "podkit/store/object_resource.h"

namespace podkit::store {

class ExternalObjectResource final : public ObjectResource {
 public:
  ExternalObjectResource(RemoteCaller remote, ObjectInfo info)
      : remote_(std::move(remote)), info_(std::move(info)) {}

  const ObjectInfo& info() const override { return info_; }

  absl::StatusOr<Bytes> Text() override { return remote_.Send<&ObjectResource::Text>(); }
  absl::StatusOr<PutResult> SetText(const Bytes& text, const Precondition& condition) override {
    return remote_.Send<&ObjectResource::SetText>(text, condition);
  }
  absl::Status Remove(const Precondition& condition) override {
    return remote_.Send<&ObjectResource::Remove>(condition);
  }
  absl::StatusOr<UploadedPart> UploadAttachmentPart(const UploadPart& part) override {
    return remote_.Send<&ObjectResource::UploadAttachmentPart>(part);
  }
  absl::StatusOr<AttachmentResult> WriteAttachment(const AttachmentWrite& write) override {
    return remote_.Send<&ObjectResource::WriteAttachment>(write);
  }
  absl::StatusOr<ObjectInfo> RemoveAttachment(const std::string& managed_id,
                                              const std::vector<std::string>& instances,
                                              const Precondition& condition) override {
    return remote_.Send<&ObjectResource::RemoveAttachment>(managed_id, instances, condition);
  }
  absl::StatusOr<std::vector<AttachmentInfo>> ListAttachments() override {
    return remote_.Send<&ObjectResource::ListAttachments>();
  }
  absl::StatusOr<AttachmentPart> ReadAttachmentPart(const std::string& managed_id,
                                                    int64_t offset) override {
    return remote_.Send<&ObjectResource::ReadAttachmentPart>(managed_id, offset);
  }

 private:
  const RemoteCaller remote_;
  const ObjectInfo info_;
};

}  // namespace podkit::store
