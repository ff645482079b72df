// A collection whose owner lives on another pod. Its objects are external ones.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "external/external_object_resource.h"
#include "external/remote_caller.h"
#include "podkit/store/home_child.h"

namespace podkit::store {

class ExternalHomeChild final : public HomeChild {
 public:
  ExternalHomeChild(const Context& context, CollectionInfo info, const Actor& actor)
      : remote_(context, TargetOf(info, actor), actor), info_(std::move(info)) {}

  const CollectionInfo& info() const override { return info_; }

  absl::StatusOr<std::unique_ptr<ObjectResource>> ObjectWith(const ObjectKey& key) override {
    auto info = FindObject(key);
    if (!info.ok()) return std::move(info).status();
    RemoteTarget target = remote_.target();
    target.objectResourceID = info->id;
    return std::make_unique<ExternalObjectResource>(
        RemoteCaller(remote_.context(), std::move(target), remote_.actor()), *std::move(info));
  }

  absl::StatusOr<std::vector<std::string>> ListObjects() override {
    return remote_.Send<&HomeChild::ListObjects>();
  }
  absl::StatusOr<int64_t> CountObjects() override {
    return remote_.Send<&HomeChild::CountObjects>();
  }
  absl::StatusOr<std::vector<ObjectInfo>> LoadObjects() override {
    return remote_.Send<&HomeChild::LoadObjects>();
  }
  absl::StatusOr<std::vector<ObjectInfo>> LoadObjectsWithNames(
      const std::vector<std::string>& names) override {
    return remote_.Send<&HomeChild::LoadObjectsWithNames>(names);
  }
  absl::StatusOr<ObjectInfo> FindObject(const ObjectKey& key) override {
    return remote_.Send<&HomeChild::FindObject>(key);
  }
  absl::StatusOr<std::optional<std::string>> NameForUid(const std::string& uid) override {
    return remote_.Send<&HomeChild::NameForUid>(uid);
  }
  absl::StatusOr<std::optional<std::string>> UidForName(const std::string& name) override {
    return remote_.Send<&HomeChild::UidForName>(name);
  }
  absl::StatusOr<std::vector<ObjectData>> Multiget(const std::vector<std::string>& names) override {
    return remote_.Send<&HomeChild::Multiget>(names);
  }
  absl::StatusOr<std::map<std::string, Bytes>> Texts(
      const std::vector<std::string>& names) override {
    return remote_.Send<&HomeChild::Texts>(names);
  }
  absl::StatusOr<PutResult> PutObject(const std::string& name, const Bytes& text,
                                      const Precondition& condition) override {
    return remote_.Send<&HomeChild::PutObject>(name, text, condition);
  }
  absl::Status RemoveObject(const std::string& name, const Precondition& condition) override {
    return remote_.Send<&HomeChild::RemoveObject>(name, condition);
  }
  absl::StatusOr<std::vector<WriteResult>> WriteObjects(
      const std::vector<ObjectWrite>& writes) override {
    return remote_.Send<&HomeChild::WriteObjects>(writes);
  }
  absl::StatusOr<ImportReport> Import(const Bytes& calendar) override {
    return remote_.Send<&HomeChild::Import>(calendar);
  }
  absl::StatusOr<Bytes> Export() override { return remote_.Send<&HomeChild::Export>(); }
  absl::StatusOr<ObjectInfo> MoveObject(const std::string& name,
                                        const std::string& to_collection_id,
                                        const std::string& to_name) override {
    return remote_.Send<&HomeChild::MoveObject>(name, to_collection_id, to_name);
  }
  absl::StatusOr<std::string> SyncToken() override { return remote_.Send<&HomeChild::SyncToken>(); }
  absl::StatusOr<Changes> ChangesSince(const std::string& sync_token) override {
    return remote_.Send<&HomeChild::ChangesSince>(sync_token);
  }
  absl::StatusOr<std::vector<ObjectInfo>> Search(const Query& query) override {
    return remote_.Send<&HomeChild::Search>(query);
  }

 private:
  static RemoteTarget TargetOf(const CollectionInfo& info, const Actor& actor) {
    return {.homeUID = info.owner_uid,
            .homeChildID = info.id,
            .homeChildSharedID = info.share_uid,
            .delegateUID = actor.delegate_uid,
            .readOnly = actor.read_only};
  }

  const RemoteCaller remote_;
  const CollectionInfo info_;
};

}  // namespace podkit::store
