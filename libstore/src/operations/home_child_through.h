// A collection each of whose remote actions is a call through `Caller`: see home_through.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "podkit/store/home_child.h"

namespace podkit::store {

template <typename Caller>
class HomeChildThrough : public HomeChild {
 public:
  absl::StatusOr<std::vector<std::string>> ListObjects() override {
    return caller_.template Call<&HomeChild::ListObjects>();
  }
  absl::StatusOr<int64_t> CountObjects() override {
    return caller_.template Call<&HomeChild::CountObjects>();
  }
  absl::StatusOr<std::vector<ObjectInfo>> LoadObjects() override {
    return caller_.template Call<&HomeChild::LoadObjects>();
  }
  absl::StatusOr<std::vector<ObjectInfo>> LoadObjectsWithNames(
      const std::vector<std::string>& names) override {
    return caller_.template Call<&HomeChild::LoadObjectsWithNames>(names);
  }
  absl::StatusOr<ObjectInfo> FindObject(const ObjectKey& key) override {
    return caller_.template Call<&HomeChild::FindObject>(key);
  }
  absl::StatusOr<std::optional<std::string>> NameForUid(const std::string& uid) override {
    return caller_.template Call<&HomeChild::NameForUid>(uid);
  }
  absl::StatusOr<std::optional<std::string>> UidForName(const std::string& name) override {
    return caller_.template Call<&HomeChild::UidForName>(name);
  }
  absl::StatusOr<std::vector<ObjectData>> Multiget(const std::vector<std::string>& names) override {
    return caller_.template Call<&HomeChild::Multiget>(names);
  }
  absl::StatusOr<std::map<std::string, Bytes>> Texts(
      const std::vector<std::string>& names) override {
    return caller_.template Call<&HomeChild::Texts>(names);
  }
  absl::StatusOr<PutResult> PutObject(const std::string& name, const Bytes& text,
                                      const Precondition& condition) override {
    return caller_.template Call<&HomeChild::PutObject>(name, text, condition);
  }
  absl::Status RemoveObject(const std::string& name, const Precondition& condition) override {
    return caller_.template Call<&HomeChild::RemoveObject>(name, condition);
  }
  absl::StatusOr<std::vector<WriteResult>> WriteObjects(
      const std::vector<ObjectWrite>& writes) override {
    return caller_.template Call<&HomeChild::WriteObjects>(writes);
  }
  absl::StatusOr<ImportReport> Import(const Bytes& calendar) override {
    return caller_.template Call<&HomeChild::Import>(calendar);
  }
  absl::StatusOr<Bytes> Export() override { return caller_.template Call<&HomeChild::Export>(); }
  absl::StatusOr<ObjectInfo> MoveObject(const std::string& name,
                                        const std::string& to_collection_id,
                                        const std::string& to_name) override {
    return caller_.template Call<&HomeChild::MoveObject>(name, to_collection_id, to_name);
  }
  absl::StatusOr<std::string> SyncToken() override {
    return caller_.template Call<&HomeChild::SyncToken>();
  }
  absl::StatusOr<Changes> ChangesSince(const std::string& sync_token) override {
    return caller_.template Call<&HomeChild::ChangesSince>(sync_token);
  }
  absl::StatusOr<std::vector<ObjectInfo>> Search(const Query& query) override {
    return caller_.template Call<&HomeChild::Search>(query);
  }

 protected:
  explicit HomeChildThrough(Caller caller) : caller_(std::move(caller)) {}
  const Caller& caller() const { return caller_; }

 private:
  const Caller caller_;
};

}  // namespace podkit::store
