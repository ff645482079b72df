// The rows of the objects of one collection.
//
// Lives inside of UserStore::Read or Write. What changes rows takes the revision of the change (see
// NextRevision), which the collection gets too.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/calendar_data.h"
#include "podkit/store/types.h"
#include "sqlite/database.h"

namespace podkit::store {

// The bytes of an object, and what is kept of them beside.
struct ObjectContent {
  std::string_view text;
  std::string etag;
  // Of what viewers see who have nothing of their own in it: without the owner's alarms.
  std::string shared_etag;
  int64_t shared_size = 0;
  CalendarObjectInfo facts;
};

struct DeletedObject {
  std::string name;
  std::string id;  // Empty if it was deleted before ids were kept.
};

class ObjectTable {
 public:
  // `name` is what the caller calls the collection: errors show it.
  ObjectTable(Database& database, std::string collection_id, std::string name)
      : database_(database), collection_id_(std::move(collection_id)), name_(std::move(name)) {}

  Database& database() const { return database_; }
  const std::string& collection_id() const { return collection_id_; }
  const std::string& name() const { return name_; }

  absl::StatusOr<std::optional<ObjectInfo>> FindByName(std::string_view name);
  absl::StatusOr<std::optional<ObjectInfo>> FindByUid(std::string_view uid);
  absl::StatusOr<std::optional<ObjectInfo>> FindById(std::string_view id);

  absl::StatusOr<std::vector<std::string>> Names();
  absl::StatusOr<int64_t> Count();
  // Objects changed after `revision`, by name; 0 gives all.
  absl::StatusOr<std::vector<ObjectInfo>> ChangedSince(int64_t revision);
  // The same for a viewer: also those in which something of his own changed, with the ETag and size
  // that everybody sees; true where his differ, or where those are not known.
  absl::StatusOr<std::vector<std::pair<ObjectInfo, bool>>> ChangedForViewerSince(
      int64_t revision, std::string_view viewer_uid);
  // Objects removed after `revision`, or moved away, whose names nobody has now, by name.
  absl::StatusOr<std::vector<DeletedObject>> DeletedSince(int64_t revision);
  absl::StatusOr<std::optional<std::string>> TextOf(std::string_view object_id);
  // Calls `visit` with each object and its text; with a range, only with those that have a span
  // that overlaps it: the cost follows those, not the size of the collection. By name without a
  // range. `visit` must not use the database.
  absl::Status VisitTexts(const std::optional<TimeRange>& range,
                          const std::function<void(const ObjectInfo&, const std::string&)>& visit);

  // What VisitTexts asks with a range: ?1 is the collection, [?3, ?2] the range.
  static const std::string& SpanQuery();

  absl::StatusOr<int64_t> Revision();
  // The component types that the collection takes; empty: all.
  absl::StatusOr<std::vector<std::string>> Components();

  // The revision of all that changes through this ObjectTable: the next one of the home.
  absl::StatusOr<int64_t> BeginChange(absl::Time now);
  // For a change that has its revision already.
  absl::Status SetRevision(int64_t revision, absl::Time now);
  absl::Status Insert(const ObjectInfo& object, const ObjectContent& content, int64_t revision);
  absl::Status Replace(const ObjectInfo& object, const ObjectContent& content, int64_t revision);
  absl::Status Remove(const ObjectInfo& object, int64_t revision);
  // Moves `object` from its place in `source`, which may be this table too.
  absl::Status MoveHere(const ObjectTable& source, const ObjectInfo& object,
                        const std::string& new_name, int64_t revision);

 private:
  absl::StatusOr<std::optional<ObjectInfo>> FindBy(std::string_view sql, std::string_view value);
  absl::Status AddSpans(const ObjectInfo& object, const ObjectContent& content);
  absl::Status AddTombstone(const ObjectInfo& object, int64_t revision) const;
  absl::Status RemoveTombstone(std::string_view name) const;

  Database& database_;
  const std::string collection_id_;
  const std::string name_;
  std::optional<int64_t> change_;  // What BeginChange took.
};

absl::Status NoSuchObjectError(const std::string& collection, const std::string& object);

}  // namespace podkit::store
