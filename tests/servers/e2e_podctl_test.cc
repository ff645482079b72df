// podctl as a program: what each verb prints, and what it says when it is used wrongly.
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "podkit/conduit/json.h"
#include "servers/common/admin_messages.h"
#include "tests/servers/podctl_alone.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"
#include "tests/support/loopback_server.h"

namespace podkit::testing {
namespace {

constexpr const char* kCalendars = PODKIT_EXAMPLES "/calendars";

TEST_CASE("podctl refuses a wrong command line and points to the help", "[e2e][podctl]") {
  const TempDir folder;
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"fly"},
      {"--bogus", "users"},
      {"users", "--bogus"},
      {"objects"},
      {"invite", "work"},
      {"invite", "work", "emma", "--access", "owner"},
      {"create", "work", "--component", "VFOO"},
      {"search", "work", "--component", "events"},
      {"demo", "--port-a", "70000"},
  };
  for (const auto& arguments : wrong) {
    CAPTURE(arguments);
    CheckRefusal(RunAlone(arguments, folder), 2, "--help");
  }
  CheckRefusal(RunAlone({"fly"}, folder), 2, "'fly'");
  CheckRefusal(RunAlone({"create", "work", "--component", "VFOO"}, folder), 2, "VFOO");
}

TEST_CASE("podctl says what is wrong with its configuration", "[e2e][podctl]") {
  const TempDir folder;
  CheckRefusal(RunAlone({"users"}, folder), 2, ".config/podkit/podctl.json");
  const auto with = [&](const std::string& text, std::vector<std::string> arguments = {"users"}) {
    std::ofstream(folder.File("podctl.json")) << text;
    arguments.insert(arguments.begin(), {"--config", "podctl.json"});
    return RunAlone(arguments, folder);
  };
  CheckRefusal(with("{"), 2, "podctl.json");
  CheckRefusal(with("{}"), 2, "pods");
  CheckRefusal(with(R"({"pods": []})"), 2, "names no pod");
  const std::string pod =
      R"({"pods": [{"id": "A", "url": "http://127.0.0.1:1", "token_file": "token"}]})";
  CheckRefusal(with(pod), 1, "token");
  std::ofstream(folder.File("token")) << std::string(64, 't');
  chmod(folder.File("token").c_str(), 0644);
  CheckRefusal(with(pod), 1, "chmod 600");
  chmod(folder.File("token").c_str(), 0600);
  CheckRefusal(with(pod), 3, "http://127.0.0.1:1");
  CheckRefusal(with(pod, {"--pod", "C", "users"}), 2, "no pod 'C', only A");
  CheckRefusal(with(pod, {"collections"}), 2, "--as UID");
}

TEST_CASE("podctl says so when the token is not the pod's", "[e2e][podctl]") {
  TwoPods pods;
  std::ofstream(pods.File("A/data/operator.token")) << std::string(64, 'f');
  const auto result = pods.Podctl({"users"});
  CheckRefusal(result, 1, "refuses the token in");
  CHECK_THAT(result.err, !Catch::Contains("ffffff"));
}

TEST_CASE("podctl imports a folder and refuses a bad file by line and reason", "[e2e][podctl]") {
  TwoPods pods;
  const auto import = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--as", "anna", "import"});
    return pods.Podctl(arguments);
  };
  CheckRefusal(import({"work", kCalendars}), 1, "no collection 'work'");
  const auto first = import({"work", "--create", kCalendars});
  CHECK(first.exit_code == 0);
  CHECK(first.err.empty());
  CHECK_THAT(first.out, Catch::Contains("team.ics: ") && Catch::Contains(" 0 updated"));
  CHECK(first.out.find("holidays.ics") < first.out.find("tasks.ics"));
  CHECK(first.out.find("tasks.ics") < first.out.find("team.ics"));
  const auto again = import({"work", kCalendars});
  CHECK_THAT(again.out, Catch::Contains("3 files: 0 created, 0 updated, "));

  const std::string bad = pods.NewFile(
      "bad.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VTODO\r\n");
  const auto refused = import({"work", bad, kCalendars});
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::StartsWith("podctl: " + bad + ":5: ") &&
                              Catch::Contains("nothing of this file was imported"));
  CHECK_THAT(refused.out, Catch::Contains("4 files: ") && Catch::Contains("1 files refused"));
  CheckRefusal(import({"work", "nope.ics"}), 1, "nope.ics");
  CheckRefusal(import({"work", pods.File("keys")}), 1, "no .ics file");
  const auto json = pods.Podctl({"--json", "--as", "anna", "import", "work", bad});
  CHECK(json.exit_code == 1);
  CHECK_THAT(json.out,
             Catch::Contains(R"("class":"InvalidCalendarData")") && Catch::Contains(R"("line":5)"));
}

