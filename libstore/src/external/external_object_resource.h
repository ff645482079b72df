// An object whose home lives on another pod.
#pragma once

#include <string>
#include <utility>

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

 private:
  const RemoteCaller remote_;
  const ObjectInfo info_;
};

}  // namespace podkit::store
