// An object each of whose remote actions is a call through `Caller`: see home_through.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "podkit/store/object_resource.h"

namespace podkit::store {

template <typename Caller>
class ObjectResourceThrough : public ObjectResource {
 public:
  absl::StatusOr<Bytes> Text() override { return caller_.template Call<&ObjectResource::Text>(); }
  absl::StatusOr<PutResult> SetText(const Bytes& text, const Precondition& condition) override {
    return caller_.template Call<&ObjectResource::SetText>(text, condition);
  }
  absl::Status Remove(const Precondition& condition) override {
    return caller_.template Call<&ObjectResource::Remove>(condition);
  }
  absl::StatusOr<UploadedPart> UploadAttachmentPart(const UploadPart& part) override {
    return caller_.template Call<&ObjectResource::UploadAttachmentPart>(part);
  }
  absl::StatusOr<AttachmentResult> WriteAttachment(const AttachmentWrite& write) override {
    return caller_.template Call<&ObjectResource::WriteAttachment>(write);
  }
  absl::StatusOr<ObjectInfo> RemoveAttachment(const std::string& managed_id,
                                              const std::vector<std::string>& instances,
                                              const Precondition& condition) override {
    return caller_.template Call<&ObjectResource::RemoveAttachment>(managed_id, instances,
                                                                    condition);
  }
  absl::StatusOr<std::vector<AttachmentInfo>> ListAttachments() override {
    return caller_.template Call<&ObjectResource::ListAttachments>();
  }
  absl::StatusOr<AttachmentPart> ReadAttachmentPart(const std::string& managed_id,
                                                    int64_t offset) override {
    return caller_.template Call<&ObjectResource::ReadAttachmentPart>(managed_id, offset);
  }

 protected:
  explicit ObjectResourceThrough(Caller caller) : caller_(std::move(caller)) {}
  const Caller& caller() const { return caller_; }

 private:
  const Caller caller_;
};

}  // namespace podkit::store
