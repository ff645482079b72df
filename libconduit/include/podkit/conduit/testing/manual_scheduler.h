// A scheduler whose clock stands still until a test moves it.
//
// Thread-safe, but work runs on the thread that moves the clock, and moving it from two threads at
// once makes the order of work a matter of chance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "podkit/conduit/scheduler.h"

namespace podkit::conduit::testing {

class ManualScheduler final : public Scheduler {
 public:
  explicit ManualScheduler(absl::Time start = absl::FromUnixSeconds(1'700'000'000));
  ~ManualScheduler() override;

  absl::Time Now() const override;
  uint64_t At(absl::Time when, std::function<void()> work) override;
  bool Cancel(uint64_t id) override;

  // Moves the clock, stopping at each piece of work that is due on the way, in the order of their
  // times (then of the calls to At), also at work that this work adds.
  void Advance(absl::Duration duration);

  // Moves the clock to the next piece of work and runs it; false if there is none.
  bool RunNext();

  // Pieces of work that wait.
  size_t pending() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit::testing
