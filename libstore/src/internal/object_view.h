// What the objects of a collection look like to one actor: the owner sees them as they are stored;
// a viewer sees his own alarms in the place of the owner's; who may know only that time is taken
// sees events that say no more.
//
// Lives inside of UserStore::Read or Write, no longer than its table.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "internal/object_table.h"
#include "internal/rights.h"
#include "podkit/store/store.h"
#include "podkit/store/types.h"

namespace podkit::store {

// Who writes, when, and within which limits. What it points to lives longer.
struct PutOptions {
  const StoreOptions* store = nullptr;
  const Actor* actor = nullptr;
  absl::Time now;
};

// As stored.
class ObjectView {
 public:
  explicit ObjectView(ObjectTable& table) : table_(table) {}
  virtual ~ObjectView() = default;

  ObjectTable& table() const { return table_; }
  const std::string& name() const { return table_.name(); }

  virtual absl::StatusOr<std::optional<ObjectInfo>> FindByName(std::string_view name);
  virtual absl::StatusOr<std::optional<ObjectInfo>> FindByUid(std::string_view uid);
  virtual absl::StatusOr<std::optional<ObjectInfo>> FindById(std::string_view id);
  // NoSuchObject; InvalidRequest unless exactly one member of `key` is set.
  absl::StatusOr<ObjectInfo> Find(const ObjectKey& key);

  virtual absl::StatusOr<std::vector<std::string>> Names();
  virtual absl::StatusOr<int64_t> Count();
  // Objects that look different since `revision`, by name; 0 gives all.
  virtual absl::StatusOr<std::vector<ObjectInfo>> ChangedSince(int64_t revision);
  // Names that are gone since `revision`.
  virtual absl::StatusOr<std::vector<std::string>> DeletedSince(int64_t revision);
  virtual absl::StatusOr<std::optional<std::string>> TextOf(std::string_view object_id);
  using Visitor = std::function<void(const ObjectInfo&, const std::string&)>;
  // See ObjectTable::VisitTexts.
  virtual absl::Status VisitTexts(const std::optional<TimeRange>& range, const Visitor& visit);

  // Creates or replaces the object `name`. Inside of UserStore::Write.
  virtual absl::StatusOr<PutResult> Put(const std::string& name, const ObjectContent& content,
                                        const Precondition& condition, const PutOptions& options);

  // Of the last change that shows.
  virtual absl::StatusOr<int64_t> Revision();
  // What sync tokens of this view begin with: those of another one do not fit.
  virtual std::string TokenPrefix() const;

 private:
  ObjectTable& table_;
};

// The view of the actor, who has this grant.
std::unique_ptr<ObjectView> MakeObjectView(const Grant& grant, const Actor& actor,
                                           ObjectTable& table);

}  // namespace podkit::store
