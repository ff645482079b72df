#include "servers/podd/users_file.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "servers/common/files.h"
#include "servers/common/known_members.h"

namespace podkit::servers {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 20;

// The names of the members only; the directory itself reads what they hold.
struct GroupMembers {
  std::string id, name, members;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("id", &GroupMembers::id),
                           conduit::Optional("name", &GroupMembers::name),
                           conduit::Required("members", &GroupMembers::members));
  }
};

struct FileMembers {
  std::string users;
  std::vector<GroupMembers> groups;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("users", &FileMembers::users),
                           conduit::Optional("groups", &FileMembers::groups));
  }
};

}  // namespace

absl::StatusOr<std::shared_ptr<store::FileUserDirectory>> LoadUsersFile(const std::string& path) {
  if (path.empty()) return store::FileUserDirectory::Create({});
  PODKIT_ASSIGN_OR_RETURN(auto users, store::FileUserDirectory::Load(path));
  PODKIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxBytes));
  PODKIT_ASSIGN_OR_RETURN(const auto document, conduit::JsonDocument::Parse(std::move(text)));
  const absl::Status members = CheckMembers<FileMembers>(document.root());
  if (members.ok()) return users;
  return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(members.message())));
}

absl::Status CheckPodsOfUsers(const store::UserDirectory& users, const conduit::Pods& pods,
                              const std::string& path) {
  for (const store::User& user : users.All()) {
    if (pods.Find(user.pod) != nullptr) continue;
    return absl::InvalidArgumentError(
        fmt::format("users file '{}': user '{}': the pods file has "
                    "no pod '{}'",
                    path, user.uid, user.pod));
  }
  return absl::OkStatus();
}

}  // namespace podkit::servers
