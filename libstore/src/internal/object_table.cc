#include "internal/object_table.h"

#include <fmt/format.h>

#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/store/errors.h"
#include "sqlite/user_store.h"

namespace podkit::store {
namespace {

// What InfoOf reads, in its order.
#define PODKIT_OBJECT_COLUMNS \
  "id, name, uid, component, etag, size, summary, created_at, modified_at, modified_by"
constexpr int kInfoColumns = 10;

ObjectInfo InfoOf(const Row& row) {
  return {.id = row.Text(0),
          .name = row.Text(1),
          .uid = row.Text(2),
          .component = row.Text(3),
          .etag = row.Text(4),
          .size = row.Integer(5),
          .summary = row.Text(6),
          .modified_by = row.Text(9),
          .created = FromSqlTime(row.Integer(7)),
          .modified = FromSqlTime(row.Integer(8))};
}

// Spans by length: those of a level are at most 4^level hours long, those of the last one longer or
// without an end. A question looks for the starts of each level not farther back than that.
constexpr int kLevels = 12;
constexpr int64_t kFirstWidth = int64_t{3'600'000'000};  // Microseconds.

int64_t WidthOf(int level) { return kFirstWidth << (2 * level); }

int LevelOf(int64_t start, int64_t end) {
  if (start == INT64_MIN || end == INT64_MAX) return kLevels;
  int level = 0;
  while (level < kLevels && end - start > WidthOf(level)) ++level;
  return level;
}

std::string MakeSpanQuery() {
  std::string levels;
  for (int level = 0; level < kLevels; ++level) {
    levels += fmt::format("{}({}, {})", level == 0 ? "" : ", ", level, WidthOf(level));
  }
  constexpr std::string_view kSpans =
      "object_span WHERE object_span.collection_id = ?1 AND object_span.starts_at <= ?2"
      " AND object_span.ends_at >= ?3 AND object_span.level = ";
  return fmt::format(
      "WITH level (number, width) AS (VALUES {}) SELECT " PODKIT_OBJECT_COLUMNS
      ", text FROM object WHERE row_id IN (SELECT object_row FROM level CROSS JOIN {}level.number"
      " AND object_span.starts_at >= ?3 - level.width UNION ALL SELECT object_row FROM {}{})",
      levels, kSpans, kSpans, kLevels);
}

}  // namespace

const std::string& ObjectTable::SpanQuery() {
  static const std::string& query = *new std::string(MakeSpanQuery());
  return query;
}

absl::Status NoSuchObjectError(const std::string& collection, const std::string& object) {
  return MakeError(NoSuchObject{.collection = collection, .object = object},
                   fmt::format("collection '{}' has no object '{}'", collection, object));
}

absl::StatusOr<std::optional<ObjectInfo>> ObjectTable::FindBy(std::string_view sql,
                                                              std::string_view value) {
  std::optional<ObjectInfo> found;
  PODKIT_RETURN_IF_ERROR(database_.Query(sql, {collection_id_, value},
                                         [&found](const Row& row) { found = InfoOf(row); }));
  return found;
}

absl::StatusOr<std::optional<ObjectInfo>> ObjectTable::FindByName(std::string_view name) {
  return FindBy("SELECT " PODKIT_OBJECT_COLUMNS " FROM object WHERE collection_id = ? AND name = ?",
                name);
}

absl::StatusOr<std::optional<ObjectInfo>> ObjectTable::FindByUid(std::string_view uid) {
  return FindBy("SELECT " PODKIT_OBJECT_COLUMNS " FROM object WHERE collection_id = ? AND uid = ?",
                uid);
}

absl::StatusOr<std::optional<ObjectInfo>> ObjectTable::FindById(std::string_view id) {
  return FindBy("SELECT " PODKIT_OBJECT_COLUMNS " FROM object WHERE collection_id = ? AND id = ?",
                id);
}

absl::StatusOr<std::vector<std::string>> ObjectTable::Names() {
  std::vector<std::string> names;
  PODKIT_RETURN_IF_ERROR(
      database_.Query("SELECT name FROM object WHERE collection_id = ? ORDER BY name",
                      {collection_id_}, [&](const Row& row) { names.push_back(row.Text(0)); }));
  return names;
}

absl::StatusOr<int64_t> ObjectTable::Count() {
  PODKIT_ASSIGN_OR_RETURN(
      const auto count,
      database_.QueryInteger("SELECT count(*) FROM object WHERE collection_id = ?",
                             {collection_id_}));
  return count.value_or(0);
}

absl::StatusOr<std::vector<ObjectInfo>> ObjectTable::ChangedSince(int64_t revision) {
  std::vector<ObjectInfo> objects;
  PODKIT_RETURN_IF_ERROR(database_.Query(
      "SELECT " PODKIT_OBJECT_COLUMNS
      " FROM object WHERE collection_id = ? AND revision > ? ORDER BY name",
      {collection_id_, revision}, [&](const Row& row) { objects.push_back(InfoOf(row)); }));
  return objects;
}

absl::StatusOr<std::vector<std::pair<ObjectInfo, bool>>> ObjectTable::ChangedForViewerSince(
    int64_t revision, std::string_view viewer_uid) {
  constexpr std::string_view kAll =
      "SELECT " PODKIT_OBJECT_COLUMNS
      ", shared_etag, shared_size, ifnull((SELECT data <> '{}' FROM personal WHERE object_id ="
      " object.id AND viewer_uid = ?2), 0) FROM object WHERE collection_id = ?1";
  constexpr std::string_view kSome =
      " AND id IN (SELECT id FROM object WHERE collection_id = ?1"
      " AND revision > ?3 UNION SELECT object_id FROM personal WHERE viewer_uid = ?2"
      " AND revision > ?3)";
  std::vector<std::pair<ObjectInfo, bool>> objects;
  const auto add = [&objects](const Row& row) {
    ObjectInfo object = InfoOf(row);
    const bool known = !row.IsNull(kInfoColumns);
    if (known) object.etag = row.Text(kInfoColumns);
    if (known) object.size = row.Integer(kInfoColumns + 1);
    objects.emplace_back(std::move(object), !known || row.Integer(kInfoColumns + 2) != 0);
  };
  if (revision == 0) {
    PODKIT_RETURN_IF_ERROR(
        database_.Query(fmt::format("{} ORDER BY name", kAll), {collection_id_, viewer_uid}, add));
  } else {
    PODKIT_RETURN_IF_ERROR(database_.Query(fmt::format("{}{} ORDER BY name", kAll, kSome),
                                           {collection_id_, viewer_uid, revision}, add));
  }
  return objects;
}

absl::StatusOr<std::optional<std::string>> ObjectTable::TextOf(std::string_view object_id) {
  return database_.QueryText("SELECT text FROM object WHERE collection_id = ? AND id = ?",
                             {collection_id_, object_id});
}

absl::Status ObjectTable::VisitTexts(
    const std::optional<TimeRange>& range,
    const std::function<void(const ObjectInfo&, const std::string&)>& visit) {
  const auto visit_row = [&](const Row& row) { visit(InfoOf(row), row.Text(kInfoColumns)); };
  if (!range) {
    return database_.Query("SELECT " PODKIT_OBJECT_COLUMNS
                           ", text FROM object WHERE collection_id = ? ORDER BY name",
                           {collection_id_}, visit_row);
  }
  // Wider by less than a microsecond: what does not overlap is sorted out by who asks.
  return database_.Query(
      SpanQuery(), {collection_id_, ToSqlTime(range->end), ToSqlTime(range->start)}, visit_row);
}

absl::StatusOr<std::vector<DeletedObject>> ObjectTable::DeletedSince(int64_t revision) {
  std::vector<DeletedObject> deleted;
  PODKIT_RETURN_IF_ERROR(database_.Query(
      "SELECT name, object_id FROM object_tombstone WHERE collection_id = ? AND revision > ?"
      " ORDER BY name",
      {collection_id_, revision},
      [&](const Row& row) { deleted.push_back({.name = row.Text(0), .id = row.Text(1)}); }));
  return deleted;
}

absl::StatusOr<int64_t> ObjectTable::Revision() {
  PODKIT_ASSIGN_OR_RETURN(
      const auto revision,
      database_.QueryInteger("SELECT revision FROM collection WHERE id = ?", {collection_id_}));
  return revision.value_or(0);
}

absl::StatusOr<std::vector<std::string>> ObjectTable::Components() {
  PODKIT_ASSIGN_OR_RETURN(
      const auto text,
      database_.QueryText("SELECT components FROM collection WHERE id = ?", {collection_id_}));
  if (!text || text->empty()) return std::vector<std::string>();
  const auto parts = SplitText(*text, ',');
  return std::vector<std::string>(parts.begin(), parts.end());
}

absl::StatusOr<int64_t> ObjectTable::BeginChange(absl::Time now) {
  if (change_) return *change_;
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, NextRevision(database_));
  PODKIT_RETURN_IF_ERROR(SetRevision(revision, now));
  change_ = revision;
  return revision;
}

absl::Status ObjectTable::SetRevision(int64_t revision, absl::Time now) {
  return database_.Execute("UPDATE collection SET revision = ?, modified_at = ? WHERE id = ?",
                           {revision, ToSqlTime(now), collection_id_});
}

absl::Status ObjectTable::Insert(const ObjectInfo& object, const ObjectContent& content,
                                 int64_t revision) {
  PODKIT_RETURN_IF_ERROR(RemoveTombstone(object.name));
  PODKIT_RETURN_IF_ERROR(database_.Execute(
      "INSERT INTO object (id, collection_id, name, uid, component, etag, size, summary,"
      " created_at, modified_at, revision, text, shared_etag, shared_size, modified_by)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {object.id, collection_id_, object.name, object.uid, object.component, object.etag,
       object.size, object.summary, ToSqlTime(object.created), ToSqlTime(object.modified), revision,
       Blob{content.text}, content.shared_etag, content.shared_size, object.modified_by}));
  return AddSpans(object, content);
}

