// The verb that runs the demo.

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/demo.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/import.h"

namespace podkit::podctl {
namespace {

struct Options {
  DemoLayout layout{.folder = "var/demo"};
  std::string calendars;
  std::string examples = "examples/calendars";
};

// Two servers cannot listen on one port.
absl::Status CheckPorts(const DemoLayout& layout) {
  std::vector<std::pair<std::string_view, uint16_t>> ports = {{"--port-a", layout.port_a},
                                                              {"--port-b", layout.port_b}};
  if (layout.with_replica) ports.emplace_back("--port-gateway", layout.port_gateway);
  if (layout.with_lockd) ports.emplace_back("--port-lockd", layout.port_lockd);
  for (size_t i = 0; i < ports.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (ports[i].second != ports[j].second) continue;
      return Usage(fmt::format("{} and {} are both {}: give two ports", ports[j].first,
                               ports[i].first, ports[i].second));
    }
  }
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  PODKIT_RETURN_IF_ERROR(CheckPorts(options.layout));
  const std::string& calendars = options.calendars.empty() ? options.examples : options.calendars;
  if (!std::filesystem::is_directory(calendars, error)) {
    return Usage(fmt::format("there is no folder '{}': name one with .ics files", calendars));
  }
  const absl::Status files = CalendarFiles({calendars}).status();
  if (!files.ok()) return Usage(std::string(files.message()));
  return RunDemo({.layout = options.layout,
                  .calendars = calendars,
                  .podd = (self.parent_path() / "podd").string(),
                  .replicad = (self.parent_path() / "replicad").string(),
                  .lockd = (self.parent_path() / "lockd").string()});
}

}  // namespace

void AddDemoVerb(CommandLine* line) {
  const auto options = std::make_shared<Options>();
  CLI::App* const verb =
      line->Add({.name = "demo",
                 .group = "Demo",
                 .description =
                     "Run two pods with six users until Ctrl-C\n\n"
                     "Imports the .ics files of a folder into the home of anna on pod A, a\n"
                     "collection each, shares the first one with emma on pod B, accepts it there,\n"
                     "and prints what to try next. The next start finds the data again.",
                 .examples = "podctl demo\npodctl demo ~/calendars --port-a 9201 --port-b 9202"},
                [options](Session&) { return Run(*options); });
  verb->add_option("CALENDAR_FOLDER", options->calendars, "What to import [that of --examples]");
  verb->add_option("--folder", options->layout.folder, "Where everything is kept [var/demo]")
      ->type_name("FOLDER")
      ->take_last();
  verb->add_option("--port-a", options->layout.port_a, "Port of pod A [8201]")
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535));
  verb->add_option("--port-b", options->layout.port_b, "Port of pod B [8202]")
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535));
  verb->add_flag("--with-replica", options->layout.with_replica, "Run a chunk gateway, too");
  verb->add_option("--port-gateway", options->layout.port_gateway, "Port of the gateway [8401]")
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535));
  verb->add_flag("--with-lockd", options->layout.with_lockd, "Run a lock directory, too");
  verb->add_option("--port-lockd", options->layout.port_lockd, "Port of the lock directory [8301]")
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535));
  verb->add_option("--examples", options->examples,
                   "Import these unless a folder is named [examples/calendars]")
      ->type_name("FOLDER")
      ->take_last();
}

}  // namespace podkit::podctl
