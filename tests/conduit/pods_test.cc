#include "podkit/conduit/pods.h"

#include <sys/stat.h>

#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"

namespace podkit::conduit {
namespace {

using podkit::testing::TempDir;
using podkit::testing::ValueOf;

const std::string kLongKey = "0123456789abcdef0123456789abcdef";

void Write(const std::string& path, std::string_view text, mode_t mode = 0600) {
  std::ofstream(path, std::ios::binary) << text;
  REQUIRE(chmod(path.c_str(), mode) == 0);
}

// A directory with a good key "b.key" and a pods file.
struct Files {
  TempDir directory;
  std::string pods = directory.File("pods.json");

  Files() { Write(directory.File("b.key"), kLongKey); }

  // What Load says about a file in which pod B has these members besides its id.
  absl::Status LoadWith(std::string_view members) {
    return LoadText(std::string(R"({"pods":[{"id":"A","hosts":["http://a:1"]},{"id":"B",)") +
                    std::string(members) + "}]}");
  }
  absl::Status LoadText(std::string_view text, std::string own_id = "A") {
    Write(pods, text);
    return Pods::Load(pods, std::move(own_id)).status();
  }
  // The same, which must fail and start with the name of the file.
  std::string Refusal(const absl::Status& status) {
    REQUIRE_FALSE(status.ok());
    const std::string message(status.message());
    const std::string prefix = "pods file '" + pods + "': ";
    REQUIRE(message.starts_with(prefix));
    return message.substr(prefix.size());
  }
};

constexpr std::string_view kGoodB = R"("hosts":["http://b:2"],"key_files":["b.key"])";

std::string CreateError(std::vector<Pod> pods, std::string own_id = "A") {
  const auto created = Pods::Create(std::move(pods), std::move(own_id));
  REQUIRE(created.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(created.status().message());
}

std::string HostError(std::string host) {
  const std::string message = CreateError({{.id = "A", .hosts = {std::move(host)}}});
  REQUIRE(message.starts_with("pod 'A': $.hosts[0]: '"));
  return message.substr(message.rfind(": ") + 2);
}

}  // namespace

TEST_CASE("Pods reads hosts, keys and flags from its file", "[conduit][pods]") {
  Files files;
  Write(files.directory.File("old.key"), kLongKey + kLongKey + "\r\n");
  const std::string certificate = podkit::testing::ShellOutput(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca "
      "-keyout /dev/null 2>/dev/null");
  Write(files.directory.File("ca.pem"), "Text before it\n" + certificate, 0644);
  Write(files.pods, R"({"pods":[
      {"id":"B","hosts":["HTTPS://B1.Example","http://[::1]:8202"],
       "key_files":["b.key","old.key"],"ca_file":"ca.pem","acts_for_any_user":true},
      {"id":"A","hosts":["http://127.0.0.1:8201"]}]})");
  const auto pods = ValueOf(Pods::Load(files.pods, "A"));
  CHECK(pods->own_id() == "A");
  REQUIRE(pods->All().size() == 2);
  CHECK(pods->All()[0]->id == "A");
  CHECK(pods->Find("A")->keys.empty());
  CHECK_FALSE(pods->Find("A")->acts_for_any_user);
  const auto b = pods->Find("B");
  REQUIRE(b != nullptr);
  CHECK(b->hosts == std::vector<std::string>{"https://b1.example:443", "http://[::1]:8202"});
  CHECK(b->keys == std::vector<std::string>{kLongKey, kLongKey + kLongKey});
  CHECK(b->ca_file == files.directory.File("ca.pem"));
  CHECK(b->acts_for_any_user);
  CHECK(pods->Find("C") == nullptr);
}

TEST_CASE("Two pods can share one file, for keys of the own pod are not read", "[conduit][pods]") {
  Files files;
  const std::string text =
      R"({"pods":[{"id":"A","hosts":["http://a:1"],"key_files":["b.key"]},
                  {"id":"B","hosts":["http://b:1"],"key_files":["b.key"]}]})";
  CHECK(files.LoadText(text, "A") == absl::OkStatus());
  CHECK(files.LoadText(text, "B") == absl::OkStatus());
}

