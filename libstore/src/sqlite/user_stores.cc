#include "sqlite/user_stores.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "files.h"
#include "hash.h"
#include "podkit/store/errors.h"
#include "podkit/store/user_directory.h"
#include "sqlite/pod_database.h"
#include "sqlite/store_cache.h"

namespace podkit::store {
namespace {

absl::Status CheckUid(const std::string& uid) {
  if (IsValidUid(uid)) return absl::OkStatus();
  return MakeError(InvalidRequest{}, fmt::format("'{}' is not the uid of a user", uid));
}

absl::Status NoHomeError(const std::string& uid) {
  return MakeError(NoSuchHome{.uid = uid}, fmt::format("user '{}' has no home on this pod", uid));
}

absl::StatusOr<absl::Time> HomeCreated(UserStore& store) {
  std::optional<int64_t> created;
  PODKIT_RETURN_IF_ERROR(store.Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(created, database.QueryInteger("SELECT created_at FROM home"));
    return absl::OkStatus();
  }));
  return FromSqlTime(created.value_or(0));
}

size_t AffordableFiles(size_t wanted) {
  // The writer's database, log and shared memory, and one reader's database and log.
  constexpr rlim_t kDescriptors = 5;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  return std::min<rlim_t>(wanted, std::max<rlim_t>(1, limit.rlim_cur / 2 / kDescriptors));
}

}  // namespace

struct UserStores::State {
  State(UserStoresOptions chosen, FileLock held, std::unique_ptr<PodDatabase> pod_database)
      : options(std::move(chosen)),
        lock(std::move(held)),
        pod(std::move(pod_database)),
        cache(
            AffordableFiles(options.max_open_files),
            [this](const std::string& uid, bool may_create) { return OpenFile(uid, may_create); }) {
  }

  absl::StatusOr<std::shared_ptr<UserStore>> OpenFile(const std::string& uid, bool may_create);
  std::string FolderOf(const std::string& uid) const {
    return fmt::format("{}/users/{}", options.folder, Sha256Hex(uid).substr(0, 2));
  }
  absl::Status RemoveFiles(const std::string& uid) const;

  const UserStoresOptions options;
  const FileLock lock;
  const std::unique_ptr<PodDatabase> pod;
  StoreCache cache;
};

// The file comes first, its row in the pod's database after it: a file without a row is taken up
// when it is next asked for, a row without a file is a loss.
absl::StatusOr<std::shared_ptr<UserStore>> UserStores::State::OpenFile(const std::string& uid,
                                                                       bool may_create) {
  const std::string folder = FolderOf(uid);
  const std::string path = fmt::format("{}/{}.sqlite", folder, uid);
  if (pod->HasHome(uid)) {
    PODKIT_ASSIGN_OR_RETURN(const bool exists, FileExists(path));
    // Of a purge that was cut short after it had removed the file: there is nothing to say.
    const bool purging = pod->IsPurging(uid);
    if (exists || purging) {
      PODKIT_ASSIGN_OR_RETURN(auto store, UserStore::Open(path, uid, options.now()));
      if (purging) store->Retire(UserStore::Retirement::kPurging);
      // It may have been disabled since this was asked for.
      if (pod->IsDisabled(uid)) return HomeDisabledError(uid);
      return store;
    }
    return MakeError(
        StoreDamaged{.uid = uid},
        fmt::format("{}: the file of user '{}' is gone: restore it from a backup", path, uid));
  }
  if (!may_create) return NoHomeError(uid);
  PODKIT_RETURN_IF_ERROR(MakeFolder(folder));
  PODKIT_ASSIGN_OR_RETURN(auto store, UserStore::Open(path, uid, options.now()));
  PODKIT_ASSIGN_OR_RETURN(const absl::Time created, HomeCreated(*store));
  PODKIT_RETURN_IF_ERROR(pod->AddHome(uid, created));
  return store;
}

absl::Status UserStores::State::RemoveFiles(const std::string& uid) const {
  const std::string folder = FolderOf(uid);
  const std::string chunks = fmt::format("{}/{}.chunks", folder, uid);
  PODKIT_ASSIGN_OR_RETURN(const auto shards, ListFolder(chunks));
  for (const std::string& shard : shards) {
    PODKIT_RETURN_IF_ERROR(RemoveEntry(fmt::format("{}/{}", chunks, shard)));
  }
  PODKIT_RETURN_IF_ERROR(RemoveEntry(chunks));
  // The log first: a new database beside it, after a crash, would take it for its own.
  for (const char* const ending : {"-wal", "-shm", ""}) {
    PODKIT_RETURN_IF_ERROR(RemoveEntry(fmt::format("{}/{}.sqlite{}", folder, uid, ending)));
  }
  return SyncFolder(folder);
}

