#include "servers/common/files.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;
using testing::ValueOf;

TEST_CASE("A file is replaced whole and read up to a limit", "[files]") {
  const TempDir folder;
  const std::string path = folder.File("file");
  CHECK(ReadFile(path, 10).status().code() == absl::StatusCode::kNotFound);
  CHECK(WriteFile(path, "old text") == absl::OkStatus());
  CHECK(WriteFile(path, "new") == absl::OkStatus());
  CHECK(ValueOf(ReadFile(path, 3)) == "new");
  CHECK(ReadFile(path, 2).status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReadFile(folder.path().string(), 10).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("A secret is made once, for its owner only", "[files]") {
  const TempDir folder;
  const std::string path = folder.File("secret");
  REQUIRE(EnsureSecret(path) == absl::OkStatus());
  const std::string secret = ValueOf(ReadSecret(path));
  CHECK(secret.size() == 2 * kMinSecretBytes);
  CHECK(fs::status(path).permissions() == fs::perms(0600));
  REQUIRE(EnsureSecret(path) == absl::OkStatus());
  CHECK(ValueOf(ReadSecret(path)) == secret);
  REQUIRE(EnsureSecret(folder.File("other")) == absl::OkStatus());
  CHECK(ValueOf(ReadSecret(folder.File("other"))) != secret);
}

TEST_CASE("A secret that is short or open to others is refused", "[files]") {
  const TempDir folder;
  const std::string path = folder.File("secret");
  std::ofstream(path) << "  " << std::string(31, 's') << " \n";
  chmod(path.c_str(), 0600);
  CHECK(ReadSecret(path).status().code() == absl::StatusCode::kInvalidArgument);
  std::ofstream(path) << std::string(32, 's') << "\n";
  CHECK(ValueOf(ReadSecret(path)) == std::string(32, 's'));
  for (const mode_t mode : {0640U, 0604U, 0620U}) {
    chmod(path.c_str(), mode);
    CHECK(ReadSecret(path).status().code() == absl::StatusCode::kPermissionDenied);
  }
}

TEST_CASE("A secret behind a byte order mark is refused by name", "[files]") {
  const TempDir folder;
  const std::string path = folder.File("secret");
  std::ofstream(path) << "\xEF\xBB\xBF" << std::string(64, 's') << "\n";
  chmod(path.c_str(), 0600);
  CHECK(ReadSecret(path).status().message() ==
        "'" + path + "' begins with a byte order mark: save it as UTF-8 without one");
}

TEST_CASE("Secrets are compared by all their bytes", "[files]") {
  CHECK(SecretsEqual("abc", "abc"));
  CHECK_FALSE(SecretsEqual("abc", "abd"));
  CHECK_FALSE(SecretsEqual("abc", "abcd"));
  CHECK_FALSE(SecretsEqual("", "a"));
}

TEST_CASE("A folder is made with those above it, for its owner only", "[files]") {
  const TempDir folder;
  REQUIRE(MakeFolder(folder.File("a/b")) == absl::OkStatus());
  CHECK(fs::status(folder.File("a/b")).permissions() == fs::perms(0700));
  CHECK(MakeFolder(folder.File("a/b")) == absl::OkStatus());
  std::ofstream(folder.File("file")) << "x";
  CHECK_FALSE(MakeFolder(folder.File("file")).ok());
  CHECK_FALSE(MakeFolder(folder.File("file/b")).ok());
}

TEST_CASE("A path in a file is relative to the folder of that file", "[files]") {
  CHECK(ResolvePath("/etc/podd", "users.json") == "/etc/podd/users.json");
  CHECK(ResolvePath("/etc/podd", "../users.json") == "/etc/users.json");
  CHECK(ResolvePath("/etc/podd", "/users.json") == "/users.json");
  CHECK(ResolvePath("", "users.json") == "users.json");
  CHECK(ResolvePath("/etc/podd", "").empty());
}

}  // namespace
}  // namespace podkit::servers