TEST_CASE("Pods names file, pod and member of each mistake", "[conduit][pods]") {
  Files files;
  const auto with = [&](std::string_view members) {
    return files.Refusal(files.LoadWith(members));
  };
  CHECK(with(R"("hosts":["http://b:2"])") ==
        "pod 'B': $.key_files: names no key; the two pods need one that both know");
  CHECK(with(R"("hosts":["http://b:2"],"key_file":"b.key")") ==
        "pod 'B': $.key_file: is not a known member; there are id, hosts, key_files, ca_file, "
        "acts_for_any_user");
  CHECK(with(R"("key_files":["b.key"])") == "pod 'B': $.hosts: is missing");
  CHECK(with(R"("hosts":"http://b:2","key_files":["b.key"])") ==
        "pod 'B': $.hosts: expected array, got string");
  CHECK(with(R"("hosts":["http://b:2",7],"key_files":["b.key"])") ==
        "pod 'B': $.hosts[1]: expected string, got integer");
  CHECK(with(R"("hosts":["b:2"],"key_files":["b.key"])") ==
        "pod 'B': $.hosts[0]: 'b:2' is not scheme://host:port: it must start with http:// or "
        "https://");
  CHECK(with(R"("hosts":["http://b:2"],"key_files":["none.key"])") ==
        "pod 'B': $.key_files[0]: cannot read '" + files.directory.File("none.key") +
            "': No such file or directory");
  CHECK(with(R"("hosts":["http://b:2"],"key_files":["b.key"],"ca_file":"none.pem")")
            .starts_with("pod 'B': $.ca_file: cannot read '"));
  for (const char* rubbish :
       {"", "certificates", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    Write(files.directory.File("ca.pem"), rubbish, 0644);
    CHECK(with(R"("hosts":["https://b:2"],"key_files":["b.key"],"ca_file":"ca.pem")") ==
          "pod 'B': $.ca_file: '" + files.directory.File("ca.pem") +
              "' holds no certificate in PEM form");
  }
  CHECK(with(R"("hosts":["http://b:2"],"key_files":["b.key"],"acts_for_any_user":1)") ==
        "pod 'B': $.acts_for_any_user: expected boolean, got integer");
}

TEST_CASE("Pods refuses a file that is not one", "[conduit][pods]") {
  Files files;
  const auto text = [&](std::string_view what, std::string own_id = "A") {
    return files.Refusal(files.LoadText(what, std::move(own_id)));
  };
  CHECK(text("{").starts_with("JSON at byte 1: "));
  CHECK(text("[]") == "it is not an object with an array \"pods\"");
  CHECK(text(R"({"pods":{}})") == "it is not an object with an array \"pods\"");
  CHECK(text(R"({"pods":[],"pod":[]})") == "$.pod: is not a known member; there are pods");
  CHECK(text(R"({"pods":[]})") == "pod 'A': $.id: the own pod is not listed");
  CHECK(text(R"({"pods":[7]})") == "pod 1: $: expected object, got integer");
  CHECK(text(R"({"pods":[{"id":"A","hosts":["http://a:1"]},{"hosts":[]}]})") ==
        "pod 2: $.id: is missing");
  CHECK(text(R"({"pods":[{"id":"A","id":"B","hosts":[]}]})").find("'id' appears twice") !=
        std::string::npos);
  CHECK(text(R"({"pods":[{"id":"A","hosts":["http://a:1"]},{"id":"A","hosts":["http://a:2"]}]})") ==
        "pod 'A': $.id: is listed twice");
  CHECK(text(std::string(2 << 20, ' ')).find("more than the limit of 1048576") !=
        std::string::npos);
  CHECK(text("\xEF\xBB\xBF{}") ==
        "JSON begins with a byte order mark: save it as UTF-8 without one");
  const absl::Status missing = Pods::Load(files.directory.File("none.json"), "A").status();
  CHECK(missing.code() == absl::StatusCode::kNotFound);
  CHECK(Pods::Load(files.directory.path().string(), "A").status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Pods refuses a key that is short, large, shared or open to others", "[conduit][pods]") {
  Files files;
  const std::string key = files.directory.File("b.key");
  REQUIRE(files.LoadWith(kGoodB) == absl::OkStatus());
  Write(key, kLongKey + "\n");
  CHECK(files.LoadWith(kGoodB) == absl::OkStatus());
  Write(key, kLongKey.substr(1) + "\n");
  CHECK(files.Refusal(files.LoadWith(kGoodB)) ==
        "pod 'B': $.key_files[0]: the key has 31 bytes; at least 32 are needed");
  Write(key, "\xEF\xBB\xBF" + kLongKey + "\n");
  CHECK(files.Refusal(files.LoadWith(kGoodB)) ==
        "pod 'B': $.key_files[0]: '" + key +
            "' begins with a byte order mark: save it as UTF-8 without one");
  Write(key, std::string(5000, 'k'));
  CHECK(files.LoadWith(kGoodB).code() == absl::StatusCode::kInvalidArgument);
  for (const mode_t mode : {0640, 0604, 0620, 0610, 0601}) {
    Write(key, kLongKey, mode);
    const absl::Status status = files.LoadWith(kGoodB);
    CHECK(status.code() == absl::StatusCode::kPermissionDenied);
    CHECK(files.Refusal(status).find("chmod 600") != std::string::npos);
  }
  Write(key, kLongKey, 0400);
  CHECK(files.LoadWith(kGoodB) == absl::OkStatus());
  CHECK(CreateError(
            {{.id = "A"}, {.id = "B", .keys = {kLongKey}}, {.id = "C", .keys = {kLongKey}}}) ==
        "pod 'C': $.key_files: holds a key of pod 'B'; each pair of pods needs its own");
}

TEST_CASE("No message about a key shows the key", "[conduit][pods]") {
  Files files;
  Write(files.directory.File("b.key"), "secret");
  CHECK(files.LoadWith(kGoodB).ToString().find("secret") == std::string::npos);
}

TEST_CASE("Pods checks ids", "[conduit][pods]") {
  const std::string rule = "must be 1 to 64 letters, digits, '-', '_' and '.'";
  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("a\nb"), std::string(65, 'a')}) {
    CHECK(CreateError({{.id = "A"}, {.id = id, .keys = {kLongKey}}}).find(rule) !=
          std::string::npos);
  }
  CHECK(Pods::Create({{.id = "A"}, {.id = "a-Z_0.9", .keys = {kLongKey}}}, "A").ok());
}

TEST_CASE("Pods checks the addresses of hosts", "[conduit][pods]") {
  CHECK(HostError("ftp://a:1") == "it must start with http:// or https://");
  CHECK(HostError("http://a:1/") == "nothing may follow the port, not even '/'");
  CHECK(HostError("http://a:1?x") == "nothing may follow the port, not even '/'");
  CHECK(HostError("http://u:p@a:1") == "it must not have a user or password");
  for (const char* port : {"0", "65536", "", "-1", "1x", "+1"}) {
    CHECK(HostError(std::string("http://a:") + port) == "the port is not a number from 1 to 65535");
  }
  for (const char* host : {"", "a b", "a..b", ".a", "-a", "[::1", "[a]", "[::1]x", "\xc3\xa9"}) {
    CHECK(HostError(std::string("http://") + host) ==
          "the host is not a name, an IPv4 address or an IPv6 address in brackets");
  }
  CHECK(HostError("http://a:1\n") == "the port is not a number from 1 to 65535");
  CHECK(CreateError({{.id = "A", .hosts = {"http://a", "http://A:80"}}}) ==
        "pod 'A': $.hosts[1]: 'http://a:80' is listed twice");
}

TEST_CASE("Reload takes the new file, and nothing of a bad one", "[conduit][pods]") {
  Files files;
  REQUIRE(files.LoadWith(kGoodB) == absl::OkStatus());
  const auto pods = ValueOf(Pods::Load(files.pods, "A"));
  const auto before = pods->Find("B");
  Write(files.pods, R"({"pods":[{"id":"A","hosts":["http://a:1"]},{"id":"C"}]})");
  CHECK(files.Refusal(pods->Reload()) == "pod 'C': $.hosts: is missing");
  CHECK(pods->Find("B") == before);
  CHECK(pods->Find("C") == nullptr);
  REQUIRE(files.LoadWith(R"("hosts":["http://b:3"],"key_files":["b.key"])") == absl::OkStatus());
  CHECK(pods->Reload() == absl::OkStatus());
  CHECK(pods->Find("B")->hosts == std::vector<std::string>{"http://b:3"});
  CHECK(before->hosts == std::vector<std::string>{"http://b:2"});
}

}  // namespace podkit::conduit
