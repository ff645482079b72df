#include "internal/collections.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "ids.h"
#include "names.h"
#include "podkit/store/errors.h"
#include "sqlite/user_store.h"
#include "sync_token.h"

namespace podkit::store {
namespace {

constexpr std::string_view kHomeTokenPrefix = "data:,home/";

absl::Status NoSuch(const std::string& home_uid, const std::string& what) {
  return MakeError(NoSuchCollection{.home = home_uid, .collection = what},
                   fmt::format("the home of '{}' has no collection '{}'", home_uid, what));
}

absl::Status CheckCollectionName(const std::string& name) {
  return CheckName("a collection", name);
}

absl::Status CheckProperties(const CollectionProperties& properties) {
  const auto check = [](std::string_view name, const std::optional<std::string>& text) {
    if (!text || text->size() <= kMaxPropertyBytes) return absl::OkStatus();
    return MakeError(InvalidRequest{}, fmt::format("{}: has {} bytes, {} are the limit", name,
                                                   text->size(), kMaxPropertyBytes));
  };
  PODKIT_RETURN_IF_ERROR(check("display_name", properties.display_name));
  PODKIT_RETURN_IF_ERROR(check("color", properties.color));
  PODKIT_RETURN_IF_ERROR(check("description", properties.description));
  if (!properties.components) return absl::OkStatus();
  for (const std::string& component : *properties.components) {
    if (!IsComponentType(component)) return NoComponentTypeError(component);
  }
  return absl::OkStatus();
}

void Assign(const CollectionProperties& properties, Bind& bind) {
  if (properties.display_name) bind.display_name = *properties.display_name;
  if (properties.color) bind.color = *properties.color;
  if (properties.description) bind.description = *properties.description;
  if (properties.transparent) bind.transparent = *properties.transparent;
}

absl::StatusOr<int64_t> HomeRevision(Database& database) {
  PODKIT_ASSIGN_OR_RETURN(const auto revision, database.QueryInteger("SELECT revision FROM home"));
  return revision.value_or(0);
}

absl::StatusOr<int64_t> ParseHomeToken(Database& database, const std::string& sync_token) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t newest, HomeRevision(database));
  if (sync_token.empty()) return 0;
  const auto revision = RevisionOfToken(kHomeTokenPrefix, sync_token, newest);
  if (revision) return *revision;
  return MakeError(InvalidSyncToken{.token = sync_token},
                   "the sync token is not one of this home: list everything and start anew");
}

absl::Status CollectNames(Database& database, std::string_view sql,
                          std::initializer_list<SqlValue> values, std::vector<std::string>* names) {
  return database.Query(sql, values, [&](const Row& row) { names->push_back(row.Text(0)); });
}

absl::Status AddMemberChanges(Database& database, int64_t since, HomeChanges* changes) {
  PODKIT_RETURN_IF_ERROR(
      CollectNames(database,
                   "SELECT bind.name || '/' || object.name FROM object JOIN bind"
                   " ON bind.share_uid = object.collection_id WHERE object.revision > ? ORDER BY 1",
                   {since}, &changes->changed));
  if (since > 0) {
    PODKIT_RETURN_IF_ERROR(CollectNames(
        database,
        "SELECT bind.name || '/' || object_tombstone.name FROM object_tombstone JOIN bind"
        " ON bind.share_uid = object_tombstone.collection_id"
        " WHERE object_tombstone.revision > ? ORDER BY 1",
        {since}, &changes->deleted));
  }
  // What is new under its name may have had other members under it, or another name: no row tells
  // of those.
  return CollectNames(database,
                      "SELECT name FROM bind WHERE name IS NOT NULL"
                      " AND (owner_uid <> viewer_uid OR (?1 > 0 AND revision > ?1)) ORDER BY 1",
                      {since}, &changes->invalid);
}

}  // namespace

absl::StatusOr<Bind> FindShownBind(Database& database, const std::string& home_uid,
                                   const CollectionKey& key) {
  const int members =
      int{key.name.has_value()} + int{key.id.has_value()} + int{key.share_uid.has_value()};
  if (members != 1) {
    return MakeError(InvalidRequest{},
                     "say which collection by exactly one of name, id and share_uid");
  }
  std::optional<Bind> bind;
  if (key.name) {
    PODKIT_ASSIGN_OR_RETURN(bind, FindBindByName(database, *key.name));
  } else if (key.id) {
    PODKIT_ASSIGN_OR_RETURN(bind, FindBindByViewer(database, *key.id, home_uid));
  } else {
    PODKIT_ASSIGN_OR_RETURN(bind, FindBindByShare(database, key.share_uid.value_or("")));
  }
  if (!bind || !bind->name) {
    return NoSuch(home_uid, key.name.value_or(key.id.value_or(key.share_uid.value_or(""))));
  }
  return *std::move(bind);
}

absl::StatusOr<Bind> FindOwnBind(Database& database, const std::string& home_uid,
                                 const std::string& name) {
  PODKIT_ASSIGN_OR_RETURN(Bind bind, FindShownBind(database, home_uid, {.name = name}));
  if (bind.own()) return bind;
  return MakeError(AccessDenied{.actor = home_uid, .collection = name},
                   fmt::format("collection '{}' belongs to '{}': only the owner may share it", name,
                               bind.owner_uid));
}

