#include "system_clock.h"

#include <sys/random.h>
#include <time.h>

#include <array>
#include <cstdlib>

namespace podkit::lock {

absl::Duration SteadyNow() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

std::string RandomBytes() {
  std::array<char, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  return {bytes.begin(), bytes.end()};
}

}  // namespace podkit::lock
