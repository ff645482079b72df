#include "podkit/store/user_directory.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "podkit/store/errors.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::TempDir;
using testing::ValueOf;

struct File {
  TempDir folder;
  std::string path = folder.File("users.json");

  void Write(const std::string& text) { std::ofstream(path) << text; }
  // The message with which `text` is refused.
  std::string Refusal(const std::string& text) {
    Write(text);
    const absl::Status status = FileUserDirectory::Load(path).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(path) == 0);
    return std::string(status.message()).substr(path.size());
  }
};

bool Has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

constexpr const char* kTwo = R"({"users": [
  {"uid": "bob", "name": "Bob", "pod": "B"},
  {"uid": "ann", "name": "Ann", "pod": "A", "shoe_size": 38}]})";

}  // namespace

TEST_CASE("The directory says who lives where", "[store][directory]") {
  File file;
  file.Write(kTwo);
  const auto directory = ValueOf(FileUserDirectory::Load(file.path));
  const User ann = ValueOf(directory->Find("ann"));
  CHECK(ann.uid == "ann");
  CHECK(ann.name == "Ann");
  CHECK(ann.pod == "A");
  const auto all = directory->All();
  REQUIRE(all.size() == 2);
  CHECK(all[0].uid == "ann");
  CHECK(all[1].uid == "bob");
  const absl::Status missing = directory->Find("cy").status();
  REQUIRE(GetError<NoSuchUser>(missing));
  CHECK(GetError<NoSuchUser>(missing)->uid == "cy");
  CHECK(missing.code() == absl::StatusCode::kNotFound);
}

TEST_CASE("A directory file with a fault is refused by file, user and member",
          "[store][directory]") {
  File file;
  CHECK(Has(file.Refusal("{"), "byte"));
  CHECK(Has(file.Refusal("[]"), "object"));
  CHECK(Has(file.Refusal("{}"), "users"));
  CHECK(Has(file.Refusal(R"({"users": {}})"), "users"));
  CHECK(Has(file.Refusal(R"({"users": [{"uid": "ann", "pod": 5}]})"), "pod"));
  CHECK(Has(file.Refusal(R"({"users": [{"uid": "ann", "pod": "A"}, {"pod": "A"}]})"), "uid"));
  CHECK(Has(file.Refusal(R"({"users": [{"uid": "ann", "pod": "A"}, {"uid": "bob"}]})"), "pod"));
  CHECK(Has(file.Refusal(R"({"users": [{"uid": "a/b", "pod": "A"}]})"), "users[0] 'a/b': uid"));
  CHECK(Has(file.Refusal(R"({"users": [{"uid": "ann", "pod": ""}]})"), "users[0] 'ann': pod"));
  CHECK(Has(file.Refusal(R"({"users": [{"uid": "ann", "pod": "A"}, {"uid": "ann", "pod": "B"}]})"),
            "users[1] 'ann': uid is there twice"));
}

TEST_CASE("A directory file that is not there is named", "[store][directory]") {
  const TempDir folder;
  const absl::Status status = FileUserDirectory::Load(folder.File("none.json")).status();
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(Has(std::string(status.message()), folder.File("none.json")));
}

TEST_CASE("A directory file that is too large is refused before it is all read",
          "[store][directory]") {
  File file;
  file.Write(kTwo);
  const auto directory = ValueOf(FileUserDirectory::Load(file.path));
  std::filesystem::resize_file(file.path, (uintmax_t{64} << 20) + 1);
  const absl::Status status = directory->Reload();
  CHECK(status ==
        absl::ResourceExhaustedError(file.path + ": the file is larger than 67108864 bytes"));
  CHECK(FileUserDirectory::Load(file.path).status() == status);
  CHECK(ValueOf(directory->Find("ann")).pod == "A");
}

TEST_CASE("A directory reads its file again, and keeps what it has on errors",
          "[store][directory]") {
  File file;
  file.Write(kTwo);
  const auto directory = ValueOf(FileUserDirectory::Load(file.path));
  file.Write(R"({"users": [{"uid": "ann", "pod": "B"}]})");
  CHECK(ValueOf(directory->Find("ann")).pod == "A");
  CHECK(directory->Reload() == absl::OkStatus());
  CHECK(ValueOf(directory->Find("ann")).pod == "B");
  CHECK(directory->All().size() == 1);
  file.Write("nonsense");
  CHECK(directory->Reload().code() == absl::StatusCode::kInvalidArgument);
  CHECK(ValueOf(directory->Find("ann")).pod == "B");
  std::filesystem::remove(file.path);
  CHECK(directory->Reload().code() == absl::StatusCode::kNotFound);
  CHECK(directory->All().size() == 1);
}

