// What a benchmark does with a status: a figure of something that failed means nothing.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/statusor.h"
#include "fmt/format.h"

namespace podkit::bench {

// Ends the program unless `result` is OK.
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  fmt::print(stderr, "benchmark: {}\n", result.status().ToString());
  std::exit(1);
}

}  // namespace podkit::bench
