#include "sharing/delegates.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

using Told = std::map<std::string, Access>;  // By user.

// A value that a newer version wrote gives the least.
Access ReadAccess(const Row& row, int column) {
  return conduit::EnumFromName<Access>(row.Text(column)).value_or(Access::kRead);
}

bool IsForDelegates(Access access) {
  return access == Access::kReadWrite || access == Access::kRead;
}

absl::StatusOr<Told> WhatIsTrue(Database& database, const std::string& owner_uid,
                                const UserDirectory& directory) {
  PODKIT_ASSIGN_OR_RETURN(const auto delegates, LoadDelegates(database));
  Told result;
  for (const Delegate& delegate : delegates) {
    const std::vector<std::string> users =
        delegate.is_group ? directory.UsersIn(delegate.principal) : std::vector{delegate.principal};
    for (const std::string& uid : users) {
      // Whom the directory does not know (any more) has no home that could be told.
      if (uid == owner_uid || !directory.Find(uid).ok()) continue;
      const auto [entry, is_new] = result.emplace(uid, delegate.access);
      if (!is_new) entry->second = std::min(entry->second, delegate.access);
    }
  }
  return result;
}

absl::StatusOr<Told> WhatWasTold(Database& database) {
  Told told;
  PODKIT_RETURN_IF_ERROR(
      database.Query("SELECT delegate_uid, access FROM delegation", {},
                     [&](const Row& row) { told.emplace(row.Text(0), ReadAccess(row, 1)); }));
  return told;
}

absl::Status Tell(Database& database, const std::string& uid, std::optional<Access> access,
                  absl::Time now) {
  if (access) {
    PODKIT_RETURN_IF_ERROR(
        database.Execute("INSERT OR REPLACE INTO delegation (delegate_uid, access) VALUES (?, ?)",
                         {uid, conduit::EnumName(*access)}));
  } else {
    PODKIT_RETURN_IF_ERROR(
        database.Execute("DELETE FROM delegation WHERE delegate_uid = ?", {uid}));
  }
  return Enqueue(database, now, uid, std::string(Delegation::kKind),
                 conduit::ToJson(Delegation{.access = access}));
}

}  // namespace

absl::StatusOr<std::vector<Delegate>> LoadDelegates(Database& database) {
  std::vector<Delegate> delegates;
  PODKIT_RETURN_IF_ERROR(
      database.Query("SELECT principal, is_group, access FROM delegate ORDER BY principal", {},
                     [&](const Row& row) {
                       delegates.push_back({.principal = row.Text(0),
                                            .is_group = row.Integer(1) != 0,
                                            .access = ReadAccess(row, 2)});
                     }));
  return delegates;
}

absl::Status SaveDelegate(Database& database, const Delegate& delegate, absl::Time now) {
  return database.Execute(
      "INSERT OR REPLACE INTO delegate (principal, is_group, access, created_at)"
      " VALUES (?, ?, ?, ?)",
      {delegate.principal, int64_t{delegate.is_group}, conduit::EnumName(delegate.access),
       ToSqlTime(now)});
}

absl::StatusOr<bool> DeleteDelegate(Database& database, std::string_view principal) {
  PODKIT_RETURN_IF_ERROR(database.Execute("DELETE FROM delegate WHERE principal = ?", {principal}));
  return database.changes() > 0;
}

absl::StatusOr<std::optional<Access>> DelegateAccess(Database& database, std::string_view uid,
                                                     const UserDirectory* directory) {
  PODKIT_ASSIGN_OR_RETURN(const auto delegates, LoadDelegates(database));
  std::optional<Access> best;
  for (const Delegate& delegate : delegates) {
    const bool is_he = delegate.is_group
                           ? directory != nullptr && directory->IsIn(delegate.principal, uid)
                           : delegate.principal == uid;
    if (is_he) best = std::min(best.value_or(delegate.access), delegate.access);
  }
  return best;
}

absl::Status TellDelegates(Database& database, const std::string& owner_uid,
                           const UserDirectory& directory, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const Told now_true, WhatIsTrue(database, owner_uid, directory));
  PODKIT_ASSIGN_OR_RETURN(const Told told, WhatWasTold(database));
  for (const auto& [uid, access] : told) {
    if (now_true.contains(uid)) continue;
    PODKIT_RETURN_IF_ERROR(Tell(database, uid, std::nullopt, now));
  }
  for (const auto& [uid, access] : now_true) {
    const auto before = told.find(uid);
    if (before != told.end() && before->second == access) continue;
    PODKIT_RETURN_IF_ERROR(Tell(database, uid, access, now));
  }
  return absl::OkStatus();
}

absl::Status ApplyDelegation(Database& database, absl::Time now, const Message& message) {
  const auto delegation = conduit::FromJson<Delegation>(message.body);
  if (!delegation.ok()) {
    return UnfitMessage(message, std::string(delegation.status().message()));
  }
  if (delegation->access && !IsForDelegates(*delegation->access)) {
    return UnfitMessage(message, "access: must be read-write, read or null");
  }
  if (!delegation->access) {
    return database.Execute("DELETE FROM delegator WHERE owner_uid = ?", {message.from_uid});
  }
  return database.Execute(
      "INSERT OR REPLACE INTO delegator (owner_uid, access, told_at) VALUES (?, ?, ?)",
      {message.from_uid, conduit::EnumName(*delegation->access), ToSqlTime(now)});
}

absl::Status Resign(Database& database, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const auto delegators, LoadDelegators(database));
  for (const Delegator& delegator : delegators) {
    PODKIT_RETURN_IF_ERROR(
        Enqueue(database, now, delegator.owner_uid, std::string(kResignation), "{}"));
  }
  return database.Execute("DELETE FROM delegator");
}

absl::Status ApplyResignation(Database& database, const Message& message) {
  PODKIT_RETURN_IF_ERROR(database.Execute(
      "DELETE FROM delegate WHERE principal = ? AND is_group = 0", {message.from_uid}));
  return database.Execute("DELETE FROM delegation WHERE delegate_uid = ?", {message.from_uid});
}

absl::StatusOr<std::vector<Delegator>> LoadDelegators(Database& database) {
  std::vector<Delegator> delegators;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT owner_uid, access FROM delegator ORDER BY owner_uid", {}, [&](const Row& row) {
        delegators.push_back({.owner_uid = row.Text(0), .access = ReadAccess(row, 1)});
      }));
  return delegators;
}

}  // namespace podkit::store
