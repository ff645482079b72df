// The objects of a collection for somebody who may know only that time is taken.
//
// An object shows under its id, as name and as UID, for clients like to make names and UIDs of
// words; with the ETag of the text that shows, so that it changes when something changes that he
// may know. What takes no time does not show. Costs the reading of what is listed.
#pragma once

#include "internal/object_view.h"

namespace podkit::store {

class BusyView final : public ObjectView {
 public:
  using ObjectView::ObjectView;

  absl::StatusOr<std::optional<ObjectInfo>> FindByName(std::string_view name) override;
  absl::StatusOr<std::optional<ObjectInfo>> FindByUid(std::string_view uid) override;
  absl::StatusOr<std::optional<ObjectInfo>> FindById(std::string_view id) override;
  absl::StatusOr<std::vector<std::string>> Names() override;
  absl::StatusOr<int64_t> Count() override;
  absl::StatusOr<std::vector<ObjectInfo>> ChangedSince(int64_t revision) override;
  // Also objects that changed and do not, or no longer, take time.
  absl::StatusOr<std::vector<std::string>> DeletedSince(int64_t revision) override;
  absl::StatusOr<std::optional<std::string>> TextOf(std::string_view object_id) override;
  absl::Status VisitTexts(const std::optional<TimeRange>& range, const Visitor& visit) override;
  std::string TokenPrefix() const override;
};

}  // namespace podkit::store
