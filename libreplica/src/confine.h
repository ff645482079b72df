// Takes from this process what a driver does not need.
//
// Everything stays with the process and what it executes; nothing of it can be undone.
#pragma once

#include "absl/status/status.h"
#include "worker_messages.h"

namespace podkit::replica {

// Resource limits, another user (if this one is root and one is named), no new privileges, a filter
// of system calls, and with Landlock (where the kernel has it) no file but `driver`'s folder, what
// programs need to run, and the named paths. An error leaves the process half confined: end it.
absl::Status ConfineProcess(const Confinement& limits, const std::string& driver);

}  // namespace podkit::replica
