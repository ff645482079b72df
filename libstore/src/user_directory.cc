#include "podkit/store/user_directory.h"

#include <fmt/format.h>

#include <map>
#include <set>
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

struct GroupEntry {
  std::string id;
  std::string name;
  std::vector<std::string> members;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("id", &GroupEntry::id),
                           conduit::Optional("name", &GroupEntry::name),
                           conduit::Required("members", &GroupEntry::members));
  }
};

struct UserList {
  std::vector<UserEntry> users;
  std::vector<GroupEntry> groups;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("users", &UserList::users),
                           conduit::Optional("groups", &UserList::groups));
  }
};

struct KnownGroup {
  Group group;
  std::set<std::string, std::less<>> users;  // In it or in a group within it.
};

struct Content {
  std::map<std::string, User, std::less<>> users;
  std::map<std::string, KnownGroup, std::less<>> groups;
};

// The users of `id` and of the groups within it, however deep and in whatever circles.
std::set<std::string, std::less<>> UsersOf(const Content& content, const std::string& id) {
  std::set<std::string, std::less<>> users;
  std::set<std::string> seen = {id};
  std::vector<std::string> open = {id};
  while (!open.empty()) {
    const KnownGroup& known = content.groups.at(open.back());
    open.pop_back();
    for (const std::string& member : known.group.members) {
      if (content.users.contains(member)) {
        users.insert(member);
      } else if (seen.insert(member).second) {
        open.push_back(member);
      }
    }
  }
  return users;
}

absl::Status AddGroups(std::vector<Group> groups, std::string_view source, Content* content) {
  for (size_t i = 0; i < groups.size(); ++i) {
    Group& group = groups[i];
    const auto refuse = [&](std::string_view reason) {
      return absl::InvalidArgumentError(
          fmt::format("{}: groups[{}] '{}': {}", source, i, group.id, reason));
    };
    if (!IsValidUid(group.id)) {
      return refuse("id must be 1 to 128 letters, digits and '._@+-', not beginning with '.'");
    }
    if (content->users.contains(group.id)) return refuse("a user has that id");
    const std::string id = group.id;
    if (!content->groups.try_emplace(id, KnownGroup{std::move(group), {}}).second) {
      return absl::InvalidArgumentError(
          fmt::format("{}: groups[{}] '{}': id is there twice", source, i, id));
    }
  }
  for (auto& [id, known] : content->groups) {
    for (const std::string& member : known.group.members) {
      if (content->users.contains(member) || content->groups.contains(member)) continue;
      return absl::InvalidArgumentError(fmt::format(
          "{}: group '{}': member '{}' is neither a user nor a group", source, id, member));
    }
  }
  for (auto& [id, known] : content->groups) known.users = UsersOf(*content, id);
  return absl::OkStatus();
}

// `source` begins each message.
absl::StatusOr<std::shared_ptr<const Content>> CheckContent(std::vector<User> users,
                                                            std::vector<Group> groups,
                                                            std::string_view source) {
  auto checked = std::make_shared<Content>();
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
    if (!checked->users.try_emplace(std::move(uid), user).second) {
      return refuse("uid is there twice");
    }
  }
  PODKIT_RETURN_IF_ERROR(AddGroups(std::move(groups), source, checked.get()));
  return checked;
}

absl::StatusOr<std::shared_ptr<const Content>> ReadContent(const std::string& path) {
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
  std::vector<Group> groups;
  groups.reserve(list->groups.size());
  for (GroupEntry& entry : list->groups) {
    groups.push_back({std::move(entry.id), std::move(entry.name), std::move(entry.members)});
  }
  return CheckContent(std::move(users), std::move(groups), path);
}

}  // namespace

absl::StatusOr<Group> UserDirectory::FindGroup(std::string_view id) const {
  return MakeError(NoSuchUser{.uid = std::string(id)},
                   fmt::format("the directory has no group '{}'", id));
}

struct FileUserDirectory::State {
  State(std::string file, std::shared_ptr<const Content> loaded)
      : path(std::move(file)), content(std::move(loaded)) {}

  std::shared_ptr<const Content> Present() const {
    MutexLock lock(&mutex);
    return content;
  }
  void Put(std::shared_ptr<const Content> next) {
    MutexLock lock(&mutex);
    content = std::move(next);
  }

  const std::string path;  // Empty: no file.
  mutable Mutex mutex;
  std::shared_ptr<const Content> content ABSL_GUARDED_BY(mutex);
};

absl::StatusOr<std::shared_ptr<FileUserDirectory>> FileUserDirectory::Load(std::string path) {
  PODKIT_ASSIGN_OR_RETURN(auto content, ReadContent(path));
  return std::shared_ptr<FileUserDirectory>(
      new FileUserDirectory(std::make_unique<State>(std::move(path), std::move(content))));
}

absl::StatusOr<std::shared_ptr<FileUserDirectory>> FileUserDirectory::Create(
    std::vector<User> users, std::vector<Group> groups) {
  PODKIT_ASSIGN_OR_RETURN(auto checked,
                          CheckContent(std::move(users), std::move(groups), "the directory"));
  return std::shared_ptr<FileUserDirectory>(
      new FileUserDirectory(std::make_unique<State>("", std::move(checked))));
}

FileUserDirectory::FileUserDirectory(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileUserDirectory::~FileUserDirectory() = default;

absl::Status FileUserDirectory::Replace(std::vector<User> users, std::vector<Group> groups) {
  PODKIT_ASSIGN_OR_RETURN(auto checked,
                          CheckContent(std::move(users), std::move(groups), "the directory"));
  state_->Put(std::move(checked));
  return absl::OkStatus();
}

absl::Status FileUserDirectory::Reload() {
  if (state_->path.empty()) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(auto content, ReadContent(state_->path));
  state_->Put(std::move(content));
  return absl::OkStatus();
}

absl::StatusOr<User> FileUserDirectory::Find(std::string_view uid) const {
  const auto content = state_->Present();
  const auto found = content->users.find(uid);
  if (found != content->users.end()) return found->second;
  return MakeError(NoSuchUser{.uid = std::string(uid)},
                   fmt::format("the directory has no user '{}'", uid));
}

std::vector<User> FileUserDirectory::All() const {
  std::vector<User> all;
  const auto content = state_->Present();
  for (const auto& [uid, user] : content->users) all.push_back(user);
  return all;
}

absl::StatusOr<Group> FileUserDirectory::FindGroup(std::string_view id) const {
  const auto content = state_->Present();
  const auto found = content->groups.find(id);
  if (found != content->groups.end()) return found->second.group;
  return UserDirectory::FindGroup(id);
}

std::vector<Group> FileUserDirectory::AllGroups() const {
  std::vector<Group> all;
  const auto content = state_->Present();
  for (const auto& [id, known] : content->groups) all.push_back(known.group);
  return all;
}

std::vector<std::string> FileUserDirectory::UsersIn(std::string_view group) const {
  const auto content = state_->Present();
  const auto found = content->groups.find(group);
  if (found == content->groups.end()) return {};
  return {found->second.users.begin(), found->second.users.end()};
}

bool FileUserDirectory::IsIn(std::string_view group, std::string_view uid) const {
  const auto content = state_->Present();
  const auto found = content->groups.find(group);
  return found != content->groups.end() && found->second.users.contains(uid);
}

}  // namespace podkit::store