absl::StatusOr<CollectionInfo> DescribeCollection(Database& database, const Bind& bind) {
  CollectionInfo info = {.id = bind.collection_id,
                         .owner_uid = bind.owner_uid,
                         .viewer_uid = bind.viewer_uid,
                         .name = bind.name.value_or(""),
                         .share_uid = bind.own() ? "" : bind.share_uid,
                         .access = bind.access,
                         .display_name = bind.display_name,
                         .color = bind.color,
                         .description = bind.description,
                         .components = bind.components,
                         .transparent = bind.transparent,
                         .created = bind.created,
                         .modified = bind.modified};
  if (!bind.own()) return info;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT modified_at, EXISTS (SELECT 1 FROM bind WHERE collection_id = collection.id"
      " AND viewer_uid <> owner_uid) FROM collection WHERE id = ?",
      {bind.collection_id}, [&](const Row& row) {
        info.modified = FromSqlTime(row.Integer(0));
        info.shared_by_owner = row.Integer(1) != 0;
      }));
  return info;
}

absl::StatusOr<std::vector<CollectionInfo>> DescribeShown(Database& database) {
  std::vector<CollectionInfo> children;
  PODKIT_ASSIGN_OR_RETURN(const auto binds, ShownBinds(database));
  for (const Bind& bind : binds) {
    PODKIT_ASSIGN_OR_RETURN(children.emplace_back(), DescribeCollection(database, bind));
  }
  return children;
}

absl::StatusOr<Bind> CreateCollection(Database& database, const std::string& home_uid,
                                      const std::string& name,
                                      const CollectionProperties& properties, absl::Time now) {
  PODKIT_RETURN_IF_ERROR(CheckCollectionName(name));
  PODKIT_RETURN_IF_ERROR(CheckProperties(properties));
  Bind bind = {.share_uid = NewId(),
               .owner_uid = home_uid,
               .viewer_uid = home_uid,
               .name = name,
               .access = Access::kOwner,
               .status = ShareStatus::kAccepted,
               .display_name = name,
               .created = now,
               .modified = now};
  bind.collection_id = bind.share_uid;
  bind.components = properties.components.value_or(std::vector<std::string>());
  Assign(properties, bind);
  PODKIT_ASSIGN_OR_RETURN(bind.revision, NextRevision(database));
  PODKIT_RETURN_IF_ERROR(SaveBind(database, bind));
  const std::string components = JoinComponents(bind.components);
  PODKIT_RETURN_IF_ERROR(database.Execute(
      "INSERT INTO collection (id, components, created_at, modified_at, revision)"
      " VALUES (?, ?, ?, ?, ?)",
      {bind.collection_id, components, ToSqlTime(now), ToSqlTime(now), bind.revision}));
  return bind;
}

absl::Status ChangeProperties(Database& database, Bind bind, const CollectionProperties& properties,
                              absl::Time now) {
  PODKIT_RETURN_IF_ERROR(CheckProperties(properties));
  if (properties.components) {
    return MakeError(InvalidRequest{},
                     "the components of a collection are set when it is created, not later");
  }
  Assign(properties, bind);
  bind.modified = now;
  PODKIT_ASSIGN_OR_RETURN(bind.revision, NextRevision(database));
  return SaveBind(database, bind);
}

absl::Status RenameCollection(Database& database, Bind bind, const std::string& new_name,
                              absl::Time now) {
  PODKIT_RETURN_IF_ERROR(CheckCollectionName(new_name));
  if (bind.name == new_name) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(bind.revision, NextRevision(database));
  const std::string old_name = bind.name.value_or("");
  bind.name = new_name;
  bind.modified = now;
  PODKIT_RETURN_IF_ERROR(SaveBind(database, bind));
  return AddBindTombstone(database, old_name, bind.revision);
}

absl::Status DeleteCollection(Database& database, const Bind& bind) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, NextRevision(database));
  PODKIT_RETURN_IF_ERROR(DeleteBind(database, bind, revision));
  return database.Execute("DELETE FROM collection WHERE id = ?", {bind.collection_id});
}

absl::StatusOr<std::string> HomeSyncToken(Database& database) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t revision, HomeRevision(database));
  return fmt::format("{}{}", kHomeTokenPrefix, revision);
}

absl::StatusOr<HomeChanges> HomeChangesSince(Database& database, const std::string& sync_token,
                                             bool depth_infinity) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t since, ParseHomeToken(database, sync_token));
  HomeChanges changes;
  PODKIT_ASSIGN_OR_RETURN(changes.sync_token, HomeSyncToken(database));
  PODKIT_RETURN_IF_ERROR(CollectNames(
      database,
      "SELECT name FROM bind WHERE name IS NOT NULL AND (revision > ?1 OR EXISTS (SELECT 1 FROM"
      " collection WHERE collection.id = bind.share_uid AND collection.revision > ?1))"
      " ORDER BY name",
      {since}, &changes.changed));
  if (since > 0) {
    PODKIT_RETURN_IF_ERROR(
        CollectNames(database, "SELECT name FROM bind_tombstone WHERE revision > ? ORDER BY name",
                     {since}, &changes.deleted));
  }
  if (depth_infinity) PODKIT_RETURN_IF_ERROR(AddMemberChanges(database, since, &changes));
  return changes;
}

}  // namespace podkit::store
