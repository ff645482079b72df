// The demo: two pods that are filled, shown, stopped by Ctrl-C and found again.
#include <fmt/format.h>
#include <signal.h>
#include <sys/types.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/process_under_test.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {
namespace {

class DemoFolder {
 public:
  std::vector<std::string> Arguments() const {
    return {PODKIT_PODCTL, "demo",
            "--folder",    folder_.File("demo"),
            "--port-a",    port_a_,
            "--port-b",    port_b_,
            "--examples",  std::string(PODKIT_EXAMPLES) + "/calendars"};
  }
  ProcessResult Podctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {PODKIT_PODCTL, "--config", folder_.File("demo/podctl.json")});
    return RunProcess(std::move(arguments));
  }
  const std::string& port_a() const { return port_a_; }

 private:
  TempDir folder_;
  const std::string port_a_ = fmt::format("{}", FreePort());
  const std::string port_b_ = fmt::format("{}", FreePort());
};

// In the order in which they were started.
std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", pid));
  return std::vector<pid_t>(std::istream_iterator<pid_t>(file), {});
}

TEST_CASE("The demo shares a calendar between two pods and finds it again", "[e2e][demo]") {
  const DemoFolder folder;
  std::string before;
  {
    ProcessUnderTest demo(folder.Arguments());
    demo.WaitForOut("Ctrl-C stops everything");
    CHECK_THAT(demo.Out(), Catch::Contains("team.ics: ") && !Catch::Contains(" 0 created") &&
                               Catch::Contains("who accepted it") &&
                               Catch::Contains("podctl --pod B --as emma objects holidays"));
    before = folder.Podctl({"--pod", "B", "--as", "emma", "objects", "holidays"}).out;
    CHECK_THAT(before, Catch::Contains("OBJECT"));

    // What a user does is not undone by the next start.
    const std::string event = "christmas@example.com.ics";
    const auto as_emma = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), {"--pod", "B", "--as", "emma"});
      return folder.Podctl(std::move(arguments));
    };
    std::string text = as_emma({"get", "holidays", event}).out;
    const size_t summary = text.find("SUMMARY:");
    REQUIRE(summary != std::string::npos);
    text.replace(summary, text.find('\r', summary) - summary, "SUMMARY:Changed by Emma");
    const TempDir files;
    std::ofstream(files.File("event.ics"), std::ios::binary) << text;
    CHECK(as_emma({"put", "holidays", event, files.File("event.ics")}).exit_code == 0);

    const auto second = RunProcess(folder.Arguments());
    CHECK(second.exit_code == 1);
    CHECK_THAT(second.err,
               Catch::StartsWith("podctl: port " + folder.port_a()) && Catch::Contains("--port-a"));
    demo.Signal(SIGINT);
    CHECK(demo.Wait() == 0);
    CHECK_THAT(demo.Out(), Catch::EndsWith("stopped\n"));
  }
  CHECK(folder.Podctl({"users"}).exit_code == 3);

  ProcessUnderTest demo(folder.Arguments());
  demo.WaitForOut("Ctrl-C stops everything");
  CHECK_THAT(demo.Out(), Catch::Contains("'team' is there with 4 objects") &&
                             !Catch::Contains("created") && Catch::Contains("who accepted it"));
  const std::string after =
      folder.Podctl({"--pod", "B", "--as", "emma", "objects", "holidays"}).out;
  CHECK(after == folder.Podctl({"--as", "anna", "objects", "holidays"}).out);
  CHECK_THAT(after, Catch::Contains("Changed by Emma"));
  CHECK(after != before);
  demo.Signal(SIGTERM);
  CHECK(demo.Wait() == 0);
}

TEST_CASE("The demo ends when one of its pods dies, and says which", "[e2e][demo]") {
  const DemoFolder folder;
  ProcessUnderTest demo(folder.Arguments());
  demo.WaitForOut("Ctrl-C stops everything");
  kill(ChildrenOf(demo.pid()).at(1), SIGKILL);
  CHECK(demo.Wait() == 1);
  CHECK_THAT(demo.Err(), Catch::StartsWith("podctl: pod B ended with signal 9"));
  CHECK_THAT(demo.Out(), Catch::EndsWith("stopped\n"));
  CHECK(folder.Podctl({"users"}).exit_code == 3);
}

TEST_CASE("The demo refuses a folder without calendars", "[e2e][demo]") {
  const TempDir empty;
  const auto none = RunProcess({PODKIT_PODCTL, "demo", empty.File("nope")});
  CHECK(none.exit_code == 2);
  CHECK_THAT(none.err, Catch::Contains("nope"));
}

}  // namespace
}  // namespace podkit::testing
