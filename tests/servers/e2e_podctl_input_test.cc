// What podctl says of input that makes no sense: on the command line, in its files, in calendars.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "podkit/conduit/json.h"
#include "tests/servers/podctl_alone.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"

namespace podkit::testing {
namespace {

constexpr const char* kExamples = PODKIT_EXAMPLES "/calendars";

struct BadLine {
  std::vector<std::string> arguments;
  std::string text;
};

TEST_CASE("podctl refuses an empty value and a name that is none", "[e2e][podctl]") {
  const TempDir folder;
  const std::string give = "give a value, or leave the option out";
  const std::vector<BadLine> lines = {
      {{"delete", "work", "x.ics", "--if-match", ""},
       "--if-match: " + give + "; see podctl delete --help"},
      {{"put", "work", "x.ics", "-", "--if-match="}, "--if-match: " + give},
      {{"put", "work", "x.ics", ""}, "FILE: give a value"},
      {{"detach", "work", "x.ics", "1", "--instance", ""}, "--instance: " + give},
      {{"detach", "work", "x.ics", "1", "--instance", "M", "--instance="}, "--instance: " + give},
      {{"--as", "", "collections"}, "--as: " + give},
      {{"collections", "--home="}, "--home: " + give},
      {{"collections", "--home", ".."}, "--home: '..' is no name"},
      {{"--config", "", "users"}, "--config: " + give},
      {{"--config=", "users"}, "--config: " + give},
      {{"demo", "--folder", ""}, "--folder: " + give},
      {{"search", "work", "--from", ""}, "--from: " + give},
      {{"invite", "work", "emma", "--access", ""}, "--access: "},
      {{"objects", ""}, "COLLECTION: '' is no name"},
      {{"objects", ".."}, "COLLECTION: '..' is no name"},
      {{"get", "work", "."}, "OBJECT: '.' is no name"},
      {{"accept", ".."}, "SHARE: '..' is no name"},
      {{"lock", "show", ".."}, "STORE: '..' is no name"},
      {{"lock", "break", "ann", "--by", ""}, "--by: " + give},
      {{"lock", "watch", "--for", "-5"}, "--for: '-5' is not a number above 0"},
      {{"lock", "watch", "--for", "nan"}, "--for: 'nan' is not a number above 0"},
      {{"lock", "audit", "--after", "-1"}, "--after"},
      {{"delegate", "emma", "--access", "busy"}, "--access: busy not in"},
      {{"create", "work", "--color", "red"}, "--color: 'red' is not #RRGGBB or #RRGGBBAA"},
      {{"set", "work", "--color", "#12345"}, "--color: '#12345' is not"},
      {{"set", "work", "--color", "#12345g"}, "--color: '#12345g' is not"},
      {{"set", "work", "--display-name", "\xFF\xFE"}, "--display-name: '?\x3F' is not UTF-8"},
      {{"create", "w\xE4rk"}, "NAME: 'w?rk' is not UTF-8"},
  };
  for (const BadLine& line : lines) {
    CAPTURE(line.arguments);
    CheckRefusal(RunAlone(line.arguments, folder), 2, line.text);
  }
}

TEST_CASE("podctl refuses a wrong command line in JSON under --json", "[e2e][podctl]") {
  const TempDir folder;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--json", "--as"}, {"users", "--json", "--bogus"}, {"--json"}}) {
    CAPTURE(words);
    const auto result = RunAlone(words, folder);
    CHECK(result.exit_code == 2);
    const auto document = ValueOf(conduit::JsonDocument::Parse(result.err));
    CHECK(document.root().Member("error")->Member("class")->AsString() == "UsageError");
  }
}

// What podctl says when its output goes to a disk that is full.
ProcessResult OntoFullDisk(const TwoPods& pods, const std::string& words) {
  return RunProcess({"/bin/sh", "-c",
                     std::string(PODKIT_PODCTL) + " --config " + pods.layout().settings() + " " +
                         words + " > /dev/full"});
}

TEST_CASE("podctl fails when its output cannot be written", "[e2e][podctl]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work"});
  // More than the buffer of standard output holds.
  const std::string large = pods.NewFile("large.ics", Event("x", std::string(20'000, 's')));
  pods.PodctlJson({"--as", "anna", "import", "work", large});
  const std::string text = "cannot write the output: No space left on device";
  for (const char* words : {"users", "--as anna export work", "--help"}) {
    CAPTURE(words);
    CheckRefusal(OntoFullDisk(pods, words), 1, text);
  }
  for (const char* words : {"--json users", "--json --as anna export work"}) {
    CAPTURE(words);
    const auto result = OntoFullDisk(pods, words);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, Catch::StartsWith(R"({"error":)") && Catch::Contains(text));
  }
}

TEST_CASE("podctl refuses times and files that are none", "[e2e][podctl]") {
  TwoPods pods;
  CheckRefusal(pods.Podctl({"--as", "anna", "free-busy", "soon", "2026-02-01"}), 2,
               "FROM: 'soon' is not a time");
  CheckRefusal(pods.Podctl({"--as", "anna", "free-busy", "2026-02-01", "X"}), 2,
               "TO: 'X' is not a time");
  CheckRefusal(pods.Podctl({"--as", "anna", "attach", "calendar", "x.ics", "gone.pdf"}), 1,
               "gone.pdf: cannot open it");
  CheckRefusal(pods.Podctl({"--as", "anna", "put", "calendar", "x.ics", "gone.ics"}), 1,
               "gone.ics");
  for (const char* verb : {"get-attachment", "chunk"}) {
    CAPTURE(verb);
    const std::vector<std::string> words =
        verb == std::string("chunk")
            ? std::vector<std::string>{"--json", "chunk", "get", "v/1F.0/0.0"}
            : std::vector<std::string>{"--json", "--as", "anna", verb, "calendar", "x.ics", "1"};
    const auto result = pods.Podctl(words);
    CHECK(result.exit_code == 2);
    CHECK_THAT(result.err, Catch::Contains("name a file for them with --output"));
  }
}

TEST_CASE("Words for people may be emptied", "[e2e][podctl]") {
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work", "--description", "Plans"});
  CHECK_THAT(pods.PodctlJson({"--as", "anna", "set", "work", "--description="}),
             Catch::Contains(R"("description":"")"));
}

TEST_CASE("The demo checks what it is given before it starts a pod", "[e2e][demo]") {
  const TempDir folder;
  const std::string one = std::to_string(FreePort());
  const std::string two = std::to_string(FreePort());
  const auto demo = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"demo", "--folder", folder.File("demo")});
    return RunAlone(std::move(arguments), folder);
  };
  const std::vector<BadLine> lines = {
      {{kExamples, "--port-a", one, "--port-b", one}, "--port-a and --port-b are both " + one},
      {{kExamples, "--port-a", one, "--port-b", two, "--with-replica", "--port-gateway", two},
       "--port-b and --port-gateway are both " + two},
      {{kExamples, "--port-a", one, "--port-b", two, "--with-lockd", "--port-lockd", one},
       "--port-a and --port-lockd are both " + one},
      {{folder.path().string(), "--port-a", one, "--port-b", two}, "has no .ics file"},
  };
  for (const BadLine& line : lines) {
    CAPTURE(line.arguments);
    CheckRefusal(demo(line.arguments), 2, line.text);
  }
  CHECK(!std::filesystem::exists(folder.File("demo")));
}

