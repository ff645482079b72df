#include "servers/podd/users_file.h"

#include <fstream>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using testing::TempDir;
using testing::ValueOf;

class UsersFile {
 public:
  std::string path() const { return folder_.File("users.json"); }
  absl::StatusOr<std::shared_ptr<store::FileUserDirectory>> Load(const std::string& text) const {
    std::ofstream(path()) << text;
    return LoadUsersFile(path());
  }
  // What stands behind the path.
  std::string Refusal(const std::string& text) const {
    const absl::Status status = Load(text).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message().substr(0, path().size()) == path());
    return std::string(status.message()).substr(path().size());
  }

 private:
  TempDir folder_;
};

TEST_CASE("A misspelt member of the users file is refused by name", "[podd][users]") {
  const UsersFile file;
  CHECK(file.Refusal(R"({"users": [], "grups": []})") ==
        ": $.grups: is not a known member; there are users, groups");
  CHECK(file.Refusal(R"({"users": [], "groups": [{"id": "g", "members": []},
                         {"id": "h", "members": [], "nmae": "H"}]})") ==
        ": $.groups[1].nmae: is not a known member; there are id, name, members");
  CHECK(file.Refusal(R"({"users": [], "groups": {"id": "g"}})") ==
        ": $.groups: expected array, got object");
  const auto users = ValueOf(file.Load(R"({"users": [{"uid": "ann", "pod": "A", "shoe_size": 38}],
      "groups": [{"id": "g", "name": "G", "members": ["ann"]}]})"));
  CHECK(users->All().size() == 1);
  CHECK(users->UsersIn("g").size() == 1);
}

TEST_CASE("A user lives on a pod that there is", "[podd][users]") {
  const UsersFile file;
  const auto pods = ValueOf(conduit::Pods::Create({{.id = "A"}}, "A"));
  const auto check = [&](const std::string& text) {
    return CheckPodsOfUsers(*ValueOf(file.Load(text)), *pods, "users.json");
  };
  CHECK(check(R"({"users": [{"uid": "ann", "pod": "A"}]})") == absl::OkStatus());
  CHECK(check(R"({"users": [{"uid": "ann", "pod": "Z"}, {"uid": "bob", "pod": "A"}]})") ==
        absl::InvalidArgumentError(
            "users file 'users.json': user 'ann': the pods file has no pod 'Z'"));
}

}  // namespace
}  // namespace podkit::servers
