// The list that a directory gives: its format, and the two places where it comes from.
#include "discovery/host_list.h"

#include <filesystem>
#include <fstream>
#include <random>

#include "common/mutex.h"
#include "podkit/conduit/discovery.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/loopback_server.h"
#include "tests/support/temp_dir.h"
#include "write_file.h"

namespace podkit::conduit {
namespace {

using internal::ParseHostList;
using podkit::testing::LoopbackReply;
using podkit::testing::LoopbackRequest;
using podkit::testing::LoopbackServer;
using podkit::testing::TempDir;
using podkit::testing::ValueOf;

std::string ParseError(std::string text,
                       absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  const auto list = ParseHostList(std::move(text));
  CHECK(list.status().code() == code);
  return std::string(list.status().message());
}

std::string Repeat(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += (i == 0 ? "" : ",") + text;
  return all;
}

}  // namespace

TEST_CASE("A list of hosts is read, whatever else it says", "[conduit][discovery]") {
  const auto list = ValueOf(ParseHostList(
      R"({"generated":1,"pods":[{"id":"B","hosts":["https://b1:1","https://b2:1"],"zone":"x",
          "key_files":["stolen.key"]},{"id":"C","hosts":[]}]})"));
  CHECK(list == std::vector<PodHosts>{{"B", {"https://b1:1", "https://b2:1"}}, {"C", {}}});
  CHECK(ValueOf(ParseHostList(R"({"pods":[]})")).empty());
}

TEST_CASE("A list of hosts that is wrong in any part is refused", "[conduit][discovery]") {
  CHECK(ParseError("").starts_with("JSON at byte 0"));
  CHECK(ParseError("null") == "it is not an object with an array \"pods\"");
  CHECK(ParseError(R"({"pods":null})") == "it is not an object with an array \"pods\"");
  CHECK(ParseError(R"({"pods":[{"id":"B","hosts":[]},{"id":"C"}]})") ==
        "$.pods[1]: $.hosts: is missing");
  CHECK(ParseError(R"({"pods":[{"hosts":[]}]})") == "$.pods[0]: $.id: is missing");
  CHECK(ParseError(R"({"pods":[{"id":"B","hosts":[7]}]})") ==
        "$.pods[0]: $.hosts[0]: expected string, got integer");
}