absl::Status ObjectTable::Replace(const ObjectInfo& object, const ObjectContent& content,
                                  int64_t revision) {
  PODKIT_RETURN_IF_ERROR(database_.Execute(
      "UPDATE object SET component = ?, etag = ?, size = ?, summary = ?, modified_at = ?,"
      " revision = ?, text = ?, shared_etag = ?, shared_size = ?, modified_by = ?"
      " WHERE collection_id = ? AND id = ?",
      {object.component, object.etag, object.size, object.summary, ToSqlTime(object.modified),
       revision, Blob{content.text}, content.shared_etag, content.shared_size, object.modified_by,
       collection_id_, object.id}));
  PODKIT_RETURN_IF_ERROR(database_.Execute(
      "DELETE FROM object_span WHERE object_row = (SELECT row_id FROM object WHERE id = ?)",
      {object.id}));
  return AddSpans(object, content);
}

absl::Status ObjectTable::AddSpans(const ObjectInfo& object, const ObjectContent& content) {
  for (const TimeRange& span : content.facts.spans) {
    const int64_t start = ToSqlTime(span.start);
    const int64_t end = ToSqlTime(span.end);
    PODKIT_RETURN_IF_ERROR(database_.Execute(
        "INSERT INTO object_span (collection_id, level, starts_at, ends_at, object_row)"
        " SELECT ?, ?, ?, ?, row_id FROM object WHERE id = ?",
        {collection_id_, int64_t{LevelOf(start, end)}, start, end, object.id}));
  }
  return absl::OkStatus();
}

