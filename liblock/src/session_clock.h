// When a host may still believe that it holds its locks. Plain arithmetic on readings of one clock.
//
// Owner-thread.
#pragma once

#include "absl/time/time.h"

namespace podkit::lock {

class SessionClock {
 public:
  enum class State { kSafe, kJeopardy, kLost };

  // The request that was answered with `term` was sent at `sent`: the directory counted the term
  // from later on, so this one ends first.
  SessionClock(absl::Duration sent, absl::Duration term) : sent_(sent), term_(term) {}

  // Takes an answer that arrives `now`. One that overtook a later one changes nothing, nor one that
  // comes after the loss.
  void Renewed(absl::Duration now, absl::Duration sent, absl::Duration term);
  // The directory says that the session ended.
  void End() { lost_ = true; }

  // Once it is kLost it stays so.
  State StateAt(absl::Duration now);
  // Until the state changes by itself; zero when lost.
  absl::Duration LeftAt(absl::Duration now);

  absl::Duration renew_at() const { return sent_ + term_ / 3; }
  absl::Duration jeopardy_at() const { return sent_ + term_ / 3 * 2; }
  absl::Duration lost_at() const { return sent_ + term_ / 10 * 9; }

 private:
  absl::Duration sent_;
  absl::Duration term_;
  bool lost_ = false;
};

}  // namespace podkit::lock
