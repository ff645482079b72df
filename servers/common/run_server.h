// The life of a server's process: from its start until a signal ends it.
#pragma once

#include <spdlog/logger.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace podkit::servers {

inline constexpr int kCannotRun = 1;
inline constexpr int kWrongUsage = 2;

// One line on standard error, "<program>: <why>"; returns what the process ends with.
int FailProcess(std::string_view program, const absl::Status& status, int exit_code);

// Prints `text` on standard output; returns 0.
int PrintAnswer(std::string_view text);

// Before any thread is made: signals are taken by RunUntilStopped alone, writing to a closed
// connection is no signal, and files are made for their owner only.
void PrepareProcess();

// Waits until SIGTERM or SIGINT, and calls `reload` for each SIGHUP; then calls `stop`. A second
// signal ends the process at once, and so does a stop that hangs: every acknowledged write is on
// the disk.
void RunUntilStopped(const std::shared_ptr<spdlog::logger>& log,
                     const std::function<void()>& reload, const std::function<void()>& stop);

// Runs `main` with the arguments; what it throws is told as FailProcess does.
int RunMain(std::string_view program, int argc, char** argv,
            const std::function<int(const std::vector<std::string>&)>& main);

}  // namespace podkit::servers
