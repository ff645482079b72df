// Two pods with a demo directory of users, filled with calendars, and what else the layout has,
// running until a signal.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "servers/podctl/demo_layout.h"

namespace podkit::podctl {

struct DemoOptions {
  DemoLayout layout;
  std::string calendars;  // The folder to import.
  std::string podd;       // The programs.
  std::string replicad;
  std::string lockd;
};

// Blocks SIGINT, SIGTERM and SIGCHLD and returns after one of the first two, or when a pod dies,
// which is an error. Stops both pods in any case.
absl::Status RunDemo(const DemoOptions& options);

}  // namespace podkit::podctl
