// How long to wait before the next try: twice as long after each failure, spread at random so that
// those who failed together do not come back together.
//
// Thread-compatible.
#pragma once

#include <algorithm>

#include "absl/time/time.h"
#include "hosts/random.h"

namespace podkit::conduit::internal {

enum class Jitter {
  kFull,   // Anything from 0 to the step: spreads best.
  kEqual,  // From half of the step to the step: for a wait that must not be too short.
};

struct BackoffOptions {
  absl::Duration first = absl::Milliseconds(25);  // The first step. Must be > 0.
  absl::Duration max = absl::Seconds(1);          // No step is longer. At least `first`.
  Jitter jitter = Jitter::kFull;
};

class Backoff {
 public:
  explicit Backoff(const BackoffOptions& options) : options_(options), step_(options.first) {}

  // The wait after one more failure.
  absl::Duration Next(Random& random) {
    const absl::Duration step = step_;
    step_ = std::min(step_ * 2, options_.max);
    if (options_.jitter == Jitter::kFull) return step * random.Unit();
    return step / 2 + step / 2 * random.Unit();
  }

  // After a success: the next wait is a first one again.
  void Reset() { step_ = options_.first; }

  // The longest that the next wait can be.
  absl::Duration step() const { return step_; }

 private:
  BackoffOptions options_;
  absl::Duration step_;
};

}  // namespace podkit::conduit::internal
