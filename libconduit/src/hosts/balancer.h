// Chooses among the hosts that a call may go to.
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/time/time.h"
#include "hosts/random.h"
#include "podkit/conduit/balance.h"

namespace podkit::conduit::internal {

// How loaded one host is, as seen from here: peak EWMA (after Finagle) times calls in flight. A
// slow answer counts at once and in full, later ones weigh it down over `decay`; while nothing is
// heard of the host the figure sinks as well, so that a host that was slow is tried again.
class HostLoad {
 public:
  explicit HostLoad(absl::Duration decay) : decay_(decay) {}

  void Begin() { ++in_flight_; }
  void End() { --in_flight_; }

  // An answer took `latency`.
  void Answered(absl::Duration latency, absl::Time now);
  // A call failed after `took`. That it failed quickly does not make the host a quick one.
  void Failed(absl::Duration took, absl::Time now);

  // The larger, the less wanted. A host that has not answered yet is free for one call, and then
  // dearer than all that have.
  double Cost(absl::Time now) const;

  int64_t in_flight() const { return in_flight_; }
  absl::Duration latency(absl::Time now) const;

 private:
  absl::Duration decay_;
  int64_t in_flight_ = 0;
  bool answered_ = false;
  double seconds_ = 0;  // At `at_`.
  absl::Time at_ = absl::InfinitePast();
};

struct Candidate {
  std::string_view host;
  double cost = 0;  // HostLoad::Cost.
};

// The index of the one to call. Requires at least one. `key` matters for Balance::kByKey only:
// rendezvous hashing, the same on every host of every pod, so that a host that goes moves only its
// own keys, and they spread over all the others.
size_t Choose(Balance balance, std::span<const Candidate> candidates, std::string_view key,
              Random& random);

}  // namespace podkit::conduit::internal
