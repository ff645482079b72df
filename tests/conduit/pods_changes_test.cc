// Pods whose hosts change while they are in use, and what is told about it.
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "fmt/format.h"
#include "podkit/conduit/pods.h"
#include "pods_diff.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::conduit {
namespace {

using internal::PodMap;
using podkit::testing::ValueOf;

using Hosts = std::vector<std::string>;
using HostSets = std::map<std::string, std::set<std::string>>;
using Kind = PodsEvent::Kind;

std::string KeyOf(const std::string& pod) { return "a key for pod " + pod + std::string(32, '.'); }

// A with three others, each of which has one host in the file.
std::shared_ptr<Pods> FourPods() {
  std::vector<Pod> pods = {{.id = "A", .hosts = {"http://a:1"}}};
  for (const std::string id : {"B", "C", "D"}) {
    pods.push_back({.id = id, .hosts = {"http://" + id + ":1"}, .keys = {KeyOf(id)}});
  }
  return ValueOf(Pods::Create(std::move(pods), "A"));
}

// Keeps what is told, as "B-http://b:1 B+http://b:2 (reason)".
class Told {
 public:
  explicit Told(const Pods& pods)
      : watch_(pods.Watch([this](const std::vector<PodsEvent>& events) {
          for (const PodsEvent& event : events) {
            const bool added = event.kind == Kind::kHostAdded || event.kind == Kind::kPodAdded;
            const std::string_view sign = event.kind == Kind::kKeysChanged ? "*"
                                          : added                          ? "+"
                                                                           : "-";
            words_ += event.pod + std::string(sign) + event.host + " ";
          }
          words_ += "(" + events.front().reason + ")";
        })) {}

  std::string Take() { return std::exchange(words_, {}); }
  void Stop() { watch_.reset(); }

 private:
  std::string words_;
  std::shared_ptr<void> watch_;
};

HostSets SetsOf(const PodMap& pods) {
  HostSets sets;
  for (const auto& [id, pod] : pods) sets[id] = {pod->hosts.begin(), pod->hosts.end()};
  return sets;
}

// Fails for an event that does not change anything.
void Replay(const PodsEvent& event, HostSets* sets) {
  switch (event.kind) {
    case Kind::kPodAdded:
      REQUIRE(sets->emplace(event.pod, std::set<std::string>()).second);
      return;
    case Kind::kPodRemoved:
      REQUIRE(sets->at(event.pod).empty());
      sets->erase(event.pod);
      return;
    case Kind::kHostAdded:
      REQUIRE(sets->at(event.pod).insert(event.host).second);
      return;
    case Kind::kHostRemoved:
      REQUIRE(sets->at(event.pod).erase(event.host) == 1);
      return;
    case Kind::kKeysChanged:
      return;
  }
}

}  // namespace

TEST_CASE("Hosts that are found take the place of those of the file", "[conduit][pods][found]") {
  const auto pods = FourPods();
  Told told(*pods);
  const auto b = pods->Find("B");
  CHECK(pods->SetHosts({{"B", {"HTTP://B2", "http://b:1"}}, {"C", {}}}, "listed") ==
        absl::OkStatus());
  CHECK(pods->Find("B")->hosts == Hosts{"http://b2:80", "http://b:1"});
  CHECK(pods->Find("B")->keys == b->keys);
  CHECK(pods->Find("C")->hosts.empty());
  CHECK(pods->Find("D")->hosts == Hosts{"http://d:1"});
  CHECK(told.Take() == "B+http://b2:80 C-http://c:1 (listed)");
  // Two and more that go at once, and a pod that is listed no more.
  CHECK(pods->SetHosts({{"B", {"http://b3:80"}}}, "changed") == absl::OkStatus());
  CHECK(told.Take() == "B-http://b2:80 B-http://b:1 B+http://b3:80 C+http://c:1 (changed)");
  CHECK(pods->SetHosts({{"B", {"http://b3:80"}}}, "the same") == absl::OkStatus());
  CHECK(told.Take().empty());
  told.Stop();
  CHECK(pods->SetHosts({}, "nothing") == absl::OkStatus());
  CHECK(told.Take().empty());
  CHECK(pods->Find("B") == b);
}

TEST_CASE("Neither pods nor keys are found", "[conduit][pods][found]") {
  const auto pods = FourPods();
  Told told(*pods);
  CHECK(pods->SetHosts({{"E", {"http://e:1"}}, {"A", {"http://evil:1"}}}, "listed") ==
        absl::OkStatus());
  CHECK(pods->Find("E") == nullptr);
  CHECK(pods->Find("A")->hosts == Hosts{"http://a:1"});
  CHECK(told.Take().empty());
}

TEST_CASE("Found hosts that are wrong change nothing", "[conduit][pods][found]") {
  const auto pods = FourPods();
  const auto refusal = [&](std::vector<PodHosts> found) {
    const absl::Status status = pods->SetHosts(std::move(found), "listed");
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(pods->Find("B")->hosts == Hosts{"http://b:1"});
    return std::string(status.message());
  };
  CHECK(refusal({{"B", {"http://b:2"}}, {"C", {"c:1"}}}).starts_with("pod 'C': $.hosts[0]: 'c:1'"));
  CHECK(refusal({{"B", {"http://b:2"}}, {"B", {}}}) == "pod 'B': $.id: is listed twice");
  CHECK(refusal({{"B", {"http://b:2", "http://b:2"}}}) ==
        "pod 'B': $.hosts[1]: 'http://b:2' is listed twice");
  CHECK(refusal({{"B", {"http://b:2"}}, {"", {}}}).starts_with("pod '': $.id: must be"));
}

