// The objects of a collection for a viewer who reads or writes it through a share: the owner's,
// with the viewer's own alarms and TRANSP in the place of the owner's.
//
// What he keeps for himself is in `personal`. It shows to nobody else, nor does it change what
// others have for an ETag or a sync token. Costs no reading of texts but of those that differ from
// the owner's.
#pragma once

#include <string>

#include "calendar/personal_text.h"
#include "internal/object_view.h"

namespace podkit::store {

class PersonalView final : public ObjectView {
 public:
  // `access` is kReadWrite or kRead.
  PersonalView(ObjectTable& table, std::string viewer_uid, Access access)
      : ObjectView(table), viewer_uid_(std::move(viewer_uid)), access_(access) {}

  absl::StatusOr<std::optional<ObjectInfo>> FindByName(std::string_view name) override;
  absl::StatusOr<std::optional<ObjectInfo>> FindByUid(std::string_view uid) override;
  absl::StatusOr<std::optional<ObjectInfo>> FindById(std::string_view id) override;
  absl::StatusOr<std::vector<ObjectInfo>> ChangedSince(int64_t revision) override;
  absl::StatusOr<std::optional<std::string>> TextOf(std::string_view object_id) override;
  absl::Status VisitTexts(const std::optional<TimeRange>& range, const Visitor& visit) override;
  absl::StatusOr<int64_t> Revision() override;
  // Who may only read may change what is his own.
  absl::StatusOr<PutResult> Put(const std::string& name, const ObjectContent& content,
                                const Precondition& condition, const PutOptions& options) override;

 private:
  // As he sees it, if there is one.
  absl::StatusOr<std::optional<ObjectInfo>> Adjust(absl::StatusOr<std::optional<ObjectInfo>> found);
  absl::StatusOr<calendar::PersonalData> DataOf(std::string_view object_id);
  absl::Status SaveData(const std::string& object_id, const calendar::PersonalData& data,
                        const PutOptions& options);
  // What everybody has of it, and what is his own.
  absl::StatusOr<PutResult> PutShared(const std::optional<ObjectInfo>& existing,
                                      const std::string& name, const ObjectContent& content,
                                      const std::string& owner_text, const PutOptions& options);

  const std::string viewer_uid_;
  const Access access_;
};

}  // namespace podkit::store