absl::StatusOr<std::unique_ptr<UserStores>> UserStores::Open(UserStoresOptions options) {
  PODKIT_RETURN_IF_ERROR(MakeFolder(options.folder));
  PODKIT_ASSIGN_OR_RETURN(FileLock lock, FileLock::Take(options.folder + "/lock"));
  PODKIT_ASSIGN_OR_RETURN(auto pod,
                          PodDatabase::Open(options.folder + "/pod.sqlite", options.pod_id));
  auto state = std::make_unique<State>(std::move(options), std::move(lock), std::move(pod));
  return std::unique_ptr<UserStores>(new UserStores(std::move(state)));
}

UserStores::UserStores(std::unique_ptr<State> state) : state_(std::move(state)) {}
UserStores::~UserStores() = default;

absl::StatusOr<std::shared_ptr<UserStore>> UserStores::Get(const std::string& uid) {
  PODKIT_RETURN_IF_ERROR(CheckUid(uid));
  if (state_->pod->IsPurging(uid)) return BeingPurged(uid);
  if (state_->pod->IsDisabled(uid)) return HomeDisabledError(uid);
  return state_->cache.Get(uid, true);
}

absl::StatusOr<std::shared_ptr<UserStore>> UserStores::GetExisting(const std::string& uid) {
  if (state_->pod->IsPurging(uid)) return BeingPurged(uid);
  return GetUntilGone(uid);
}

absl::Status UserStores::MarkPurging(const std::string& uid) {
  PODKIT_RETURN_IF_ERROR(state_->pod->MarkPurging(uid, state_->options.now()));
  PODKIT_ASSIGN_OR_RETURN(const auto store, GetUntilGone(uid));
  store->Retire(UserStore::Retirement::kPurging);
  return absl::OkStatus();
}

absl::StatusOr<bool> UserStores::Disable(const std::string& uid) {
  if (state_->pod->IsPurging(uid)) return BeingPurged(uid);
  if (!state_->pod->HasHome(uid)) return NoHomeError(uid);
  PODKIT_RETURN_IF_ERROR(state_->pod->MarkDisabled(uid, state_->options.now()));
  if (const auto store = state_->cache.GetIfOpen(uid)) {
    store->Retire(UserStore::Retirement::kDisabled);
  }
  return state_->cache.CloseIfIdle(uid);
}

absl::Status UserStores::Enable(const std::string& uid) {
  if (!state_->pod->HasHome(uid)) return NoHomeError(uid);
  if (!state_->pod->IsDisabled(uid)) return absl::OkStatus();
  if (state_->cache.CloseIfIdle(uid)) return state_->pod->ClearDisabled(uid);
  return MakeError(StoreBusy{.uid = uid},
                   fmt::format("somebody still holds the file of the home of '{}' from before it "
                               "was disabled: try again",
                               uid));
}

size_t UserStores::CountDisabled() const { return state_->pod->CountDisabled(); }

bool UserStores::IsPurging(const std::string& uid) const { return state_->pod->IsPurging(uid); }

std::vector<std::string> UserStores::ListPurging() const { return state_->pod->ListPurging(); }

bool UserStores::HasHome(const std::string& uid) const { return state_->pod->HasHome(uid); }

absl::StatusOr<bool> UserStores::RemoveHome(
    const std::string& uid, const std::function<absl::StatusOr<bool>(UserStore&)>& ready,
    const std::function<absl::Status()>& remove_rest) {
  return state_->cache.Remove(uid, ready, [&]() -> absl::Status {
    PODKIT_RETURN_IF_ERROR(remove_rest());
    PODKIT_RETURN_IF_ERROR(state_->RemoveFiles(uid));
    return state_->pod->ForgetHome(uid);
  });
}

absl::StatusOr<std::shared_ptr<UserStore>> UserStores::GetUntilGone(const std::string& uid) {
  if (!state_->pod->HasHome(uid)) return NoHomeError(uid);
  if (state_->pod->IsDisabled(uid)) return HomeDisabledError(uid);
  return state_->cache.Get(uid, false);
}

absl::StatusOr<std::vector<HomeInfo>> UserStores::ListHomes() { return state_->pod->ListHomes(); }

std::vector<std::string> UserStores::HomesAfter(const std::string& uid, size_t most) const {
  return state_->pod->HomesAfter(uid, most);
}

size_t UserStores::CountHomes() const { return state_->pod->CountHomes(); }

const std::string& UserStores::answers_id() const { return state_->pod->answers_id(); }

absl::Status UserStores::MarkPending(const std::string& uid) {
  return state_->pod->MarkPending(uid);
}

absl::Status UserStores::ClearPending(const std::string& uid) {
  return state_->pod->ClearPending(uid);
}

absl::Status UserStores::MarkGroupUser(const std::string& uid) {
  return state_->pod->MarkGroupUser(uid);
}

absl::StatusOr<std::vector<std::string>> UserStores::ListGroupUsers() {
  return state_->pod->ListGroupUsers();
}

absl::StatusOr<std::vector<std::string>> UserStores::ListPending() {
  return state_->pod->ListPending();
}

size_t UserStores::open_files() const { return state_->cache.open_files(); }

UserStore::Counters UserStores::counters() const { return state_->cache.counters(); }

}  // namespace podkit::store
