// A collection whose owner lives on another pod. Its objects are external ones.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "external/external_object_resource.h"
#include "external/remote_caller.h"
#include "operations/home_child_through.h"

namespace podkit::store {

class ExternalHomeChild final : public HomeChildThrough<RemoteCaller> {
 public:
  ExternalHomeChild(const Context& context, CollectionInfo info, const Actor& actor)
      : HomeChildThrough(RemoteCaller(context, TargetOf(info, actor), actor)),
        info_(std::move(info)) {}

  const CollectionInfo& info() const override { return info_; }

  absl::StatusOr<std::unique_ptr<ObjectResource>> ObjectWith(const ObjectKey& key) override {
    auto info = FindObject(key);
    if (!info.ok()) return std::move(info).status();
    RemoteTarget target = caller().target();
    target.objectResourceID = info->id;
    return std::make_unique<ExternalObjectResource>(
        RemoteCaller(caller().context(), std::move(target), caller().actor()), *std::move(info));
  }

 private:
  static RemoteTarget TargetOf(const CollectionInfo& info, const Actor& actor) {
    return {.homeUID = info.owner_uid,
            .homeChildID = info.id,
            .homeChildSharedID = info.share_uid,
            .delegateUID = actor.delegate_uid,
            .readOnly = actor.read_only};
  }

  const CollectionInfo info_;
};

}  // namespace podkit::store
