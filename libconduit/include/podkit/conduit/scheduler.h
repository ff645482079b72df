// The time, and work at a later time: what everything in the conduit that waits goes by.
//
// Thread-safe. A test uses one whose clock it moves by hand (testing/manual_scheduler.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/time/time.h"

namespace podkit::conduit {

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  virtual absl::Time Now() const = 0;

  // Runs `work` once, at `when` or soon after (at once if that has passed), on a thread of the
  // scheduler and never inside this call. `work` must not block: others wait behind it. Work that
  // is still waiting when the scheduler ends is dropped.
  virtual uint64_t At(absl::Time when, std::function<void()> work) = 0;

  // True if the work had not begun and will not. Does not wait for work that runs.
  virtual bool Cancel(uint64_t id) = 0;
};

// The system's clock and one thread. Destroying it waits for the work that runs, unless that work
// does it.
std::shared_ptr<Scheduler> MakeSystemScheduler();

}  // namespace podkit::conduit
