#include "session_clock.h"

#include <algorithm>

namespace podkit::lock {

void SessionClock::Renewed(absl::Duration now, absl::Duration sent, absl::Duration term) {
  if (StateAt(now) == State::kLost || sent < sent_) return;
  sent_ = sent;
  term_ = term;
}

SessionClock::State SessionClock::StateAt(absl::Duration now) {
  if (now >= lost_at()) lost_ = true;
  if (lost_) return State::kLost;
  return now >= jeopardy_at() ? State::kJeopardy : State::kSafe;
}

absl::Duration SessionClock::LeftAt(absl::Duration now) {
  const State state = StateAt(now);
  if (state == State::kLost) return absl::ZeroDuration();
  return (state == State::kSafe ? jeopardy_at() : lost_at()) - now;
}

}  // namespace podkit::lock