TEST_CASE("podctl says that nothing was sent when the pod's TLS is at fault", "[e2e][podctl]") {
  TwoPods pods;
  std::ofstream(pods.File("podctl.json"))
      << R"({"pods": [{"id": "A", "url": "https://127.0.0.1:)" << pods.Port("A")
      << R"(", "token_file": "A/data/operator.token"}]})";
  const auto result = pods.Podctl({"--as", "anna", "create", "work"});
  CheckRefusal(result, 3, "nothing was sent: see url and ca_file");
}

class Importing {
 public:
  explicit Importing(std::vector<std::string> flags = {}) : pods_(std::move(flags)) {}
  TwoPods& pods() { return pods_; }
  ProcessResult Import(std::vector<std::string> words, const std::string& form = "") {
    words.insert(words.begin(), {"--as", "anna", "import"});
    if (!form.empty()) words.insert(words.begin(), form);
    return pods_.Podctl(std::move(words));
  }

 private:
  TwoPods pods_;
};

TEST_CASE("podctl says which file of a run replaced what an earlier one brought",
          "[e2e][podctl][import]") {
  Importing bed;
  const std::string a = bed.pods().NewFile("a.ics", Event("x"));
  const std::string b = bed.pods().NewFile("b.ics", Event("x", "Another"));
  const std::string c = bed.pods().NewFile("c.ics", Event("y"));
  const auto told = bed.Import({"work", "--create", a, b, c});
  CHECK(told.exit_code == 0);
  CHECK_THAT(told.out, Catch::Contains("b.ics: 0 created, 1 updated, 0 unchanged, 1 replaced "
                                       "(UID x came from " +
                                       a + " in this run)\n") &&
                           Catch::Contains("c.ics: 1 created, 0 updated, 0 unchanged\n"));
  // The same again, from a file that did not change since: nothing of this run is replaced.
  const auto again = bed.Import({"work", b, b}, "--json");
  CHECK_THAT(again.out, !Catch::Contains(R"("file":"a)") && Catch::Contains(R"("replaced":[])"));
  const auto json = bed.Import({"work", a, b}, "--json");
  CHECK_THAT(json.out, Catch::Contains(R"("replaced":[{"uid":"x","file":")" + a + R"("}])"));
}

TEST_CASE("podctl finds the line of what a collection does not take", "[e2e][podctl][import]") {
  Importing bed;
  bed.pods().PodctlJson({"--as", "anna", "create", "work", "--component", "VEVENT"});
  const std::string bad = bed.pods().NewFile(
      "bad.ics",
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:1\r\n"
      "DTSTAMP:20260105T080000Z\r\nSUMMARY:Do\r\nEND:VTODO\r\nEND:VCALENDAR\r\n");
  const auto result = bed.Import({"work", bad});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Catch::StartsWith("podctl: " + bad + ":4: "));
  CHECK_THAT(bed.Import({"work", bad}, "--json").out, Catch::Contains(R"("line":4)"));
}

