// Whether one host is well, from how its calls end: a host whose calls fail is put aside (ejected)
// for a time that doubles, then tried with a single call (the probe), and is back when that one is
// answered.
//
// What a call says counts only if the call began in the present state: the failures of calls that
// were in flight when the host was ejected eject it no further.
//
// Thread-compatible. Takes the time, never asks for it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "hosts/backoff.h"
#include "hosts/random.h"
#include "hosts/window_count.h"
#include "podkit/conduit/hosts.h"

namespace podkit::conduit::internal {

struct HealthOptions {
  int consecutive_failures = 5;  // So many in a row eject. At least 1.
  double failure_share = 0.2;    // So eject failures above this share of the calls in the window,
  int64_t min_volume = 20;       // if these were at least so many.
  absl::Duration window = absl::Seconds(30);
  BackoffOptions ejection = {
      .first = absl::Seconds(2), .max = absl::Minutes(1), .jitter = Jitter::kEqual};
};

class HostHealth {
 public:
  // What a call carries from its begin to its end.
  struct Ticket {
    uint64_t epoch = 0;
    bool probe = false;
  };
  // What the end of a call changed.
  enum class Change { kNone, kEjected, kBack };

  explicit HostHealth(const HealthOptions& options)
      : options_(options),
        backoff_(options.ejection),
        calls_(options.window),
        failures_(options.window) {}

  // May a call go there? Yes if the host is up, or ejected for long enough and not being probed.
  bool usable(absl::Time now) const { return state_ == HostState::kUp || ProbeIsDue(now); }

  // A call begins; also one to a host that is not usable, where there is no better.
  Ticket Begin(absl::Time now);

  // How a call that Begin gave this ticket ended; exactly one of them, once for each ticket.
  Change Succeeded(const Ticket& ticket, absl::Time now);
  Change Failed(const Ticket& ticket, absl::Time now, Random& random);
  void Dropped(const Ticket& ticket);  // Its caller lost interest: says nothing about the host.

  HostState state() const { return state_; }
  // Since when it is up; or, while it is not, since when it is ejected.
  absl::Time since() const { return since_; }
  // Why it was ejected last, for people.
  const std::string& reason() const { return reason_; }

 private:
  bool ProbeIsDue(absl::Time now) const;
  bool IsTooMuch(absl::Time now);
  void Eject(absl::Time now, Random& random);

  HealthOptions options_;
  Backoff backoff_;
  WindowCount calls_;
  WindowCount failures_;
  HostState state_ = HostState::kUp;
  uint64_t epoch_ = 0;  // Grows when the host is ejected and when it is back.
  int in_a_row_ = 0;
  absl::Time since_ = absl::InfinitePast();
  absl::Time tried_ = absl::InfinitePast();      // When the present ejection time began.
  absl::Duration aside_ = absl::ZeroDuration();  // And how long it lasts.
  std::string reason_;
};

}  // namespace podkit::conduit::internal
