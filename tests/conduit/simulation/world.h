// Runs one schedule and judges it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace podkit::conduit::simulation {

struct Result {
  std::vector<std::string> problems;
  uint64_t sum = 0;  // Of all that happened: the same for the same seed.
  size_t events = 0;
  size_t calls = 0;
  size_t executions = 0;
  std::vector<std::string> lines;  // If they were asked for.
};

Result RunSchedule(uint64_t seed, bool keeps_text = false);

}  // namespace podkit::conduit::simulation