TEST_CASE("A list of hosts has limits", "[conduit][discovery]") {
  const auto too_much = absl::StatusCode::kResourceExhausted;
  const auto hosts = [](size_t count) {
    return R"({"pods":[{"id":"B","hosts":[)" + Repeat(R"("http://b:1")", count) + "]}]}";
  };
  CHECK(ParseHostList(hosts(256)).ok());
  CHECK(ParseError(hosts(257), too_much) ==
        "$.pods[0].hosts: has 257 hosts, more than the limit of 256");
  const auto pods = [](size_t count) {
    return R"({"pods":[)" + Repeat(R"({"id":"B","hosts":[]})", count) + "]}";
  };
  CHECK(ParseHostList(pods(10'000)).ok());
  CHECK(ParseError(pods(10'001), too_much) ==
        "$.pods: has 10001 pods, more than the limit of 10000");
  ParseError(R"({"pods":[],"x":")" + std::string(1 << 20, 'x') + "\"}", too_much);
  const auto nested = [](size_t depth) {
    return R"({"pods":[],"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  CHECK(ParseHostList(nested(7)).ok());
  ParseError(nested(8), too_much);
}

TEST_CASE("A list of hosts is written as it is documented", "[conduit][discovery]") {
  const std::vector<PodHosts> pods = {{"B", {"https://b1:1", "https://b2:1"}}, {"C", {}}};
  const std::string text = internal::WriteHostList(pods, "https://directory/\"x\"");
  CHECK(text == R"({"pods":[{"id":"B","hosts":["https://b1:1","https://b2:1"]},)"
                R"({"id":"C","hosts":[]}],"source":"https://directory/\"x\""})"
                "\n");
  CHECK(ValueOf(ParseHostList(text)) == pods);
  CHECK(internal::SourceOfHostList(text) == "https://directory/\"x\"");
  CHECK(internal::SourceOfHostList(R"({"pods":[]})").empty());
  CHECK(internal::SourceOfHostList("x").empty());
}

TEST_CASE("A file is replaced at once, for its owner", "[conduit][discovery]") {
  TempDir directory;
  const std::string path = directory.File("list.json");
  CHECK(internal::WriteFile(path, "old") == absl::OkStatus());
  CHECK(internal::WriteFile(path, "new") == absl::OkStatus());
  std::string text;
  std::getline(std::ifstream(path), text);
  CHECK(text == "new");
  namespace fs = std::filesystem;
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()) == 1);
  const absl::Status status = internal::WriteFile(directory.File("none/list.json"), "text");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(status.message() ==
        "cannot write '" + directory.File("none/list.json") + "': No such file or directory");
}

TEST_CASE("A file gives its list when that has changed", "[conduit][discovery]") {
  TempDir directory;
  const std::string path = directory.File("list.json");
  const auto source = HostListFile(path);
  CHECK(source->name() == path);
  CHECK(source->Fetch("", {}).status().code() == absl::StatusCode::kNotFound);
  std::ofstream(path) << "one";
  const auto first = ValueOf(source->Fetch("", {}));
  CHECK(first.text == "one");
  CHECK_FALSE(first.unchanged);
  CHECK(ValueOf(source->Fetch(first.version, {})).unchanged);
  std::ofstream(path) << "two";
  CHECK(ValueOf(source->Fetch(first.version, {})).text == "two");
  std::ofstream(path) << std::string((1 << 20) + 1, ' ');
  CHECK(source->Fetch("", {}).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A URL gives its list when that has changed", "[conduit][discovery][http]") {
  std::string etag = "\"1\"";
  std::vector<LoopbackRequest> requests;
  LoopbackServer server([&](const LoopbackRequest& request) {
    requests.push_back(request);
    const auto asked = request.headers.find("if-none-match");
    if (asked != request.headers.end() && asked->second == etag)
      return LoopbackReply{.status = 304};
    return LoopbackReply{.headers = {{"ETag", etag}}, .body = "list " + etag};
  });
  const auto source = ValueOf(HostListUrl(server.address() + "/pods.json"));
  CHECK(source->name() == server.address() + "/pods.json");
  const auto first = ValueOf(source->Fetch("", {}));
  CHECK(first.text == "list \"1\"");
  CHECK(first.version == "\"1\"");
  CHECK(ValueOf(source->Fetch(first.version, {})).unchanged);
  etag = "\"2\"";
  const auto second = ValueOf(source->Fetch(first.version, {}));
  CHECK(second.text == "list \"2\"");
  CHECK(second.version == "\"2\"");
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].method == "GET");
  CHECK(requests[0].path == "/pods.json");
  CHECK(requests[0].headers.at("accept") == "application/json");
  CHECK_FALSE(requests[0].headers.contains("if-none-match"));
}

TEST_CASE("A URL that answers otherwise gives no list", "[conduit][discovery][http]") {
  Mutex mutex;
  LoopbackReply reply;
  LoopbackServer server([&](const LoopbackRequest&) {
    MutexLock lock(&mutex);
    return reply;
  });
  const auto source = ValueOf(
      HostListUrl(server.address(), {.timeout = absl::Milliseconds(200), .max_bytes = 100}));
  const auto error = [&](LoopbackReply answer) {
    {
      MutexLock lock(&mutex);
      reply = std::move(answer);
    }
    return source->Fetch("", {}).status();
  };
  CHECK(error({.status = 503}) == absl::UnavailableError("it answered with HTTP status 503"));
  CHECK(error({.status = 304}) == absl::UnavailableError("it answered with HTTP status 304"));
  CHECK(error({.status = 302, .headers = {{"Location", "/other"}}}) ==
        absl::UnavailableError("it answered with HTTP status 302"));
  CHECK(error({.body = std::string(101, ' ')}) ==
        absl::ResourceExhaustedError("the answer is larger than the limit of 100 bytes"));
  CHECK(error({.body = "0123456789", .action = LoopbackReply::Action::kCut}).code() ==
        absl::StatusCode::kUnavailable);
  CHECK(error({.action = LoopbackReply::Action::kStall}) ==
        absl::UnavailableError("Timeout was reached"));
  CHECK(error({.body = std::string(100, ' ')}) == absl::OkStatus());
  const auto nobody = ValueOf(HostListUrl(
      "http://127.0.0.1:" + std::to_string(podkit::testing::FreePort()) + "/pods.json"));
  CHECK(nobody->Fetch("", {}).status() == absl::UnavailableError("Couldn't connect to server"));
}

TEST_CASE("A fetch ends when it is stopped", "[conduit][discovery][http]") {
  std::stop_source stop;
  LoopbackServer server([&](const LoopbackRequest&) {
    stop.request_stop();
    return LoopbackReply{.action = LoopbackReply::Action::kStall};
  });
  const auto source = ValueOf(HostListUrl(server.address(), {.timeout = absl::Hours(1)}));
  CHECK(source->Fetch("", stop.get_token()).status().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("A list comes over TLS, or from this machine", "[conduit][discovery][http]") {
  const auto refusal = [](const std::string& url) {
    const absl::Status status = HostListUrl(url).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  for (const char* url : {"https://directory.example/pods.json", "http://localhost:8080/",
                          "http://127.0.0.1/x", "http://[::1]:80/"}) {
    CHECK(HostListUrl(url).status() == absl::OkStatus());
  }
  CHECK(HostListUrl("http://directory.example/", {.allow_plain_http = true}).ok());
  for (const char* url :
       {"http://directory.example/", "http://127.example.org/", "http://127.0.0.1.nip.example/"}) {
    CHECK(refusal(url) ==
          "'" + std::string(url) +
              "': must start with https://, for who can change the answer chooses who is called");
  }
  CHECK(refusal("ftp://x/") == "'ftp://x/': must start with https://");
  CHECK(refusal("file:///etc/passwd") == "'file:///etc/passwd': must start with https://");
  CHECK(refusal("no url") == "'no url': is not a URL");
  CHECK(refusal("https://user:secret@x/") == "the URL of a list must not have a user or password");
}

}  // namespace podkit::conduit
