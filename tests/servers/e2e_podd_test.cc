// podd as a program: how it starts or says why not, what it answers without a token, how it stops.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/shell.h"

namespace podkit::testing {
namespace {

namespace fs = std::filesystem;

void Write(const std::string& path, std::string_view text, mode_t mode = 0600) {
  std::ofstream(path, std::ios::binary) << text;
  REQUIRE(chmod(path.c_str(), mode) == 0);
}

ProcessResult RunPodd(const TempDir& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), PODKIT_PODD);
  return RunProcess(std::move(arguments), {.folder = folder.path().string()});
}

// One line on standard error, after "podd: ".
void CheckRefusal(const ProcessResult& result, int exit_code, const std::string& text) {
  CHECK(result.exit_code == exit_code);
  CHECK_THAT(result.err, Catch::StartsWith("podd: ") && Catch::Contains(text));
  CHECK(std::ranges::count(result.err, '\n') == 1);
  CHECK(result.out.empty());
}

struct BadStart {
  std::vector<std::string> arguments;
  int exit_code;
  std::string text;
};

TEST_CASE("podd refuses wrong flags and says which one", "[e2e][podd]") {
  const TempDir folder;
  const auto bad = GENERATE(values<BadStart>({
      {{"--bogus"}, 2, "--bogus"},
      {{"more"}, 2, "more"},
      {{"--pod"}, 2, "--pod"},
      {{"--listen", "localhost:8201"}, 2, "'localhost:8201' is not an IP address and a port"},
      {{"--listen", "127.0.0.1:65536"}, 2, "--listen"},
      {{"--listen", "127.0.0.1"}, 2, "--listen"},
      {{"--threads", "0"}, 2, "--threads: 0"},
      {{"--threads", "many"}, 2, "many"},
      {{"--max-connections", "-1"}, 2, "--max-connections: -1"},
      {{"--max-body-bytes", "10"}, 2, "--max-body-bytes: 10 is not between 65536 and"},
      {{"--max-attachments", "-1"}, 2, "--max-attachments: -1"},
      {{"--attachment-quota", "2251799813685248"}, 2, "--attachment-quota: 2251799813685248"},
      {{"--max-attachment-bytes", "x"}, 2, "x"},
      {{"--attachment-uri", "https://a/"}, 2, "--attachment-uri: 'https://a/' is no URI"},
      {{"--log-level", "loud"}, 2, "'loud'"},
      {{"--tls-key-file", "key.pem"}, 2, "give both or none"},
      {{"--data", ""}, 2, "--data"},
      {{"--config", ""}, 2, "--config: give a value, or leave the flag out"},
      {{"--tls-certificate-file", "", "--tls-key-file", ""}, 2, "--tls-certificate-file: give"},
      {{"--pods-file="}, 2, "--pods-file: give"},
      {{"--config", "nope.json"}, 2, "nope.json"},
      {{"--pod", "a b"}, 1, "'a b'"},
      {{"--pods-file", "nope.json"}, 1, "nope.json"},
      {{"--users-file", "nope.json"}, 1, "nope.json"},
      {{"--token-file", "nope"}, 1, "there is no token file 'nope'"},
      {{"--tls-certificate-file", "c.pem", "--tls-key-file", "k.pem"}, 1, "c.pem"},
      {{"--listen", "127.0.0.1:0", "--data", "/proc/none"}, 1, "/proc/none"},
      {{"--listen", "203.0.113.1:1"}, 1, "203.0.113.1"},
  }));
  CAPTURE(bad.arguments);
  CheckRefusal(RunPodd(folder, bad.arguments), bad.exit_code, bad.text);
}

struct BadFile {
  std::string flag;
  std::string text;
  int exit_code;
  std::string message;
};

