// The main function of a server: told what to do, it checks its configuration and serves.
#pragma once

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "servers/common/flags.h"
#include "servers/common/run_server.h"

namespace podkit::servers {

// How a server turns what it is told into its configuration.
template <typename Settings, typename Config>
struct Program {
  ProgramText text;
  std::vector<Flag> (*flags)(Settings* settings);
  // Defaults for what nobody set. Errors name the flag at fault and what it takes.
  absl::StatusOr<Config> (*check)(const Settings& settings);
};

template <typename Config>
struct CommandLine {
  Config config;
  bool check_config = false;
  std::optional<std::string> answer;  // To print and end with; the rest is then unset.
};

// The configuration file, if one is named, under the flags; checked.
template <typename Settings, typename Config>
absl::StatusOr<CommandLine<Config>> ParseCommandLine(const Program<Settings, Config>& program,
                                                     const std::vector<std::string>& arguments) {
  Settings settings;
  const std::vector<Flag> flags = program.flags(&settings);
  PODKIT_ASSIGN_OR_RETURN(Invocation said, ParseFlags(program.text, flags, arguments));
  CommandLine<Config> line{.check_config = said.check_config, .answer = std::move(said.answer)};
  if (line.answer) return line;
  if (!said.config_file.empty()) {
    PODKIT_RETURN_IF_ERROR(ReadConfigFile(program.text, said.config_file, flags));
  }
  PODKIT_ASSIGN_OR_RETURN(line.config, program.check(settings));
  return line;
}

// What a server does with its configuration.
template <typename Config>
struct Work {
  // For --check-config: looks at all that is read at the start.
  absl::Status (*check)(const Config& config);
  // "pod A": who serves, for the same.
  std::string (*name)(const Config& config);
  // Serves until a signal ends it. An error: it cannot start.
  absl::Status (*serve)(const Config& config);
};

// What main returns.
template <typename Settings, typename Config>
int RunProgram(const Program<Settings, Config>& program, const Work<Config>& work, int argc,
               char** argv) {
  return RunMain(program.text.name, argc, argv, [&](const std::vector<std::string>& arguments) {
    const std::string_view name = program.text.name;
    const auto line = ParseCommandLine(program, arguments);
    if (!line.ok()) return FailProcess(name, line.status(), kWrongUsage);
    if (line->answer) return PrintAnswer(*line->answer);
    const Config& config = line->config;
    const absl::Status status = line->check_config ? work.check(config) : work.serve(config);
    if (!status.ok()) return FailProcess(name, status, kCannotRun);
    if (!line->check_config) return 0;
    return PrintAnswer(fmt::format("the configuration is good: {} on {}, data in '{}'\n",
                                   work.name(config), config.url(), config.data));
  });
}

// Lets the server run until it is told to stop, then stops it within the grace and ends it.
template <typename Server>
void RunUntilStopped(const std::shared_ptr<spdlog::logger>& log, std::unique_ptr<Server> server) {
  constexpr absl::Duration kGrace = absl::Seconds(10);
  RunUntilStopped(
      log, [&] { server->Reload(); },
      [&] {
        server->Stop(kGrace);
        server.reset();
      });
}

}  // namespace podkit::servers
