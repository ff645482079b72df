// A worker whose driver is a Python 3 file.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "podkit/replica/chunk_driver.h"

namespace podkit::replica {

// Replaces this program by a Python interpreter that serves the driver at `path`: `socket` leads to
// the gateway and `settings` is the file that came with its hello. Returns only if that fails.
absl::Status BecomePythonWorker(DriverMethod method, const std::string& path, int socket,
                                int settings);

}  // namespace podkit::replica
