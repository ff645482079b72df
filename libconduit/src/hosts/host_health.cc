#include "hosts/host_health.h"

#include "fmt/format.h"

namespace podkit::conduit::internal {

// A clock that was set back must not keep a host aside.
bool HostHealth::ProbeIsDue(absl::Time now) const {
  return state_ == HostState::kEjected && (now >= tried_ + aside_ || now < tried_);
}

HostHealth::Ticket HostHealth::Begin(absl::Time now) {
  const bool probe = ProbeIsDue(now);
  if (probe) state_ = HostState::kProbing;
  return {.epoch = epoch_, .probe = probe};
}

HostHealth::Change HostHealth::Succeeded(const Ticket& ticket, absl::Time now) {
  if (ticket.epoch != epoch_) return Change::kNone;
  in_a_row_ = 0;
  if (state_ == HostState::kUp) {
    calls_.Add(now);
    return Change::kNone;
  }
  state_ = HostState::kUp;
  ++epoch_;
  since_ = now;
  backoff_.Reset();
  calls_.Clear();
  failures_.Clear();
  return Change::kBack;
}

HostHealth::Change HostHealth::Failed(const Ticket& ticket, absl::Time now, Random& random) {
  if (ticket.epoch != epoch_) return Change::kNone;
  if (state_ != HostState::kUp) {
    // A call that went there for want of a better host changes nothing.
    if (!ticket.probe) return Change::kNone;
    reason_ = "the probe failed";
    Eject(now, random);
    return Change::kEjected;
  }
  calls_.Add(now);
  failures_.Add(now);
  ++in_a_row_;
  if (!IsTooMuch(now)) return Change::kNone;
  ++epoch_;
  since_ = now;
  Eject(now, random);
  return Change::kEjected;
}

void HostHealth::Dropped(const Ticket& ticket) {
  // The next call probes instead.
  if (ticket.probe && ticket.epoch == epoch_) state_ = HostState::kEjected;
}

bool HostHealth::IsTooMuch(absl::Time now) {
  if (in_a_row_ >= options_.consecutive_failures) {
    reason_ = fmt::format("{} calls in a row failed", in_a_row_);
    return true;
  }
  const int64_t calls = calls_.AtMost(now);
  const int64_t failures = failures_.AtMost(now);
  if (calls < options_.min_volume) return false;
  if (static_cast<double>(failures) <= options_.failure_share * static_cast<double>(calls)) {
    return false;
  }
  reason_ = fmt::format("{} of {} calls failed", failures, calls);
  return true;
}

void HostHealth::Eject(absl::Time now, Random& random) {
  state_ = HostState::kEjected;
  tried_ = now;
  aside_ = backoff_.Next(random);
  in_a_row_ = 0;
}

}  // namespace podkit::conduit::internal
