// Reads the file that says who keeps a gateway's chunks, and with what settings.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "podkit/replica/driver_processes.h"

namespace podkit::servers {

// The options of the driver in the file at `path`; if it is empty, of the disk driver with its
// chunks in `data`, an absolute path. The worker program and the drivers that are named are those
// that lie beside this program. Errors name the file and what is wrong in it.
absl::StatusOr<replica::DriverProcessesOptions> ReadDriverFile(const std::string& path,
                                                               const std::string& data);

}  // namespace podkit::servers
