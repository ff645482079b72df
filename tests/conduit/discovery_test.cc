// Hosts that are found while the pod runs, and kept for the next start.
#include "podkit/conduit/discovery.h"

#include <fstream>
#include <latch>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/loopback_server.h"
#include "tests/support/temp_dir.h"

namespace podkit::conduit {
namespace {

using podkit::testing::TempDir;
using podkit::testing::ValueOf;

using Hosts = std::vector<std::string>;

const std::string kDown = "it is down";

std::shared_ptr<Pods> TwoPods() {
  return ValueOf(Pods::Create(
      {{.id = "A"}, {.id = "B", .hosts = {"http://b:1"}, .keys = {std::string(32, 'k')}}}, "A"));
}

std::string ListOf(const std::string& hosts) {
  return R"({"pods":[{"id":"B","hosts":[)" + hosts + "]}]}";
}

// A source that says what the test sets.
struct Script {
  absl::StatusOr<std::string> text = absl::UnavailableError(kDown);
  std::vector<std::string> asked;  // With which versions.
};

class ScriptSource final : public HostListSource {
 public:
  ScriptSource(std::string name, Script* script) : name_(std::move(name)), script_(script) {}
  std::string name() const override { return name_; }
  absl::StatusOr<FetchedHostList> Fetch(std::string_view version, std::stop_token) override {
    script_->asked.emplace_back(version);
    if (!script_->text.ok()) return script_->text.status();
    if (!version.empty() && version == *script_->text) return FetchedHostList{.unchanged = true};
    return FetchedHostList{.version = *script_->text, .text = *script_->text};
  }

 private:
  const std::string name_;
  Script* const script_;
};

struct DiscoveryBed {
  std::shared_ptr<Pods> pods = TwoPods();
  podkit::testing::FakeClock clock;
  Script first;
  Script second;
  std::vector<std::string> failures;
  std::vector<std::string> reasons;
  std::shared_ptr<void> watch = pods->Watch([this](const std::vector<PodsEvent>& events) {
    for (const PodsEvent& event : events) {
      reasons.push_back(std::string(PodsEventName(event.kind)) + " " + event.host + ": " +
                        event.reason);
    }
  });

