#include "sqlite/user_store.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "sqlite/schema.h"

namespace podkit::store {
namespace {

// Makes the home, or checks that it is the one of `uid`.
absl::Status EnsureHome(Database& database, const std::string& uid, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const auto found, database.QueryText("SELECT uid FROM home"));
  if (found == uid) return absl::OkStatus();
  if (found) {
    return MakeError(StoreDamaged{.uid = uid},
                     fmt::format("{}: the file is the store of '{}', not of '{}': put the right "
                                 "file in its place",
                                 database.path(), *found, uid));
  }
  return database.Execute("INSERT INTO home (uid, created_at, revision) VALUES (?, ?, 0)",
                          {uid, ToSqlTime(now)});
}

}  // namespace

absl::StatusOr<std::shared_ptr<UserStore>> UserStore::Open(const std::string& path,
                                                           const std::string& uid, absl::Time now) {
  const auto prepare = [&uid, now](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(Migrate(database, UserStoreSchema()));
    return EnsureHome(database, uid, now);
  };
  PODKIT_ASSIGN_OR_RETURN(auto file, StoreFile::Open(path, uid, prepare));
  return std::shared_ptr<UserStore>(new UserStore(uid, std::move(file)));
}

UserStore::UserStore(std::string uid, std::unique_ptr<StoreFile> file)
    : uid_(std::move(uid)), file_(std::move(file)) {}
UserStore::~UserStore() = default;

const std::string& UserStore::uid() const { return uid_; }

absl::Status UserStore::CheckNotDisabled() const {
  return retired_ == Retirement::kDisabled ? HomeDisabledError(uid_) : absl::OkStatus();
}

absl::Status UserStore::CheckInUse() const {
  return retired_ == Retirement::kPurging ? BeingPurged(uid_) : CheckNotDisabled();
}

absl::Status UserStore::Read(const TransactionBody& body) {
  PODKIT_RETURN_IF_ERROR(CheckInUse());
  return file_->Read(body);
}

absl::Status UserStore::ReadWhilePurging(const TransactionBody& body) {
  PODKIT_RETURN_IF_ERROR(CheckNotDisabled());
  return file_->Read(body);
}

absl::Status UserStore::Write(const TransactionBody& body) {
  return file_->Write([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(CheckInUse());
    return body(database);
  });
}

absl::Status UserStore::WriteWhilePurging(const TransactionBody& body) {
  return file_->Write([&](Database& database) -> absl::Status {
    PODKIT_RETURN_IF_ERROR(CheckNotDisabled());
    return body(database);
  });
}

UserStore::Counters UserStore::counters() const { return file_->counters(); }

absl::Status HomeDisabledError(const std::string& uid) {
  return MakeError(HomeDisabled{.uid = uid},
                   fmt::format("the home of '{}' is closed for now, try again later", uid));
}

absl::Status BeingPurged(const std::string& uid) {
  return MakeError(NoSuchHome{.uid = uid}, fmt::format("the home of '{}' is being purged", uid));
}

absl::StatusOr<int64_t> NextRevision(Database& database) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto revision,
      database.QueryInteger("UPDATE home SET revision = revision + 1 RETURNING revision"));
  if (revision) return *revision;
  return MakeError(
      StoreDamaged{.uid = database.uid()},
      fmt::format("{}: the file has no home: restore it from a backup", database.path()));
}

}  // namespace podkit::store
