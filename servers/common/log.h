// The log of a server: one line per event on standard error, in UTC.
//
//   2026-01-31T09:15:02.114Z info    pod A: listening on http://127.0.0.1:8201
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>
#include <string_view>

namespace podkit::servers {

// Thread-safe. `name` begins each line, "pod A"; `level` is one of debug, info, warning, error.
std::shared_ptr<spdlog::logger> MakeLog(std::string_view name, std::string_view level);

// `text` with every control character made visible, so that nothing from outside starts a line.
std::string OneLine(std::string_view text);

}  // namespace podkit::servers