TEST_CASE("What podctl exports gives the same export where it is imported", "[e2e][podctl]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "import", "work", "--create", kCalendars});
  const std::string file = pods.File("work.ics");
  CHECK(pods.Podctl({"--as", "anna", "export", "work", "--output", file}).exit_code == 0);
  const auto import = pods.Podctl({"--as", "emma", "import", "copy", "--create", file});
  CHECK_THAT(import.out, Catch::Contains(" 0 updated, 0 unchanged\n"));
  CHECK(pods.Podctl({"--as", "emma", "export", "copy"}).out ==
        pods.Podctl({"--as", "anna", "export", "work"}).out);
}

TEST_CASE("podctl puts, prints, moves, finds and deletes an event", "[e2e][podctl]") {
  TwoPods pods;
  const auto anna = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--as", "anna"});
    return pods.Podctl(arguments);
  };
  CHECK(anna({"create", "work"}).out == "created 'work' of 'anna'\n");
  CHECK(anna({"create", "archive"}).exit_code == 0);
  CheckRefusal(anna({"create", "work"}), 1, "'work'");
  const std::string lunch = pods.NewFile("lunch.ics", Event("lunch"));
  CHECK_THAT(anna({"put", "work", "lunch.ics", lunch, "--new"}).out,
             Catch::StartsWith("created 'lunch.ics', etag "));
  CheckRefusal(anna({"put", "work", "lunch.ics", lunch, "--new"}), 1, "lunch.ics");
  CheckRefusal(anna({"put", "work", "lunch.ics", lunch, "--if-match", "other"}), 1, "lunch.ics");
  CheckRefusal(anna({"put", "work", "lunch.ics", lunch, "--if-match", "\"other\""}), 1,
               "lunch.ics");
  CheckRefusal(anna({"put", "work", "x.ics", "nope"}), 1, "nope");
  CHECK_THAT(anna({"print", "work", "lunch.ics"}).out,
             Catch::Contains("Summary:     Lunch\n") &&
                 Catch::Contains("Starts:      2026-01-05 12:00 UTC\n"));
  CHECK(anna({"print", "work", "lunch", "--uid", "--raw"}).out == Event("lunch"));
  const std::string copy = pods.File("copy.ics");
  CHECK(anna({"get", "work", "lunch.ics", "--output", copy}).exit_code == 0);
  CHECK_THAT(anna({"put", "work", "lunch.ics", copy}).out, Catch::StartsWith("unchanged "));

  CHECK_THAT(anna({"search", "work", "--from", "2026-01-05", "--to", "2026-01-06"}).out,
             Catch::Contains("lunch.ics"));
  CHECK(anna({"search", "work", "--from", "2026-01-06"}).out == "no objects\n");
  CheckRefusal(anna({"search", "work", "--from", "soon"}), 2, "'soon'");
  CHECK(anna({"move", "work", "lunch.ics", "archive", "--name", "old.ics"}).exit_code == 0);
  CHECK_THAT(anna({"objects", "archive"}).out, Catch::Contains("old.ics"));
  CHECK(anna({"rename", "archive", "attic"}).exit_code == 0);
  CHECK_THAT(anna({"set", "attic", "--display-name", "Up there"}).out, Catch::Contains("Up there"));
  CHECK(anna({"delete", "attic", "old.ics"}).out == "deleted 'old.ics'\n");
  CheckRefusal(anna({"delete", "attic", "old.ics"}), 1, "old.ics");
  CHECK(anna({"delete-collection", "attic"}).out == "deleted 'attic'\n");
  CheckRefusal(anna({"objects", "attic"}), 1, "'attic'");
}

TEST_CASE("podctl answers for people and for scripts, from both pods", "[e2e][podctl]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "import", "work", "--create", kCalendars});
  const std::vector<std::vector<std::string>> verbs = {
      {"status"},         {"pods"},           {"ping"},
      {"ping", "B"},      {"users"},          {"homes"},
      {"messages"},       {"collections"},    {"objects", "work"},
      {"search", "work"}, {"export", "work"}, {"token"},
      {"token", "work"},  {"changes"},        {"changes", "work"},
      {"shares", "work"}, {"invitations"},    {"notifications"},
      {"reconcile"},
  };
  for (const char* pod : {"A", "B"}) {
    for (auto arguments : verbs) {
      if (arguments.back() == "B") arguments.back() = pod == std::string("A") ? "B" : "A";
      arguments.insert(arguments.begin(), {"--pod", pod, "--as", "anna"});
      CAPTURE(arguments);
      const auto table = pods.Podctl(arguments);
      CHECK(table.exit_code == 0);
      CHECK(!table.out.empty());
      CHECK(table.err.empty());
      const auto json = conduit::JsonDocument::Parse(pods.PodctlJson(arguments));
      CHECK(json.status() == absl::OkStatus());
    }
  }
  CHECK_THAT(pods.Podctl({"--pod", "B", "pods"}).out, Catch::Contains("yes, "));
  pods.Kill("B");
  const auto silent = pods.Podctl({"ping", "B"});
  CheckRefusal(silent, 3, "podctl: pod 'B': http");
  CheckRefusal(pods.Podctl({"ping", "C"}), 1, "'C'");
  CHECK_THAT(pods.Podctl({"pods"}).out, Catch::Contains("no: "));
}

