// The rows of `bind`: each puts one collection into one viewer's home. The owner's file has a row
// for each viewer, himself included; the viewer's file has a row for each collection that is shared
// with him.
//
// All functions run inside of UserStore::Read or Write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/types.h"
#include "sharing/group_shares.h"
#include "sqlite/database.h"

namespace podkit::store {

struct Bind {
  std::string share_uid;  // The collection's id in the owner's own row.
  std::string collection_id;
  std::string owner_uid;
  std::string viewer_uid;
  std::optional<std::string> name;  // In the viewer's home; nothing where it does not show (yet).
  Access access = Access::kOwner;
  ShareStatus status = ShareStatus::kInvited;
  int64_t generation = 0;
  std::string summary;
  // As the viewer has them; in the owner's rows for others: not used.
  std::string display_name;
  std::string color;
  std::string description;
  std::vector<std::string> components;
  bool transparent = false;
  absl::Time created;
  absl::Time modified;
  int64_t revision = 0;
  // In the owner's rows for others: of the last change of what the viewer keeps for himself.
  int64_t personal_revision = 0;
  // In the owner's rows for others: what the viewer was given himself; nothing if he is invited
  // through groups only. `access` is the most of this and theirs, as he was told.
  std::optional<Access> own_access;

  bool own() const { return owner_uid == viewer_uid; }
};

absl::StatusOr<std::optional<Bind>> FindBindByShare(Database& database, std::string_view share_uid);
absl::StatusOr<std::optional<Bind>> FindBindByName(Database& database, std::string_view name);
absl::StatusOr<std::optional<Bind>> FindBindByViewer(Database& database,
                                                     std::string_view collection_id,
                                                     std::string_view viewer_uid);
// The rows that show in this home: own collections and accepted shares, by name.
absl::StatusOr<std::vector<Bind>> ShownBinds(Database& database);
// The rows of the owner's file for everybody else, by viewer.
absl::StatusOr<std::vector<Bind>> BindsOfOthers(Database& database, std::string_view collection_id);
// The rows of the viewer's file for collections of others, by share.
absl::StatusOr<std::vector<Bind>> BindsFromOthers(Database& database, std::string_view viewer_uid);
// The next rows of either kind, by share, after `share_uid`; at most `most`.
absl::StatusOr<std::vector<Bind>> SharesAfter(Database& database, std::string_view share_uid,
                                              int64_t most);

// Inserts the row or replaces the one of the same share. CollectionExists if its name is taken.
absl::Status SaveBind(Database& database, const Bind& bind);
// Deletes the row; where it showed in the home, remembers for the home's sync that its name is
// gone.
absl::Status DeleteBind(Database& database, const Bind& bind, int64_t revision);
// Remembers that `name` is gone from the home.
absl::Status AddBindTombstone(Database& database, std::string_view name, int64_t revision);

ShareInfo ToShareInfo(const Bind& bind);
// The same of a group that is invited to own collection `own`.
ShareInfo ToShareInfo(const Bind& own, const GroupShare& group);

// "VEVENT,VTODO" and back.
std::string JoinComponents(const std::vector<std::string>& components);
std::vector<std::string> SplitComponents(std::string_view text);

}  // namespace podkit::store
