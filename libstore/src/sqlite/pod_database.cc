#include "sqlite/pod_database.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "ids.h"
#include "sqlite/schema.h"

namespace podkit::store {
namespace {

absl::Status KeepPodId(Database& database, const std::string& pod_id) {
  PODKIT_ASSIGN_OR_RETURN(const auto found, database.QueryText("SELECT id FROM pod"));
  if (!found) return database.Execute("INSERT INTO pod (id) VALUES (?)", {pod_id});
  if (found == pod_id) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: the folder belongs to pod '{}', not to '{}': use another folder",
                  database.path(), *found, pod_id));
}

// The id of the answers in this folder's stores, made when there is none yet.
absl::StatusOr<std::string> EnsureAnswersId(Database& database) {
  PODKIT_RETURN_IF_ERROR(
      database.Execute("UPDATE pod SET answers_id = ? WHERE answers_id = ''", {NewId()}));
  PODKIT_ASSIGN_OR_RETURN(auto id, database.QueryText("SELECT answers_id FROM pod"));
  return std::move(id).value_or("");
}

absl::StatusOr<std::set<std::string>> QueryTexts(Database& database, std::string_view sql) {
  std::set<std::string> texts;
  PODKIT_RETURN_IF_ERROR(
      database.Query(sql, {}, [&texts](const Row& row) { texts.insert(row.Text(0)); }));
  return texts;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PodDatabase>> PodDatabase::Open(const std::string& path,
                                                               const std::string& pod_id) {
  std::unique_ptr<PodDatabase> pod(new PodDatabase(pod_id));
  PODKIT_ASSIGN_OR_RETURN(pod->file_, StoreFile::Open(path, "", [&pod](Database& database) {
                            return pod->Prepare(database);
                          }));
  return pod;
}

PodDatabase::PodDatabase(std::string pod_id) : pod_id_(std::move(pod_id)) {}
PodDatabase::~PodDatabase() = default;

absl::Status PodDatabase::Prepare(Database& database) {
  PODKIT_RETURN_IF_ERROR(Migrate(database, PodDatabaseSchema()));
  PODKIT_RETURN_IF_ERROR(KeepPodId(database, pod_id_));
  PODKIT_ASSIGN_OR_RETURN(answers_id_, EnsureAnswersId(database));
  PODKIT_ASSIGN_OR_RETURN(auto homes, QueryTexts(database, "SELECT uid FROM home"));
  PODKIT_ASSIGN_OR_RETURN(auto pending, QueryTexts(database, "SELECT uid FROM pending"));
  PODKIT_ASSIGN_OR_RETURN(auto purging, QueryTexts(database, "SELECT uid FROM purge"));
  PODKIT_ASSIGN_OR_RETURN(auto disabled, QueryTexts(database, "SELECT uid FROM disabled"));
  MutexLock lock(&mutex_);
  homes_ = std::move(homes);
  pending_ = std::move(pending);
  purging_ = std::move(purging);
  disabled_ = std::move(disabled);
  return absl::OkStatus();
}

bool PodDatabase::HasHome(const std::string& uid) const {
  MutexLock lock(&mutex_);
  return homes_.count(uid) > 0;
}

absl::Status PodDatabase::AddHome(const std::string& uid, absl::Time created) {
  PODKIT_RETURN_IF_ERROR(file_->Write([&](Database& database) {
    return database.Execute("INSERT OR IGNORE INTO home (uid, created_at) VALUES (?, ?)",
                            {uid, ToSqlTime(created)});
  }));
  MutexLock lock(&mutex_);
  homes_.insert(uid);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HomeInfo>> PodDatabase::ListHomes() {
  std::vector<HomeInfo> homes;
  PODKIT_RETURN_IF_ERROR(file_->Read([&](Database& database) {
    return database.Query(
        "SELECT uid, created_at, since IS NOT NULL FROM home LEFT JOIN disabled USING (uid)"
        " ORDER BY uid",
        {}, [&](const Row& row) {
          homes.push_back({.uid = row.Text(0),
                           .pod = pod_id_,
                           .created = FromSqlTime(row.Integer(1)),
                           .disabled = row.Integer(2) != 0});
        });
  }));
  return homes;
}

std::vector<std::string> PodDatabase::HomesAfter(const std::string& uid, size_t most) const {
  std::vector<std::string> uids;
  MutexLock lock(&mutex_);
  for (auto home = homes_.upper_bound(uid); home != homes_.end() && uids.size() < most; ++home) {
    if (!purging_.contains(*home) && !disabled_.contains(*home)) uids.push_back(*home);
  }
  return uids;
}

size_t PodDatabase::CountHomes() const {
  MutexLock lock(&mutex_);
  return homes_.size();
}

absl::Status PodDatabase::MarkPurging(const std::string& uid, absl::Time now) {
  const absl::Status marked = file_->Write([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(database.Execute("DELETE FROM group_user WHERE uid = ?", {uid}));
    return database.Execute("INSERT OR IGNORE INTO purge (uid, started_at) VALUES (?, ?)",
                            {uid, ToSqlTime(now)});
  });
  PODKIT_RETURN_IF_ERROR(marked);
  MutexLock lock(&mutex_);
  purging_.insert(uid);
  return absl::OkStatus();
}

bool PodDatabase::IsPurging(const std::string& uid) const {
  MutexLock lock(&mutex_);
  return purging_.contains(uid);
}

std::vector<std::string> PodDatabase::ListPurging() const {
  MutexLock lock(&mutex_);
  return {purging_.begin(), purging_.end()};
}

absl::Status PodDatabase::ForgetHome(const std::string& uid) {
  const absl::Status forgotten = file_->Write([&](Database& database) -> absl::Status {
    for (const std::string_view sql :
         {"DELETE FROM home WHERE uid = ?", "DELETE FROM pending WHERE uid = ?",
          "DELETE FROM group_user WHERE uid = ?", "DELETE FROM purge WHERE uid = ?"}) {
      PODKIT_RETURN_IF_ERROR(database.Execute(sql, {uid}));
    }
    return absl::OkStatus();
  });
  PODKIT_RETURN_IF_ERROR(forgotten);
  MutexLock lock(&mutex_);
  homes_.erase(uid);
  pending_.erase(uid);
  purging_.erase(uid);
  return absl::OkStatus();
}

absl::Status PodDatabase::MarkDisabled(const std::string& uid, absl::Time now) {
  PODKIT_RETURN_IF_ERROR(file_->Write([&](Database& database) {
    return database.Execute("INSERT OR IGNORE INTO disabled (uid, since) VALUES (?, ?)",
                            {uid, ToSqlTime(now)});
  }));
  MutexLock lock(&mutex_);
  disabled_.insert(uid);
  return absl::OkStatus();
}

absl::Status PodDatabase::ClearDisabled(const std::string& uid) {
  PODKIT_RETURN_IF_ERROR(file_->Write([&](Database& database) {
    return database.Execute("DELETE FROM disabled WHERE uid = ?", {uid});
  }));
  MutexLock lock(&mutex_);
  disabled_.erase(uid);
  return absl::OkStatus();
}

bool PodDatabase::IsDisabled(const std::string& uid) const {
  MutexLock lock(&mutex_);
  return disabled_.contains(uid);
}

size_t PodDatabase::CountDisabled() const {
  MutexLock lock(&mutex_);
  return disabled_.size();
}

absl::Status PodDatabase::MarkPending(const std::string& uid) {
  {
    MutexLock lock(&mutex_);
    if (pending_.count(uid) > 0) return absl::OkStatus();
  }
  PODKIT_RETURN_IF_ERROR(file_->Write([&](Database& database) {
    return database.Execute("INSERT OR IGNORE INTO pending (uid) VALUES (?)", {uid});
  }));
  MutexLock lock(&mutex_);
  pending_.insert(uid);
  return absl::OkStatus();
}

absl::Status PodDatabase::ClearPending(const std::string& uid) {
  {
    MutexLock lock(&mutex_);
    if (pending_.erase(uid) == 0) return absl::OkStatus();
  }
  return file_->Write([&](Database& database) {
    return database.Execute("DELETE FROM pending WHERE uid = ?", {uid});
  });
}

absl::Status PodDatabase::MarkGroupUser(const std::string& uid) {
  return file_->Write([&](Database& database) {
    return database.Execute("INSERT OR IGNORE INTO group_user (uid) VALUES (?)", {uid});
  });
}

absl::StatusOr<std::vector<std::string>> PodDatabase::ListGroupUsers() {
  std::set<std::string> uids;
  PODKIT_RETURN_IF_ERROR(file_->Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(uids, QueryTexts(database, "SELECT uid FROM group_user"));
    return absl::OkStatus();
  }));
  return std::vector<std::string>(uids.begin(), uids.end());
}

std::vector<std::string> PodDatabase::ListPending() const {
  MutexLock lock(&mutex_);
  return {pending_.begin(), pending_.end()};
}

}  // namespace podkit::store