TEST_CASE("podctl shows how the hosts of other pods are called and linked",
          "[e2e][podctl][links]") {
  for (const std::string way : {"links", "links-or-http", "http"}) {
    INFO(way);
    TwoPods pods({"--transport", way});
    CHECK(pods.Podctl({"ping", "B"}).exit_code == 0);
    const auto hosts = [&] {
      return ValueOf(servers::FromJsonMember<std::vector<servers::HostEntry>>(
          "hosts", pods.PodctlJson({"hosts"})));
    };
    const std::vector<servers::HostEntry> up = hosts();
    REQUIRE(up.size() == 1);
    CHECK(up[0].pod == "B");
    CHECK(up[0].state == conduit::HostState::kUp);
    CHECK(up[0].calls > 0);
    CHECK(up[0].failures == 0);
    if (way == "http") {
      CHECK(up[0].link == conduit::HostConnection::kNotKept);
      continue;
    }
    CHECK(up[0].link == conduit::HostConnection::kConnected);
    CHECK(up[0].links > 0);
    CHECK_THAT(pods.Podctl({"hosts"}).out, Catch::Contains("connected since "));
    pods.Kill("B");
    Eventually("A knows that B is gone",
               [&] { return hosts()[0].link == conduit::HostConnection::kDisconnected; });
    CHECK_FALSE(hosts()[0].reason.empty());
    CHECK_THAT(pods.Podctl({"hosts"}).out, Catch::Contains("disconnected since "));
  }
}

TEST_CASE("podctl disables a home and enables it again", "[e2e][podctl][disable]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work"});
  CheckRefusal(pods.Podctl({"--as", "ben", "disable", "anna"}), 2, "leave out --as");
  CheckRefusal(pods.Podctl({"--pod", "B", "disable", "anna"}), 1, "lives on pod 'A'");
  Eventually("nobody holds the home", [&] {
    return pods.Podctl({"disable", "anna"}).out ==
           "the home of 'anna' is closed, and its files are not in use\n";
  });
  CHECK_THAT(pods.Podctl({"homes"}).out, Catch::Contains("disabled"));
  CheckRefusal(pods.Podctl({"--as", "anna", "collections"}), 1, "closed for now");
  CHECK(pods.Podctl({"enable", "anna"}).exit_code == 0);
  CHECK_THAT(pods.Podctl({"--as", "anna", "collections"}).out, Catch::Contains("work"));
}

// Asks until the home is gone: whether the last one heard it, or that it has been for a while.
void PurgeToTheEnd(const TwoPods& pods, const std::string& home) {
  const std::string gone = "the home of '" + home + "' is gone\n";
  Eventually("the home is gone", [&] {
    const auto result = pods.Podctl({"purge", home, "--yes"});
    if (result.exit_code != 0) {
      CHECK(result.exit_code == 1);
      CHECK_THAT(result.err, Catch::Contains("user '" + home + "' has no home on this pod"));
      return true;
    }
    if (result.out == gone) return true;
    CHECK_THAT(result.out, Catch::Contains("goes by itself when"));
    return false;
  });
  CHECK_THAT(pods.Podctl({"homes"}).out, !Catch::Contains(home));
  CheckRefusal(pods.Podctl({"purge", home, "--yes"}), 1, "'" + home + "' has no home");
}

TEST_CASE("podctl purges a home when it is told that this is meant", "[e2e][podctl][purge]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work"});
  CheckRefusal(pods.Podctl({"purge", "anna"}), 2, "--yes");
  CheckRefusal(pods.Podctl({"--as", "ben", "purge", "anna", "--yes"}), 2, "leave out --as");
  CheckRefusal(pods.Podctl({"--pod", "B", "purge", "anna", "--yes"}), 1, "lives on pod 'A'");
  CHECK_THAT(pods.Podctl({"--as", "anna", "collections"}).out, Catch::Contains("work"));
  PurgeToTheEnd(pods, "anna");
}

