#include "sharing/binds.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

// Column order of ReadBind.
constexpr std::string_view kSelect =
    "SELECT share_uid, collection_id, owner_uid, viewer_uid, name, access, status, generation,"
    " summary, display_name, color, description, components, transparent, created_at, modified_at,"
    " revision, personal_revision, own_access FROM bind ";

Bind ReadBind(const Row& row) {
  Bind bind;
  bind.share_uid = row.Text(0);
  bind.collection_id = row.Text(1);
  bind.owner_uid = row.Text(2);
  bind.viewer_uid = row.Text(3);
  if (!row.IsNull(4)) bind.name = row.Text(4);
  bind.access = conduit::EnumFromName<Access>(row.Text(5)).value_or(Access::kRead);
  bind.status = conduit::EnumFromName<ShareStatus>(row.Text(6)).value_or(ShareStatus::kDeclined);
  bind.generation = row.Integer(7);
  bind.summary = row.Text(8);
  bind.display_name = row.Text(9);
  bind.color = row.Text(10);
  bind.description = row.Text(11);
  bind.components = SplitComponents(row.Text(12));
  bind.transparent = row.Integer(13) != 0;
  bind.created = FromSqlTime(row.Integer(14));
  bind.modified = FromSqlTime(row.Integer(15));
  bind.revision = row.Integer(16);
  bind.personal_revision = row.Integer(17);
  if (!row.IsNull(18)) {
    bind.own_access = conduit::EnumFromName<Access>(row.Text(18)).value_or(Access::kBusy);
  }
  return bind;
}

absl::StatusOr<std::vector<Bind>> Select(Database& database, std::string_view where,
                                         std::initializer_list<SqlValue> values) {
  std::vector<Bind> binds;
  PODKIT_RETURN_IF_ERROR(database.Query(fmt::format("{}{}", kSelect, where), values,
                                        [&](const Row& row) { binds.push_back(ReadBind(row)); }));
  return binds;
}

absl::StatusOr<std::optional<Bind>> SelectOne(Database& database, std::string_view where,
                                              std::initializer_list<SqlValue> values) {
  PODKIT_ASSIGN_OR_RETURN(auto binds, Select(database, where, values));
  if (binds.empty()) return std::nullopt;
  return std::move(binds.front());
}

}  // namespace

absl::StatusOr<std::optional<Bind>> FindBindByShare(Database& database,
                                                    std::string_view share_uid) {
  return SelectOne(database, "WHERE share_uid = ?", {share_uid});
}

absl::StatusOr<std::optional<Bind>> FindBindByName(Database& database, std::string_view name) {
  return SelectOne(database, "WHERE name = ?", {name});
}

absl::StatusOr<std::optional<Bind>> FindBindByViewer(Database& database,
                                                     std::string_view collection_id,
                                                     std::string_view viewer_uid) {
  return SelectOne(database, "WHERE collection_id = ? AND viewer_uid = ?",
                   {collection_id, viewer_uid});
}

absl::StatusOr<std::vector<Bind>> ShownBinds(Database& database) {
  return Select(database, "WHERE name IS NOT NULL ORDER BY name", {});
}

absl::StatusOr<std::vector<Bind>> BindsOfOthers(Database& database,
                                                std::string_view collection_id) {
  return Select(database, "WHERE collection_id = ? AND viewer_uid <> owner_uid ORDER BY viewer_uid",
                {collection_id});
}

absl::StatusOr<std::vector<Bind>> BindsFromOthers(Database& database, std::string_view viewer_uid) {
  return Select(database, "WHERE viewer_uid = ? AND owner_uid <> viewer_uid ORDER BY share_uid",
                {viewer_uid});
}

absl::StatusOr<std::vector<Bind>> SharesAfter(Database& database, std::string_view share_uid,
                                              int64_t most) {
  return Select(database,
                "WHERE share_uid > ? AND viewer_uid <> owner_uid ORDER BY share_uid LIMIT ?",
                {share_uid, most});
}

absl::Status SaveBind(Database& database, const Bind& bind) {
  if (bind.name) {
    PODKIT_ASSIGN_OR_RETURN(const auto taken, FindBindByName(database, *bind.name));
    if (taken && taken->share_uid != bind.share_uid) {
      return MakeError(
          CollectionExists{.home = bind.viewer_uid, .collection = *bind.name},
          fmt::format("the home of '{}' has a collection '{}' already: choose another name",
                      bind.viewer_uid, *bind.name));
    }
    PODKIT_RETURN_IF_ERROR(
        database.Execute("DELETE FROM bind_tombstone WHERE name = ?", {*bind.name}));
  }
  const SqlValue name = bind.name ? SqlValue(std::string_view(*bind.name)) : SqlValue(nullptr);
  const SqlValue own_access =
      bind.own_access ? SqlValue(conduit::EnumName(*bind.own_access)) : SqlValue(nullptr);
  const std::string components = JoinComponents(bind.components);
  return database.Execute(
      "INSERT OR REPLACE INTO bind (share_uid, collection_id, owner_uid, viewer_uid, name, access,"
      " status, generation, summary, display_name, color, description, components, transparent,"
      " created_at, modified_at, revision, personal_revision, own_access)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {bind.share_uid, bind.collection_id, bind.owner_uid, bind.viewer_uid, name,
       conduit::EnumName(bind.access), conduit::EnumName(bind.status), bind.generation,
       bind.summary, bind.display_name, bind.color, bind.description, components,
       int64_t{bind.transparent}, ToSqlTime(bind.created), ToSqlTime(bind.modified), bind.revision,
       bind.personal_revision, own_access});
}

absl::Status DeleteBind(Database& database, const Bind& bind, int64_t revision) {
  PODKIT_RETURN_IF_ERROR(
      database.Execute("DELETE FROM bind WHERE share_uid = ?", {bind.share_uid}));
  return bind.name ? AddBindTombstone(database, *bind.name, revision) : absl::OkStatus();
}

absl::Status AddBindTombstone(Database& database, std::string_view name, int64_t revision) {
  return database.Execute("INSERT OR REPLACE INTO bind_tombstone (name, revision) VALUES (?, ?)",
                          {name, revision});
}

ShareInfo ToShareInfo(const Bind& bind) {
  const bool accepted = bind.status == ShareStatus::kAccepted;
  return {.share_uid = bind.share_uid,
          .collection_id = bind.collection_id,
          .owner_uid = bind.owner_uid,
          .viewer_uid = bind.viewer_uid,
          .name = bind.name.value_or(""),
          .access = bind.access,
          .status = bind.status,
          .summary = bind.summary,
          .display_name = bind.display_name,
          .revision = accepted && bind.name ? bind.revision : 0};
}

ShareInfo ToShareInfo(const Bind& own, const GroupShare& group) {
  return {.collection_id = own.collection_id,
          .owner_uid = own.owner_uid,
          .viewer_uid = group.group_id,
          .access = group.access,
          .status = ShareStatus::kAccepted,
          .summary = group.summary,
          .display_name = own.display_name,
          .is_group = true};
}

std::string JoinComponents(const std::vector<std::string>& components) {
  return fmt::format("{}", fmt::join(components, ","));
}

std::vector<std::string> SplitComponents(std::string_view text) {
  if (text.empty()) return {};
  const auto parts = SplitText(text, ',');
  return {parts.begin(), parts.end()};
}

}  // namespace podkit::store