TEST_CASE("podd refuses files that make no sense and says where", "[e2e][podd]") {
  const TempDir folder;
  const auto bad = GENERATE(values<BadFile>({
      {"--config", "{", 2, "JSON"},
      {"--config", "[]", 2, "object"},
      {"--config", R"({"lisen": "127.0.0.1:1"})", 2, "there is no member 'lisen'"},
      {"--config", R"({"pod": 7})", 2, "$.pod"},
      {"--config", R"({"threads": "7"})", 2, "$.threads"},
      {"--config", R"({"pods_file": "elsewhere.json"})", 1, "elsewhere.json"},
      {"--pods-file", "{", 1, "JSON"},
      {"--pods-file", R"({"pods": []})", 1, "'A'"},
      {"--pods-file", R"({"pods": [{"id": "A", "hosts": ["ftp://a:1"]}]})", 1, "ftp://a:1"},
      {"--pods-file", R"({"pods": [{"id": "A", "hosts": ["http://127.0.0.1:1"]},
          {"id": "B", "hosts": ["http://127.0.0.1:2"], "key_files": ["short"]}]})",
       1, "pod 'B'"},
      {"--pods-file", R"({"pods": [{"id": "A", "hosts": ["http://127.0.0.1:1"]},
          {"id": "B", "hosts": ["http://127.0.0.1:2"], "key_files": ["open"]}]})",
       1, "chmod 600"},
      {"--users-file", R"({"users": [{"uid": "a b", "name": "x", "pod": "A"}]})", 1, "'a b'"},
      {"--users-file", R"({"people": []})", 1, "users"},
      {"--users-file", R"({"users": [], "grups": []})", 1, "$.grups: is not a known member"},
      {"--users-file", R"({"users": [{"uid": "ann", "pod": "Z"}]})", 1,
       "user 'ann': the pods file has no pod 'Z'"},
      {"--token-file", "short", 1, "5 bytes"},
      {"--config", "\xEF\xBB\xBF{}", 2,
       "configuration 'file': JSON begins with a byte order mark: save it as UTF-8 without one"},
      {"--users-file", "\xEF\xBB\xBF{\"users\": []}", 1,
       "file: JSON begins with a byte order mark"},
      {"--pods-file", R"({"pods": [{"id": "A", "hosts": ["https://127.0.0.1:1"],
          "ca_file": "short"}]})",
       1, "short' holds no certificate in PEM form"},
  }));
  CAPTURE(bad.flag, bad.text);
  Write(folder.File("file"), bad.text);
  Write(folder.File("short"), "short");
  Write(folder.File("open"), std::string(64, 'k'), 0644);
  CheckRefusal(RunPodd(folder, {bad.flag, "file"}), bad.exit_code, bad.message);
}

TEST_CASE("podd refuses a token that others may read", "[e2e][podd]") {
  const TempDir folder;
  Write(folder.File("token"), std::string(64, 't'), 0640);
  CheckRefusal(RunPodd(folder, {"--token-file", "token"}), 1, "chmod 600");
}

TEST_CASE("podd --check-config reads everything and changes nothing", "[e2e][podd]") {
  const TempDir folder;
  Write(folder.File("users.json"), R"({"users": [{"uid": "ann", "name": "Ann", "pod": "A"}]})");
  Write(folder.File("podd.json"), R"({"pod": "A", "users_file": "users.json", "threads": 3})");
  const auto good = RunPodd(folder, {"--config", "podd.json", "--check-config"});
  CHECK(good.exit_code == 0);
  CHECK_THAT(good.out, Catch::Contains("is good") && Catch::Contains("pod A"));
  CHECK(!fs::exists(folder.File("podkit-data")));
  Write(folder.File("users.json"), "{");
  CheckRefusal(RunPodd(folder, {"--config", "podd.json", "--check-config"}), 1, "users.json");
}

TEST_CASE("podd --check-config looks whether certificate and key can be used", "[e2e][podd][tls]") {
  const TempDir folder;
  for (const char* name : {"one", "two"}) {
    ShellOutput(
        fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                    "-subj /CN=pod -keyout {0}.key -out {0}.crt 2>&1",
                    folder.File(name)));
  }
  Write(folder.File("rubbish"), "rubbish");
  const auto check = [&](const std::string& certificate, const std::string& key) {
    return RunPodd(
        folder, {"--check-config", "--tls-certificate-file", certificate, "--tls-key-file", key});
  };
  CHECK(check("one.crt", "one.key").exit_code == 0);
  CheckRefusal(check("rubbish", "one.key"), 1, "certificate file 'rubbish'");
  CheckRefusal(check("one.crt", "rubbish"), 1, "key file 'rubbish'");
  CheckRefusal(check("one.crt", "two.key"), 1, "key file 'two.key'");
}

