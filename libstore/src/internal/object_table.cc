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
  "id, name, uid, component, etag, size, summary, created_at, modified_at"
constexpr int kInfoColumns = 9;

ObjectInfo InfoOf(const Row& row) {
  return {.id = row.Text(0),
          .name = row.Text(1),
          .uid = row.Text(2),
          .component = row.Text(3),
          .etag = row.Text(4),
          .size = row.Integer(5),
          .summary = row.Text(6),
          .created = FromSqlTime(row.Integer(7)),
          .modified = FromSqlTime(row.Integer(8))};
}

// NULL for a time that has no bound.
SqlValue BoundValue(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return nullptr;
  return ToSqlTime(time);
}

}  // namespace

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

absl::StatusOr<ObjectInfo> ObjectTable::Find(const ObjectKey& key) {
  const int members =
      int{key.name.has_value()} + int{key.uid.has_value()} + int{key.id.has_value()};
  if (members != 1) {
    return MakeError(InvalidRequest{}, "say which object by exactly one of name, uid and id");
  }
  auto found = key.name ? FindByName(*key.name) : key.uid ? FindByUid(*key.uid) : FindById(*key.id);
  if (!found.ok()) return std::move(found).status();
  if (found->has_value()) return **std::move(found);
  return NoSuchObjectError(name_, key.name ? *key.name : key.uid ? *key.uid : *key.id);
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

absl::StatusOr<std::vector<std::string>> ObjectTable::DeletedSince(int64_t revision) {
  std::vector<std::string> names;
  PODKIT_RETURN_IF_ERROR(database_.Query(
      "SELECT name FROM object_tombstone WHERE collection_id = ? AND revision > ? ORDER BY name",
      {collection_id_, revision}, [&](const Row& row) { names.push_back(row.Text(0)); }));
  return names;
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
      "SELECT " PODKIT_OBJECT_COLUMNS
      ", text FROM object INDEXED BY object_by_time WHERE collection_id = ?"
      " AND (starts_at IS NULL OR starts_at <= ?) AND (ends_at IS NULL OR ends_at >= ?)",
      {collection_id_, ToSqlTime(range->end), ToSqlTime(range->start)}, visit_row);
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
  return database_.Execute(
      "INSERT INTO object (id, collection_id, name, uid, component, etag, size, summary, starts_at,"
      " ends_at, created_at, modified_at, revision, text)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {object.id, collection_id_, object.name, object.uid, object.component, object.etag,
       object.size, object.summary, BoundValue(content.facts.bounds.start),
       BoundValue(content.facts.bounds.end), ToSqlTime(object.created), ToSqlTime(object.modified),
       revision, Blob{content.text}});
}

absl::Status ObjectTable::Replace(const ObjectInfo& object, const ObjectContent& content,
                                  int64_t revision) {
  return database_.Execute(
      "UPDATE object SET component = ?, etag = ?, size = ?, summary = ?, starts_at = ?,"
      " ends_at = ?, modified_at = ?, revision = ?, text = ? WHERE collection_id = ? AND id = ?",
      {object.component, object.etag, object.size, object.summary,
       BoundValue(content.facts.bounds.start), BoundValue(content.facts.bounds.end),
       ToSqlTime(object.modified), revision, Blob{content.text}, collection_id_, object.id});
}

absl::Status ObjectTable::Remove(const ObjectInfo& object, int64_t revision) {
  PODKIT_RETURN_IF_ERROR(AddTombstone(object.name, revision));
  return database_.Execute("DELETE FROM object WHERE collection_id = ? AND id = ?",
                           {collection_id_, object.id});
}

absl::Status ObjectTable::MoveHere(const ObjectTable& source, const ObjectInfo& object,
                                   const std::string& new_name, int64_t revision) {
  PODKIT_RETURN_IF_ERROR(source.AddTombstone(object.name, revision));
  PODKIT_RETURN_IF_ERROR(RemoveTombstone(new_name));
  return database_.Execute(
      "UPDATE object SET collection_id = ?, name = ?, revision = ?"
      " WHERE collection_id = ? AND id = ?",
      {collection_id_, new_name, revision, source.collection_id_, object.id});
}

absl::Status ObjectTable::AddTombstone(std::string_view name, int64_t revision) const {
  return database_.Execute(
      "INSERT OR REPLACE INTO object_tombstone (collection_id, name, revision) VALUES (?, ?, ?)",
      {collection_id_, name, revision});
}

absl::Status ObjectTable::RemoveTombstone(std::string_view name) const {
  return database_.Execute("DELETE FROM object_tombstone WHERE collection_id = ? AND name = ?",
                           {collection_id_, name});
}

}  // namespace podkit::store
