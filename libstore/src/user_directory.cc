#include "podkit/store/user_directory.h"

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "files.h"
#include "podkit/conduit/message.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr size_t kMaxFileBytes = size_t{64} << 20;
constexpr size_t kMaxPodBytes = 64;

// The members of the file.
struct UserEntry {
  std::string uid;
  std::string name;
  std::string pod;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("uid", &UserEntry::uid),
                           conduit::Optional("name", &UserEntry::name),
                           conduit::Required("pod", &UserEntry::pod));
  }
};

struct UserList {
  std::vector<UserEntry> users;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("users", &UserList::users));
  }
};

using Users = std::map<std::string, User, std::less<>>;

// `source` begins each message.
absl::StatusOr<std::shared_ptr<const Users>> CheckUsers(std::vector<User> users,
                                                        std::string_view source) {
  auto checked = std::make_shared<Users>();
  for (size_t i = 0; i < users.size(); ++i) {
    User& user = users[i];
    const auto refuse = [&](std::string_view reason) {
      return absl::InvalidArgumentError(
          fmt::format("{}: users[{}] '{}': {}", source, i, user.uid, reason));
    };
    if (!IsValidUid(user.uid)) {
      return refuse("uid must be 1 to 128 letters, digits and '._@+-', not beginning with '.'");
    }
    if (user.pod.empty() || user.pod.size() > kMaxPodBytes) {
      return refuse("pod must be 1 to 64 characters");
    }
    std::string uid = user.uid;
    if (!checked->try_emplace(std::move(uid), user).second) return refuse("uid is there twice");
  }
  return checked;
}

absl::StatusOr<std::shared_ptr<const Users>> ReadUsers(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxFileBytes));
  auto list = conduit::FromJson<UserList>(std::move(text));
  if (!list.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", path, std::string(list.status().message())));
  }
  std::vector<User> users;
  users.reserve(list->users.size());
  for (UserEntry& entry : list->users) {
    users.push_back({std::move(entry.uid), std::move(entry.name), std::move(entry.pod)});
  }
  return CheckUsers(std::move(users), path);
}

}  // namespace

struct FileUserDirectory::State {
  State(std::string file, std::shared_ptr<const Users> loaded)
      : path(std::move(file)), users(std::move(loaded)) {}

  std::shared_ptr<const Users> Present() const {
    MutexLock lock(&mutex);
    return users;
  }

  const std::string path;  // Empty: no file.
  mutable Mutex mutex;
  std::shared_ptr<const Users> users ABSL_GUARDED_BY(mutex);
};

absl::StatusOr<std::shared_ptr<FileUserDirectory>> FileUserDirectory::Load(std::string path) {
  PODKIT_ASSIGN_OR_RETURN(auto users, ReadUsers(path));
  return std::shared_ptr<FileUserDirectory>(
      new FileUserDirectory(std::make_unique<State>(std::move(path), std::move(users))));
}

absl::StatusOr<std::shared_ptr<FileUserDirectory>> FileUserDirectory::Create(
    std::vector<User> users) {
  PODKIT_ASSIGN_OR_RETURN(auto checked, CheckUsers(std::move(users), "the directory"));
  return std::shared_ptr<FileUserDirectory>(
      new FileUserDirectory(std::make_unique<State>("", std::move(checked))));
}

FileUserDirectory::FileUserDirectory(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileUserDirectory::~FileUserDirectory() = default;

absl::Status FileUserDirectory::Reload() {
  if (state_->path.empty()) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(auto users, ReadUsers(state_->path));
  MutexLock lock(&state_->mutex);
  state_->users = std::move(users);
  return absl::OkStatus();
}

absl::StatusOr<User> FileUserDirectory::Find(std::string_view uid) const {
  const auto users = state_->Present();
  const auto found = users->find(uid);
  if (found != users->end()) return found->second;
  return MakeError(NoSuchUser{.uid = std::string(uid)},
                   fmt::format("the directory has no user '{}'", uid));
}

std::vector<User> FileUserDirectory::All() const {
  std::vector<User> all;
  for (const auto& [uid, user] : *state_->Present()) all.push_back(user);
  return all;
}

}  // namespace podkit::store