TEST_CASE("podd serves one pod without any configuration", "[e2e][podd]") {
  const TempDir folder;
  ProcessUnderTest podd({PODKIT_PODD, "--listen", "127.0.0.1:0"},
                        {.folder = folder.path().string()});
  podd.WaitForErr("no user lives here");
  const std::string log = podd.Err();
  CHECK_THAT(log, Catch::Contains("pod A") && Catch::Contains("podkit-data/operator.token"));
  const fs::path token = folder.path() / "podkit-data/operator.token";
  CHECK(fs::file_size(token) == 65);
  CHECK(fs::status(token).permissions() == fs::perms(0600));
  podd.Signal(SIGINT);
  CHECK(podd.Wait() == 0);
  CHECK_THAT(podd.Err(), Catch::Contains("stopped"));
  std::string secret;
  std::ifstream(token) >> secret;
  CHECK_THAT(podd.Err(), !Catch::Contains(secret));
}

TEST_CASE("podd does not share a port or a folder", "[e2e][podd]") {
  const TempDir folder;
  const std::string address = fmt::format("127.0.0.1:{}", FreePort());
  ProcessUnderTest podd({PODKIT_PODD, "--listen", address, "--data", "one"},
                        {.folder = folder.path().string()});
  podd.WaitForErr(" listening on ");
  CheckRefusal(RunPodd(folder, {"--listen", address, "--data", "two"}), 1, "--listen");
  CheckRefusal(RunPodd(folder, {"--listen", "127.0.0.1:0", "--data", "one"}), 1, "one");
  podd.Signal(SIGTERM);
  CHECK(podd.Wait() == 0);
  CheckRefusal(RunPodd(folder, {"--listen", "127.0.0.1:0", "--data", "one", "--pod", "B"}), 1,
               "'A'");
}

TEST_CASE("podd --help lists every flag and --version says which podd it is", "[e2e][podd]") {
  const TempDir folder;
  const auto help = RunPodd(folder, {"--help"});
  CHECK(help.exit_code == 0);
  for (const char* text :
       {"--config", "--check-config", "--pod ", "--listen", "--data", "--pods-file", "--users-file",
        "--token-file", "--tls-certificate-file", "--tls-key-file", "--log-level",
        "--max-connections", "--max-body-bytes", "--threads", "SIGHUP", "/metrics", "Examples:"}) {
    CHECK_THAT(help.out, Catch::Contains(text));
  }
  CHECK_THAT(RunPodd(folder, {"--version"}).out, Catch::StartsWith("podd "));
}

RawHttpReply Ask(uint16_t port, const std::string& request) {
  return RawHttpClient(port).Exchange(request);
}

std::string Request(std::string_view method, std::string_view path, std::string_view headers = "",
                    std::string_view body = "") {
  return fmt::format("{} {} HTTP/1.1\r\nHost: pod\r\nContent-Length: {}\r\n{}\r\n{}", method, path,
                     body.size(), headers, body);
}

TEST_CASE("Without the token the operator's API says nothing", "[e2e][podd]") {
  TwoPods pods;
  const auto plain = Ask(pods.Port("A"), Request("GET", "/admin/v1/users"));
  CHECK(plain.status == 401);
  for (const char* path : {"/admin/v1/status", "/admin/v1/homes/anna",
                           "/admin/v1/homes/nobody/collections/x/objects"}) {
    for (const char* headers : {"", "Authorization: Bearer \r\n", "Authorization: Bearer wrong\r\n",
                                "Authorization: Basic YTpi\r\n"}) {
      CAPTURE(path, headers);
      const auto reply = Ask(pods.Port("A"), Request("GET", path, headers));
      CHECK(reply.status == 401);
      CHECK(reply.body == plain.body);
    }
  }
}

TEST_CASE("Without a signature the conduit says nothing", "[e2e][podd]") {
  TwoPods pods;
  const std::string json = "Content-Type: application/json\r\n";
  const auto known =
      Ask(pods.Port("A"), Request("POST", "/conduit", json, R"({"action": "ping"})"));
  CHECK(known.status == 403);
  for (const char* body : {R"({"action": "no-such-action"})", "{", ""}) {
    const auto other = Ask(pods.Port("A"), Request("POST", "/conduit", json, body));
    CHECK(other.status == 403);
    CHECK(other.body == known.body);
  }
  const auto forged = Ask(
      pods.Port("A"), Request("POST", "/conduit", json + "Authorization: Podkit forged\r\n", "{}"));
  CHECK(forged.status == 403);
  CHECK(Ask(pods.Port("A"), Request("GET", "/conduit")).status == 405);
}

