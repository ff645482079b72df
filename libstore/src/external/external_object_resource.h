// An object whose home lives on another pod.
#pragma once

#include <utility>

#include "external/remote_caller.h"
#include "operations/object_resource_through.h"

namespace podkit::store {

class ExternalObjectResource final : public ObjectResourceThrough<RemoteCaller> {
 public:
  ExternalObjectResource(RemoteCaller remote, ObjectInfo info)
      : ObjectResourceThrough(std::move(remote)), info_(std::move(info)) {}

  const ObjectInfo& info() const override { return info_; }

 private:
  const ObjectInfo info_;
};

}  // namespace podkit::store