  std::unique_ptr<Discovery> Make(std::string saved_file = {}) {
    std::vector<std::unique_ptr<HostListSource>> sources;
    sources.push_back(std::make_unique<ScriptSource>("first", &first));
    sources.push_back(std::make_unique<ScriptSource>("second", &second));
    return std::make_unique<Discovery>(
        pods, std::move(sources),
        DiscoveryOptions{.saved_file = std::move(saved_file),
                         .now = clock.function(),
                         .seed = 7,
                         .on_failure = [this](const absl::Status& status) {
                           failures.emplace_back(status.message());
                         }});
  }
  Hosts HostsOfB() const { return pods->Find("B")->hosts; }
};

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("Discovery uses the first source that has a good list", "[conduit][discovery]") {
  DiscoveryBed bed;
  const auto discovery = bed.Make();
  bed.second.text = ListOf(R"("http://b:2","http://b:3")");
  discovery->Tick(bed.clock.Now());
  CHECK(bed.HostsOfB() == Hosts{"http://b:2", "http://b:3"});
  CHECK(bed.failures.empty());
  CHECK(bed.reasons == std::vector<std::string>{"host removed http://b:1: 'second' lists them so",
                                                "host added http://b:2: 'second' lists them so",
                                                "host added http://b:3: 'second' lists them so"});
  const DiscoveryStatus status = discovery->Status();
  CHECK(status.source == "second");
  CHECK(status.answered == bed.clock.Now());
  CHECK(status.pods == 1);
  CHECK_FALSE(status.saved);
  // The first one has a list that is the same as before only for itself.
  bed.first.text = ListOf(R"("http://b:4")");
  discovery->Tick(bed.clock.Now());
  discovery->Tick(bed.clock.Now());
  CHECK(bed.HostsOfB() == Hosts{"http://b:4"});
  CHECK(discovery->Status().source == "first");
  CHECK(bed.first.asked == std::vector<std::string>{"", "", *bed.first.text});
  bed.first.text = absl::UnavailableError(kDown);
  discovery->Tick(bed.clock.Now());
  CHECK(bed.second.asked.back().empty());
  CHECK(bed.HostsOfB() == Hosts{"http://b:2", "http://b:3"});
}

TEST_CASE("A bad list leaves the old hosts in place", "[conduit][discovery]") {
  DiscoveryBed bed;
  const auto discovery = bed.Make();
  const std::string good = ListOf(R"("http://b:2")");
  bed.first.text = good;
  discovery->Tick(bed.clock.Now());
  REQUIRE(bed.HostsOfB() == Hosts{"http://b:2"});
  for (const std::string& bad :
       {std::string("<html>"), ListOf("7"), ListOf(R"("b:3")"),
        R"({"pods":[{"id":"B","hosts":["http://b:3"]},{"id":"B","hosts":[]}]})" + std::string()}) {
    bed.failures.clear();
    bed.first.text = bad;
    discovery->Tick(bed.clock.Now());
    discovery->Tick(bed.clock.Now());
    CHECK(bed.HostsOfB() == Hosts{"http://b:2"});
    // Told once; the version of a bad list is not kept.
    REQUIRE(bed.failures.size() == 1);
    CHECK(bed.failures[0].starts_with("no hosts from 'first': "));
    CHECK(bed.failures[0].ends_with("; no hosts from 'second': " + kDown));
    CHECK(bed.first.asked.back() == good);
  }
  CHECK(discovery->Status().source == "first");
  CHECK(discovery->Status().last_error.message() == bed.failures[0]);
  bed.first.text = good;
  discovery->Tick(bed.clock.Now());
  CHECK(discovery->Status().last_error == absl::OkStatus());
}

TEST_CASE("Discovery waits a random part of its interval, and longer after each failure",
          "[conduit][discovery]") {
  DiscoveryBed bed;
  const auto discovery = bed.Make();
  const auto wait = [&] { return discovery->Tick(bed.clock.Now()) - bed.clock.Now(); };
  for (const int step : {1, 2, 4, 8, 16, 30, 30}) {
    const absl::Duration waited = wait();
    CHECK(waited >= absl::Seconds(step) / 2);
    CHECK(waited <= absl::Seconds(step));
  }
  CHECK(bed.failures.size() == 1);
  bed.first.text = ListOf("");
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 100; ++i) waits.push_back(wait());
  const auto [least, most] = std::minmax_element(waits.begin(), waits.end());
  CHECK(*least >= absl::Seconds(15));
  CHECK(*least < absl::Seconds(18));
  CHECK(*most > absl::Seconds(27));
  CHECK(*most <= absl::Seconds(30));
  bed.first.text = absl::UnavailableError(kDown);
  CHECK(wait() <= absl::Seconds(1));
  CHECK(bed.failures.size() == 2);
}

TEST_CASE("Discovery starts with what it saved when nobody answers", "[conduit][discovery]") {
  TempDir directory;
  const std::string saved = directory.File("hosts.json");
  {
    DiscoveryBed bed;
    bed.first.text = ListOf(R"("HTTP://b:2")");
    const auto discovery = bed.Make(saved);
    CHECK(bed.HostsOfB() == Hosts{"http://b:1"});
    discovery->Tick(bed.clock.Now());
    CHECK(bed.failures.empty());
  }
  CHECK(TextOf(saved) == R"({"pods":[{"id":"B","hosts":["HTTP://b:2"]}],"source":"first"})"
                         "\n");
  DiscoveryBed bed;
  const auto discovery = bed.Make(saved);
  CHECK(bed.HostsOfB() == Hosts{"http://b:2"});
  CHECK(bed.reasons.back() == "host added http://b:2: saved when 'first' last listed them");
  CHECK(discovery->Status().saved);
  CHECK(discovery->Status().source == "first");
  CHECK(discovery->Status().answered == absl::InfinitePast());
  discovery->Tick(bed.clock.Now());
  CHECK(bed.HostsOfB() == Hosts{"http://b:2"});
  CHECK(bed.failures.size() == 1);
  bed.second.text = ListOf(R"("http://b:3")");
  discovery->Tick(bed.clock.Now());
  CHECK(bed.HostsOfB() == Hosts{"http://b:3"});
  CHECK_FALSE(discovery->Status().saved);
  CHECK(TextOf(saved).find(R"("source":"second")") != std::string::npos);
}

TEST_CASE("A saved file that is of no use is told and replaced", "[conduit][discovery]") {
  TempDir directory;
  const std::string saved = directory.File("hosts.json");
  std::ofstream(saved) << "{\"pods\":";
  DiscoveryBed bed;
  bed.first.text = ListOf(R"("http://b:2")");
  const auto discovery = bed.Make(saved);
  REQUIRE(bed.failures.size() == 1);
  CHECK(bed.failures[0].starts_with("no hosts from '" + saved + "': "));
  CHECK(bed.HostsOfB() == Hosts{"http://b:1"});
  discovery->Tick(bed.clock.Now());
  CHECK(TextOf(saved).starts_with(R"({"pods":[{"id":"B")"));
  // One that cannot be written does not keep the hosts from being used.
  DiscoveryBed other;
  other.first.text = ListOf(R"("http://b:2")");
  other.Make(directory.File("none/hosts.json"))->Tick(other.clock.Now());
  CHECK(other.HostsOfB() == Hosts{"http://b:2"});
  REQUIRE(other.failures.size() == 1);
  CHECK(other.failures[0].starts_with("cannot write '"));
}

TEST_CASE("Discovery looks on a thread of its own, and at once when it is asked",
          "[conduit][discovery][threads]") {
  const auto pods = TwoPods();
  std::atomic<int> number = 0;
  podkit::testing::LoopbackServer server([&](const podkit::testing::LoopbackRequest&) {
    return podkit::testing::LoopbackReply{
        .body = ListOf("\"http://b:" + std::to_string(++number + 10) + "\"")};
  });
  std::latch twice(2);
  const auto watch = pods->Watch([&](const std::vector<PodsEvent>&) {
    if (number <= 2) twice.count_down();
  });
  std::vector<std::unique_ptr<HostListSource>> sources;
  sources.push_back(ValueOf(HostListUrl(server.address())));
  Discovery discovery(pods, std::move(sources), {.interval = absl::Hours(1)});
  discovery.Start();
  while (discovery.Status().answered == absl::InfinitePast()) std::this_thread::yield();
  discovery.LookNow();
  twice.wait();
  CHECK(pods->Find("B")->hosts == Hosts{"http://b:12"});
}

}  // namespace podkit::conduit