TEST_CASE("Found hosts do not lead out of TLS", "[conduit][pods][found]") {
  const std::string why = "names an http:// host of a pod that is called over https";
  const auto pods =
      ValueOf(Pods::Create({{.id = "A"},
                            {.id = "B", .hosts = {"https://b:1"}, .keys = {KeyOf("B")}},
                            {.id = "C", .keys = {KeyOf("C")}, .ca_file = "ca.pem"},
                            {.id = "D", .keys = {KeyOf("D")}}},
                           "A"));
  for (const std::string id : {"B", "C"}) {
    const auto with = [&](const std::string& host) {
      return pods->SetHosts({{id, {"https://x:1", host}}}, "listed");
    };
    CHECK(with("http://x:2").message() == fmt::format("pod '{}': $.hosts: {}", id, why));
    CHECK(with("https://x:2") == absl::OkStatus());
  }
  CHECK(pods->SetHosts({{"D", {"http://d:1"}}}, "listed") == absl::OkStatus());
}

TEST_CASE("Reload keeps found hosts and tells what has changed", "[conduit][pods][found]") {
  podkit::testing::TempDir directory;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(directory.File(name)) << text;
    std::filesystem::permissions(directory.File(name), std::filesystem::perms::owner_read |
                                                           std::filesystem::perms::owner_write);
  };
  const auto write_pods = [&](const std::string& others) {
    write("pods.json", R"({"pods":[{"id":"A","hosts":["http://a:1"]})" + others + "]}");
  };
  const std::string b = R"(,{"id":"B","hosts":["http://b:1"],"key_files":["b.key"]})";
  write("b.key", KeyOf("B"));
  write("c.key", KeyOf("C"));
  write_pods(b);
  const auto pods = ValueOf(Pods::Load(directory.File("pods.json"), "A"));
  Told told(*pods);
  REQUIRE(pods->SetHosts({{"B", {"http://b:2"}}, {"C", {"http://c:2", "http://c:3"}}}, "listed") ==
          absl::OkStatus());
  CHECK(told.Take() == "B-http://b:1 B+http://b:2 (listed)");
  write_pods(b + R"(,{"id":"C","hosts":[],"key_files":["c.key"]})");
  CHECK(pods->Reload() == absl::OkStatus());
  CHECK(told.Take() == "C+ C+http://c:2 C+http://c:3 (the pods file was read again)");
  write("b.key", KeyOf("other B"));
  CHECK(pods->Reload() == absl::OkStatus());
  CHECK(told.Take() == "B* (the pods file was read again)");
  CHECK(pods->Find("B")->hosts == Hosts{"http://b:2"});
  write_pods("");
  CHECK(pods->Reload() == absl::OkStatus());
  CHECK(told.Take() ==
        "B-http://b:2 B- C-http://c:2 C-http://c:3 C- (the pods file was read again)");
}

TEST_CASE("A watcher may change the pods, and is told in order", "[conduit][pods][found]") {
  const auto pods = FourPods();
  std::string seen;
  const auto first = pods->Watch([&](const std::vector<PodsEvent>& events) {
    seen += "(" + events.front().reason;
    if (events.front().reason == "one") {
      CHECK(pods->SetHosts({{"C", {"http://c:2"}}}, "two") == absl::OkStatus());
    }
    seen += ")";
  });
  const auto second =
      pods->Watch([&](const std::vector<PodsEvent>& events) { seen += events.front().reason; });
  CHECK(pods->SetHosts({{"B", {"http://b:2"}}}, "one") == absl::OkStatus());
  CHECK(seen == "(one)one(two)two");
}

TEST_CASE("The events of a change lead from the old pods to the new", "[conduit][pods][random]") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](int limit) {
    return std::uniform_int_distribution<int>(0, limit - 1)(random);
  };
  const auto make = [&] {
    PodMap pods;
    for (int i = 0; i < 12; ++i) {
      if (below(3) == 0) continue;
      Pod pod{.id = "pod" + std::to_string(i), .keys = {std::to_string(below(3))}};
      for (int host = 0; host < 6; ++host) {
        if (below(2) == 0) pod.hosts.push_back("http://h" + std::to_string(host) + ":1");
      }
      std::shuffle(pod.hosts.begin(), pod.hosts.end(), random);
      std::string id = pod.id;
      pods.emplace(std::move(id), std::make_shared<const Pod>(std::move(pod)));
    }
    return pods;
  };
  PodMap before = make();
  for (int round = 0; round < 1000; ++round) {
    const PodMap after = make();
    HostSets sets = SetsOf(before);
    std::set<std::string> rekeyed;
    for (const PodsEvent& event : internal::DiffPods(before, after, "why")) {
      Replay(event, &sets);
      CHECK(event.reason == "why");
      if (event.kind == Kind::kKeysChanged) rekeyed.insert(event.pod);
    }
    REQUIRE(sets == SetsOf(after));
    for (const auto& [id, pod] : after) {
      const auto old = before.find(id);
      const bool changed = old != before.end() && old->second->keys != pod->keys;
      CHECK(rekeyed.contains(id) == changed);
    }
    CHECK(internal::DiffPods(after, after, "why").empty());
    before = after;
  }
}

}  // namespace podkit::conduit
