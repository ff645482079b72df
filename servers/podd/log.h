// The log of podd: one line per event on standard error, in UTC.
//
//   2026-01-31T09:15:02.114Z info    pod A: listening on http://127.0.0.1:8201
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace podkit::servers {

// Thread-safe. `level` is one of debug, info, warning, error.
std::shared_ptr<spdlog::logger> MakeLog(std::string_view pod, std::string_view level);

// `text` with every control character made visible, so that nothing from outside starts a line.
std::string OneLine(std::string_view text);

}  // namespace podkit::servers