TEST_CASE("podctl tells what a purge waits for, and whom nobody could ask",
          "[e2e][podctl][purge]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work"});
  pods.PodctlJson({"--as", "anna", "invite", "work", "emma", "--access", "read"});
  Eventually("emma is invited",
             [&] { return pods.PodctlJson({"messages"}) == "{\"messages\":[]}\n"; });
  CHECK(pods.Podctl({"reconcile"}).out ==
        "compared 1 share of 1 home, with 1 call to other pods\nnothing to heal\n");
  pods.Kill("B");
  const auto unknown = pods.Podctl({"reconcile"});
  CHECK(unknown.exit_code == 3);
  CHECK_THAT(unknown.out, Catch::EndsWith("1 left alone, for the other side could not be asked\n"));
  CHECK_THAT(unknown.err,
             Catch::StartsWith("podctl: pod 'B': ") && !Catch::Contains("pod 'B': pod 'B'"));
  CHECK_THAT(pods.PodctlJson({"messages"}), !Catch::Contains("podkit/"));

  CHECK(pods.Podctl({"purge", "anna", "--yes"}).out ==
        "the home of 'anna' is closed, and goes by itself when 1 message is delivered ('podctl "
        "messages' shows what hinders): ask again to see how far it is\n");
  CHECK_THAT(pods.PodctlJson({"purge", "anna", "--yes"}),
             Catch::Equals("{\"gone\":false,\"messages\":1}\n"));
  CheckRefusal(pods.Podctl({"--as", "anna", "collections"}), 1, "'anna'");
  pods.Start("B");
  PurgeToTheEnd(pods, "anna");
  CHECK(pods.Podctl({"--as", "emma", "invitations"}).out == "no invitations\n");
}

TEST_CASE("podctl adds up what a pod answers in parts, and says that somebody holds a home",
          "[e2e][podctl][purge]") {
  const TempDir folder;
  const LoopbackServer pod([](const LoopbackRequest& request) -> LoopbackReply {
    if (request.path.ends_with("/homes/anna/purge")) {
      return {.status = 202, .body = R"({"gone":false,"messages":0})"};
    }
    const bool is_last = request.path.ends_with("?after=emma");
    return {.body = std::string(R"({"homes":2,"shares":5,"in_flight":1,"unknown":0,"calls":1,)") +
                    R"("healed":{"invited_again":1,"asked_anew":0,"replied_again":2,"removed":0,)" +
                    R"("withdrawn":0},"problems":["pod 'C': is down"],"next":")" +
                    (is_last ? "\"}" : "emma\"}")};
  });
  std::ofstream(folder.File("token")) << std::string(64, 't');
  chmod(folder.File("token").c_str(), 0600);
  std::ofstream(folder.File("podctl.json"))
      << R"({"pods": [{"id": "A", "url": ")" << pod.address() << R"(", "token_file": "token"}]})";
  const auto ask = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--config", "podctl.json"});
    return RunAlone(std::move(arguments), folder);
  };
  const auto held = ask({"purge", "anna", "--yes"});
  CHECK(held.exit_code == 0);
  CHECK(held.out ==
        "the home of 'anna' is closed, and goes by itself when nobody holds it any more: ask "
        "again to see how far it is\n");
  const auto sum = ask({"reconcile"});
  CHECK(sum.exit_code == 3);
  CHECK(sum.err == "podctl: pod 'C': is down\n");
  CHECK(sum.out ==
        "compared 10 shares of 4 homes, with 2 calls to other pods\n"
        "2 left alone, for a message about it waits\n"
        "2 invited again, for the viewer had other terms\n"
        "4 replied again, for the owner had another answer\n");
  CHECK_THAT(ask({"--json", "reconcile"}).out,
             Catch::StartsWith(R"({"homes":4,"shares":10,"in_flight":2,)") &&
                 Catch::EndsWith("\"problems\":[\"pod 'C': is down\"],\"next\":\"\"}\n"));
}

TEST_CASE("podctl looks into homes as far as the acting user may", "[e2e][podctl]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work"});
  CHECK_THAT(pods.Podctl({"--pod", "B", "--home", "anna", "collections"}).out,
             Catch::Contains("work"));
  for (const char* pod : {"A", "B"}) {
    CheckRefusal(pods.Podctl({"--pod", pod, "--as", "ben", "--home", "anna", "collections"}), 1,
                 "'ben'");
    CheckRefusal(pods.Podctl({"--pod", pod, "--as", "nobody", "collections"}), 1, "'nobody'");
  }
  const auto json = pods.Podctl({"--json", "--as", "nobody", "collections"});
  CHECK(json.exit_code == 1);
  CHECK_THAT(json.err, Catch::StartsWith(R"({"error":{"class":"NoSuchUser","code":"NOT_FOUND")"));
}

}  // namespace
}  // namespace podkit::testing
