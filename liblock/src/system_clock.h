// The defaults of what is injected: the system's clock and its randomness.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace podkit::lock {

// CLOCK_BOOTTIME: only goes forward, and also while the machine is suspended.
absl::Duration SteadyNow();

// 16 bytes from the kernel. Aborts if it has none to give.
std::string RandomBytes();

}  // namespace podkit::lock