absl::Status ObjectTable::Remove(const ObjectInfo& object, int64_t revision) {
  PODKIT_RETURN_IF_ERROR(AddTombstone(object, revision));
  return database_.Execute("DELETE FROM object WHERE collection_id = ? AND id = ?",
                           {collection_id_, object.id});
}

absl::Status ObjectTable::MoveHere(const ObjectTable& source, const ObjectInfo& object,
                                   const std::string& new_name, int64_t revision) {
  PODKIT_RETURN_IF_ERROR(source.AddTombstone(object, revision));
  PODKIT_RETURN_IF_ERROR(RemoveTombstone(new_name));
  PODKIT_RETURN_IF_ERROR(
      database_.Execute("UPDATE object_span SET collection_id = ?"
                        " WHERE object_row = (SELECT row_id FROM object WHERE id = ?)",
                        {collection_id_, object.id}));
  return database_.Execute(
      "UPDATE object SET collection_id = ?, name = ?, revision = ?"
      " WHERE collection_id = ? AND id = ?",
      {collection_id_, new_name, revision, source.collection_id_, object.id});
}

absl::Status ObjectTable::AddTombstone(const ObjectInfo& object, int64_t revision) const {
  return database_.Execute(
      "INSERT OR REPLACE INTO object_tombstone (collection_id, name, revision, object_id)"
      " VALUES (?, ?, ?, ?)",
      {collection_id_, object.name, revision, object.id});
}

absl::Status ObjectTable::RemoveTombstone(std::string_view name) const {
  return database_.Execute("DELETE FROM object_tombstone WHERE collection_id = ? AND name = ?",
                           {collection_id_, name});
}

}  // namespace podkit::store