TEST_CASE("podd says that it lives, whether it is ready, and what it did", "[e2e][podd]") {
  TwoPods pods;
  CHECK(Ask(pods.Port("A"), Request("GET", "/healthz")).status == 200);
  CHECK(Ask(pods.Port("A"), Request("GET", "/readyz")).status == 200);
  pods.PodctlJson({"ping", "B"});
  const auto metrics = Ask(pods.Port("A"), Request("GET", "/metrics")).body;
  for (const char* line :
       {"podkit_conduit_sent_total{command=\"ping\"} 1\n", "podkit_store_messages_pending 0\n",
        "# TYPE podkit_store_homes gauge\n", "podkit_build_info{pod=\"A\",version="}) {
    CHECK_THAT(metrics, Catch::Contains(line));
  }
  const auto of_b = Ask(pods.Port("B"), Request("GET", "/metrics")).body;
  for (const char* line :
       {"podkit_conduit_received_total{command=\"ping\"} 1\n",
        "podkit_conduit_received_failed_total{command=\"ping\"} 0\n",
        "podkit_conduit_received_seconds_count{command=\"ping\"} 1\n",
        "podkit_conduit_received_seconds_bucket{command=\"ping\",le=\"+Inf\"} 1"}) {
    CHECK_THAT(of_b, Catch::Contains(line));
  }
  fs::rename(pods.File("A/data"), pods.File("A/moved"));
  const auto not_ready = Ask(pods.Port("A"), Request("GET", "/readyz"));
  CHECK(not_ready.status == 503);
  CHECK_THAT(not_ready.body, Catch::Contains("A/data"));
  fs::rename(pods.File("A/moved"), pods.File("A/data"));
  CHECK(Ask(pods.Port("A"), Request("GET", "/readyz")).status == 200);
}