TEST_CASE("podctl names file, size and limit of what is too large", "[e2e][podctl][import]") {
  Importing bed({"--max-body-bytes", "65536"});
  const std::string large = bed.pods().NewFile("large.ics", Event("x", std::string(70'000, 's')));
  const auto size = std::to_string(std::filesystem::file_size(large));
  bed.pods().PodctlJson({"--as", "anna", "create", "work"});
  const auto import = bed.Import({"work", large});
  CHECK(import.exit_code == 1);
  CHECK_THAT(import.err, Catch::StartsWith("podctl: " + large + ": it has " + size + " bytes") &&
                             Catch::Contains("65536 bytes") && Catch::Contains("max_body_bytes"));
  CheckRefusal(bed.pods().Podctl({"--as", "anna", "put", "work", "x.ics", large}), 1,
               large + ": it has " + size + " bytes, too large for the pod");
  const std::string huge = bed.pods().NewFile("huge.ics", "");
  std::filesystem::resize_file(huge, (size_t{64} << 20) + 1);
  const auto refused = bed.Import({"work", huge});
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err,
             Catch::Contains("'" + huge + "' has 67108865 bytes") && Catch::Contains("67108864"));
}

TEST_CASE("podctl says that a file is too large for the call to its owner's pod",
          "[e2e][podctl][import]") {
  Importing bed({"--max-body-bytes", "65536"});
  bed.pods().PodctlJson({"--as", "anna", "create", "work"});
  bed.pods().PodctlJson({"--as", "anna", "delegate", "emma", "--access", "read-write"});
  // Alone it is small enough for either pod.
  const std::string file =
      bed.pods().NewFile("large.ics", Event("x", std::string(65'450 - Event("x", "").size(), 's')));
  const std::string small = bed.pods().NewFile("small.ics", Event("y"));
  REQUIRE(bed.Import({"work", file}).exit_code == 0);
  const auto from_other_pod = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"--pod", "B", "--as", "emma", "--home", "anna"});
    return bed.pods().Podctl(words);
  };
  const auto import = from_other_pod({"import", "work", file, small});
  CHECK(import.exit_code == 1);
  CHECK_THAT(import.err, Catch::StartsWith("podctl: " + file + ": ") &&
                             Catch::Contains("more than the limit of 65536"));
  CHECK_THAT(import.out, Catch::Contains("small.ics: 1 created"));
  const auto put = from_other_pod({"put", "work", "x.ics", file});
  CHECK(put.exit_code == 1);
  CHECK_THAT(put.err,
             Catch::Contains("more than the limit of 65536") && !Catch::Contains("try again"));
}

TEST_CASE("podctl names the file at which an import ended", "[e2e][podctl][import]") {
  Importing bed;
  bed.pods().PodctlJson({"--as", "anna", "create", "work"});
  bed.pods().PodctlJson({"--as", "anna", "delegate", "emma", "--access", "read"});
  const std::string file = bed.pods().NewFile("a.ics", Event("x"));
  const auto refused =
      bed.pods().Podctl({"--pod", "B", "--as", "emma", "--home", "anna", "import", "work", file});
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::StartsWith("podctl: " + file + ": "));
}

// A calendar file whose reader waits until it is written.
class SlowFile {
 public:
  explicit SlowFile(std::string path) : path_(std::move(path)) {
    REQUIRE(mkfifo(path_.c_str(), 0600) == 0);
  }
  const std::string& path() const { return path_; }
  void WaitForReader() {
    Eventually("it is read", [&] {
      fd_ = open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      return fd_ >= 0;
    });
  }
  void Write(const std::string& text) const {
    REQUIRE(write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(fd_);
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

TEST_CASE("podctl tells what was imported before the pod was gone", "[e2e][podctl][import]") {
  const bool json = GENERATE(false, true);
  CAPTURE(json);
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work"});
  const std::string one = pods.NewFile("one.ics", Event("1"));
  const std::string three = pods.NewFile("three.ics", Event("3"));
  SlowFile two(pods.File("two.ics"));
  std::vector<std::string> words = {
      PODKIT_PODCTL, "--config", pods.layout().settings(), "--as", "anna", "import", "work", one,
      two.path(),    three};
  if (json) words.insert(words.begin() + 1, "--json");
  ProcessUnderTest import(words);
  two.WaitForReader();
  pods.Kill("A");
  two.Write(Event("2"));
  CHECK(import.Wait() == 3);
  CHECK_THAT(import.Err(), Catch::Contains("does not answer"));
  CHECK_THAT(import.Out(), Catch::Contains(one));
  if (json) {
    const auto document = ValueOf(conduit::JsonDocument::Parse(import.Out()));
    CHECK(document.root().Member("files")->size() == 2);
  } else {
    CHECK_THAT(import.Out(), Catch::Contains("one.ics: 1 created") &&
                                 Catch::Contains("3 files: 1 created, 0 updated, 0 unchanged, 1 "
                                                 "files refused, 1 not tried"));
  }
}

TEST_CASE("podctl draws its progress on a terminal and nowhere else", "[e2e][podctl][progress]") {
  const bool terminal = GENERATE(false, true);
  CAPTURE(terminal);
  TwoPods pods;
  pods.PodctlJson({"--as", "anna", "create", "work"});
  SlowFile one(pods.File("one.ics"));
  const std::string two = pods.NewFile("two.ics", Event("2"));
  std::vector<std::string> words = {PODKIT_PODCTL, "--config", pods.layout().settings(),
                                    "--as",        "anna",     "import",
                                    "work",        one.path(), two};
  if (terminal) {
    std::string line;
    for (const std::string& word : words) line += word + " ";
    words = {"/usr/bin/script", "-qec", line, "/dev/null"};
  }
  ProcessUnderTest import(words);
  one.WaitForReader();
  // What takes less than half a second has no bar.
  const absl::Time late = absl::Now() + absl::Milliseconds(600);
  Eventually("half a second has passed", [&] { return absl::Now() > late; });
  one.Write(Event("1"));
  CHECK(import.Wait() == 0);
  CHECK(import.Err().empty());
  CHECK_THAT(import.Out(), Catch::Contains("2 files: 2 created"));
  CHECK((import.Out().find("\r\x1b[K[") != std::string::npos) == terminal);
}

}  // namespace
}  // namespace podkit::testing