TEST_CASE("A directory without a file is checked too", "[store][directory]") {
  const auto directory =
      ValueOf(FileUserDirectory::Create({{.uid = "ann", .name = "Ann", .pod = "A"}}));
  CHECK(directory->Reload() == absl::OkStatus());
  CHECK(ValueOf(directory->Find("ann")).name == "Ann");
  CHECK(FileUserDirectory::Create({{.uid = "", .name = "", .pod = "A"}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Groups hold users and groups, however nested", "[store][directory][groups]") {
  File file;
  file.Write(R"({"users": [{"uid": "ann", "pod": "A"}, {"uid": "bob", "pod": "B"},
                           {"uid": "cat", "pod": "A"}],
                 "groups": [{"id": "all", "members": ["staff", "cat", "ann"]},
                            {"id": "staff", "name": "Staff", "members": ["ann", "bob", "all"]},
                            {"id": "none", "members": []}]})");
  const auto directory = ValueOf(FileUserDirectory::Load(file.path));
  using Members = std::vector<std::string>;
  CHECK(directory->UsersIn("all") == Members{"ann", "bob", "cat"});
  CHECK(directory->UsersIn("staff") == Members{"ann", "bob", "cat"});  // They hold each other.
  CHECK(directory->UsersIn("none").empty());
  CHECK(directory->UsersIn("nothing").empty());
  CHECK(directory->IsIn("all", "bob"));
  CHECK_FALSE(directory->IsIn("none", "bob"));
  CHECK_FALSE(directory->IsIn("nothing", "bob"));
  CHECK_FALSE(directory->IsIn("all", "staff"));  // A group is no user.
  const Group staff = ValueOf(directory->FindGroup("staff"));
  CHECK(staff.name == "Staff");
  CHECK(staff.members == Members{"ann", "bob", "all"});
  CHECK(GetError<NoSuchUser>(directory->FindGroup("ann").status()));
  CHECK(GetError<NoSuchUser>(directory->Find("staff").status()));
  REQUIRE(directory->AllGroups().size() == 3);
  CHECK(directory->AllGroups()[1].id == "none");
  // Members change with the file.
  file.Write(R"({"users": [{"uid": "ann", "pod": "A"}],
                 "groups": [{"id": "all", "members": ["ann"]}]})");
  REQUIRE(directory->Reload() == absl::OkStatus());
  CHECK(directory->UsersIn("all") == Members{"ann"});
  CHECK(directory->UsersIn("staff").empty());
}

TEST_CASE("A group with a fault is refused by its name", "[store][directory][groups]") {
  const std::vector<User> users = {{.uid = "ann", .name = "", .pod = "A"}};
  const auto refusal = [&](std::vector<Group> groups) {
    const auto created = FileUserDirectory::Create(users, std::move(groups));
    CHECK(created.status().code() == absl::StatusCode::kInvalidArgument);
    return std::string(created.status().message());
  };
  CHECK(Has(refusal({{.id = "a/b", .name = "", .members = {}}}), "groups[0] 'a/b': id must be"));
  CHECK(Has(refusal({{.id = "ann", .name = "", .members = {}}}), "a user has that id"));
  CHECK(
      Has(refusal({{.id = "g", .name = "", .members = {}}, {.id = "g", .name = "", .members = {}}}),
          "groups[1] 'g': id is there twice"));
  CHECK(Has(refusal({{.id = "g", .name = "", .members = {"zoe"}}}),
            "member 'zoe' is neither a user nor a group"));
  // All or none.
  const auto directory = ValueOf(FileUserDirectory::Create(users));
  CHECK(directory->Replace(users, {{.id = "g", .name = "", .members = {"zoe"}}}).code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(directory->AllGroups().empty());
  CHECK(directory->Replace(users, {{.id = "g", .name = "", .members = {"ann"}}}) ==
        absl::OkStatus());
  CHECK(directory->IsIn("g", "ann"));
}

TEST_CASE("A directory is read while it is loaded again", "[store][directory]") {
  File file;
  file.Write(kTwo);
  const auto directory = ValueOf(FileUserDirectory::Load(file.path));
  std::atomic<bool> stop = false;
  std::atomic<int> misses = 0;
  std::thread reader([&] {
    while (!stop) misses += !directory->Find("ann").ok();
  });
  for (int i = 0; i < 50; ++i) CHECK(directory->Reload() == absl::OkStatus());
  stop = true;
  reader.join();
  CHECK(misses == 0);
}

}  // namespace podkit::store