TEST_CASE("What podd was asked replays on a copy of its data", "[e2e][podd][record]") {
  TwoPods pods;
  // Through A, so that B is asked by another pod.
  const std::vector<std::string> ask = {"--pod", "A", "--as", "david"};
  const auto as_david = [&](std::vector<std::string> verb) {
    verb.insert(verb.begin(), ask.begin(), ask.end());
    return pods.Podctl(verb).exit_code;
  };
  REQUIRE(as_david({"create", "work"}) == 0);
  REQUIRE(pods.Stop("B") == 0);
  fs::copy(pods.File("B/data"), pods.File("copy"), fs::copy_options::recursive);
  std::string config;
  {
    std::ifstream file(pods.File("B/podd.json"));
    config.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::ofstream(pods.File("B/podd.json")) << "{\"record\": \"calls.rec\"," << config.substr(1);
  pods.Start("B");
  const auto replay = [&] {
    return pods.Podctl({"replay", pods.File("B/calls.rec"), "--data", pods.File("copy"),
                        "--pods-file", pods.File("pods.json"), "--users-file",
                        pods.File("users.json"), "--id", "B"});
  };
  REQUIRE(as_david({"collections"}) == 0);
  REQUIRE(pods.Stop("B") == 0);
  const auto same = replay();
  CHECK(same.exit_code == 0);
  CHECK_THAT(same.out, Catch::Contains(" same, 0 different, 0 skipped"));
  std::string key;
  std::ifstream(pods.File("keys/a-b.key")) >> key;
  std::string recorded;
  {
    std::ifstream file(pods.File("B/calls.rec"));
    recorded.assign(std::istreambuf_iterator<char>(file), {});
  }
  CHECK_THAT(recorded, Catch::Contains("\"caller\":\"A\"") && !Catch::Contains(key) &&
                           !Catch::Contains("HMAC"));
  // Ids are new each time.
  pods.Start("B");
  REQUIRE(as_david({"create", "trips"}) == 0);
  REQUIRE(pods.Stop("B") == 0);
  const auto differs = replay();
  CHECK(differs.exit_code == 1);
  CHECK_THAT(differs.out, Catch::Contains("create-child: $.value") && Catch::Contains(", is \""));
}

TEST_CASE("podd answers the requests in work before it stops", "[e2e][podd]") {
  TwoPods pods;
  const auto created = pods.Podctl({"--as", "anna", "create", "work"});
  REQUIRE(created.exit_code == 0);
  std::string token;
  std::ifstream(pods.File("A/data/operator.token")) >> token;
  const std::string event = Event("late");
  const std::string request =
      Request("PUT", "/admin/v1/homes/anna/collections/work/objects/late.ics/text",
              fmt::format("Authorization: Bearer {}\r\n", token), event);
  RawHttpClient client(pods.Port("A"));
  client.Send(request.substr(0, request.size() - 10));
  // The server has the head of this one when it has answered another that came later.
  Ask(pods.Port("A"), Request("GET", "/healthz"));
  pods.Process("A").Signal(SIGTERM);
  pods.Process("A").WaitForErr("stopping");
  client.Send(request.substr(request.size() - 10));
  CHECK(client.Receive().status == 201);
  CHECK(pods.Process("A").Wait() == 0);
  CHECK_THAT(pods.Process("A").Err(), Catch::EndsWith("stopped\n"));
  pods.Start("A");
  CHECK(pods.Podctl({"--as", "anna", "get", "work", "late.ics"}).out == event);
}

TEST_CASE("podd stops in time although a client never ends its request", "[e2e][podd]") {
  TwoPods pods;
  RawHttpClient client(pods.Port("A"));
  client.Send("PUT /admin/v1/homes/anna HTTP/1.1\r\nHost: pod\r\nContent-Length: 10\r\n\r\n1");
  Ask(pods.Port("A"), Request("GET", "/healthz"));
  CHECK(pods.Stop("A") == 0);
}

TEST_CASE("A call that is too large for podd is answered 413 and read by nobody", "[e2e][podd]") {
  TwoPods pods({"--max-body-bytes", "65536"});
  RawHttpClient client(pods.Port("A"));
  client.Send("POST /conduit HTTP/1.1\r\nHost: pod\r\nContent-Length: 65537\r\n\r\n");
  const auto reply = client.Receive();
  CHECK(reply.status == 413);
  CHECK(reply.body == "request body larger than 65536 bytes\n");
  CHECK(!reply.headers.contains("x-podkit-authorization"));
}

TEST_CASE("podd reads pods and users again on SIGHUP, if they are right", "[e2e][podd]") {
  TwoPods pods;
  CHECK(pods.Podctl({"--as", "gina", "collections"}).exit_code == 1);
  Write(pods.File("users.json"), R"({"users": [{"uid": "gina", "name": "Gina", "pod": "A"}]})");
  pods.Process("A").Signal(SIGHUP);
  pods.Process("A").WaitForErr("reloaded: 1 users");
  CHECK(pods.Podctl({"--as", "gina", "collections"}).exit_code == 0);

  Write(pods.File("users.json"), "{");
  Write(pods.File("pods.json"), R"({"pods": []})");
  pods.Process("A").Signal(SIGHUP);
  pods.Process("A").WaitForErr("not reloaded, the users stay as they were");
  CHECK_THAT(pods.Process("A").Err(), Catch::Contains("not reloaded, the pods stay as they were"));
  CHECK(pods.Podctl({"--as", "gina", "collections"}).exit_code == 0);
  CHECK(pods.Podctl({"ping", "B"}).exit_code == 0);

  // Each file by itself: one that is wrong does not hold the other one back.
  Write(pods.File("users.json"), R"({"users": [{"uid": "hugo", "pod": "A"}]})");
  pods.Process("A").Signal(SIGHUP);
  Eventually("hugo lives there", [&] {
    return pods.Podctl({"--as", "hugo", "collections"}).exit_code == 0;
  });
}

TEST_CASE("podd keeps its groups when the users file is misspelt, and its users with their pods",
          "[e2e][podd]") {
  TwoPods pods;
  const std::string log_end = "not reloaded, the users stay as they were: ";
  Write(pods.File("users.json"), R"({"users": [{"uid": "anna", "pod": "A"}], "grups": []})");
  pods.Process("A").Signal(SIGHUP);
  pods.Process("A").WaitForErr("$.grups: is not a known member; there are users, groups");
  CHECK_THAT(pods.Process("A").Err(), Catch::Contains(log_end));
  Write(pods.File("users.json"), R"({"users": [{"uid": "anna", "pod": "Z"}]})");
  pods.Process("A").Signal(SIGHUP);
  pods.Process("A").WaitForErr("user 'anna': the pods file has no pod 'Z'");
  // A pods file that no longer has the pod of a user is not taken either.
  fs::remove(pods.File("users.json"));
  Write(pods.File("pods.json"),
        fmt::format(R"({{"pods": [{{"id": "A", "hosts": ["{}"]}}]}})", "http://127.0.0.1:1"));
  pods.Process("A").Signal(SIGHUP);
  pods.Process("A").WaitForErr("user 'david': the pods file has no pod 'B'");
  CHECK(pods.Podctl({"ping", "B"}).exit_code == 0);
  CHECK(pods.Podctl({"--as", "david", "collections"}).exit_code == 0);
}

}  // namespace
}  // namespace podkit::testing
