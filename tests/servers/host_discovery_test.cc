#include "servers/podd/host_discovery.h"

#include <spdlog/sinks/ostream_sink.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using testing::TempDir;
using testing::ValueOf;

// What was logged, without times and levels.
struct LogBed {
  std::ostringstream text;
  std::shared_ptr<spdlog::logger> log;

  LogBed() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
    sink->set_pattern("%v");
    log = std::make_shared<spdlog::logger>("test", std::move(sink));
  }
  std::string Take() {
    std::string taken = text.str();
    text.str("");
    return taken;
  }
};

}  // namespace

TEST_CASE("podd finds hosts where it is told to, and logs what changes", "[podd][discovery]") {
  const TempDir folder;
  LogBed bed;
  const auto pods = ValueOf(
      conduit::Pods::Create({{.id = "A"}, {.id = "B", .keys = {std::string(32, 'k')}}}, "A"));
  const auto watch = LogPodsChanges(*pods, bed.log);
  PoddConfig config;
  config.data = folder.path().string();
  CHECK(ValueOf(MakeHostDiscovery(config, pods, bed.log)) == nullptr);
  const std::string list = folder.File("list.json");
  config.hosts_from = list;
  {
    const auto discovery = ValueOf(MakeHostDiscovery(config, pods, bed.log));
    REQUIRE(discovery != nullptr);
    discovery->Tick(absl::UnixEpoch());
    CHECK(HostsFrom(*discovery).empty());
    CHECK(bed.Take() == "no hosts from '" + list + "': cannot read '" + list +
                            "': No such file or directory; the hosts stay as they are\n");
    std::ofstream(list) << R"({"pods":[{"id":"B","hosts":["http://b:1","http://b:2"]}]})";
    discovery->Tick(absl::UnixEpoch());
    CHECK(HostsFrom(*discovery) == list);
    CHECK(bed.Take() == "pod 'B': host added 'http://b:1': '" + list +
                            "' lists them so\n"
                            "pod 'B': host added 'http://b:2': '" +
                            list + "' lists them so\n");
  }
  // The next start has them although the list is gone.
  std::filesystem::remove(list);
  CHECK(pods->SetHosts({}, "gone") == absl::OkStatus());
  const auto discovery = ValueOf(MakeHostDiscovery(config, pods, bed.log));
  CHECK(HostsFrom(*discovery) == list + " (saved before the last start)");
  CHECK(pods->Find("B")->hosts.size() == 2);
}

TEST_CASE("podd refuses a place for hosts that it would not trust", "[podd][discovery]") {
  PoddConfig config;
  config.hosts_from = "http://directory.example/pods.json";
  const absl::Status status = CheckHostsFrom(config);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(status.message()),
             Catch::StartsWith("--hosts-from: '" + config.hosts_from + "': must start with https"));
  for (const char* place : {"", "list.json", "https://directory.example/pods.json"}) {
    config.hosts_from = place;
    CHECK(CheckHostsFrom(config) == absl::OkStatus());
  }
}

}  // namespace podkit::servers
