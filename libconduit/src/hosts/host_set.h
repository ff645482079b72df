// The hosts of one pod as they are known now, and which of them a call goes to.
//
//   auto lease = hosts.Pick(now, {.tried = tried});
//   if (!lease.ok()) return lease.status();
//   ... call lease->host() ...
//   lease->Ended(status, now);
//
// Thread-safe. Takes the time, never asks for it; the order of events and, on one thread, every
// choice follow from the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hosts/host_health.h"
#include "podkit/conduit/balance.h"
#include "podkit/conduit/hosts.h"

namespace podkit::conduit::internal {

struct HostSetOptions {
  Balance balance = Balance::kLeastLoaded;
  HealthOptions health = {};
  absl::Duration latency_decay = absl::Seconds(10);
  int64_t max_in_flight = 1024;  // Calls to one host at a time.
  uint64_t seed = 0;
  // The connection to a host that is new to the set. May be empty. Called without locks held.
  std::function<HostLink(const std::string& pod, const std::string& host)> link_to = {};
  // May be empty. Called from any thread, one event at a time and in their order, without locks
  // held; may use the set.
  std::function<void(const HostEvent&)> on_event = {};
};

struct PickOptions {
  std::string_view key = {};                // For Balance::kByKey.
  std::span<const std::string> tried = {};  // By this call; taken again only if no other is well.
  bool only_untried = false;                // Rather none than one that was tried or is not well.
};

// One call to one host: counted as in flight until it is gone. Movable, and may outlive its set and
// the host's place in it.
class HostLease {
 public:
  HostLease(HostLease&& other) noexcept;
  HostLease& operator=(HostLease&& other) noexcept;
  // A lease that was not told how its call ended says nothing about the host: the call was
  // cancelled.
  ~HostLease();

  const std::string& host() const;

  // The call ended with `status`, once. A status that the host made (ok, and any named error) is an
  // answer; a failure of the way is a failure of the host; a cancelled call says nothing.
  void Ended(const absl::Status& status, absl::Time now);

  // The host refused the call because it has enough to do: it is no failure, but the host is not
  // given calls before `retry_after` has passed, unless there is no other.
  void Refused(absl::Duration retry_after, absl::Time now);

 private:
  friend class HostSet;
  struct Parts;
  explicit HostLease(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

class HostSet {
 public:
  HostSet(std::string pod, HostSetOptions options);
  // No event begins after this. Leases may still be out.
  ~HostSet();
  HostSet(const HostSet&) = delete;
  HostSet& operator=(const HostSet&) = delete;

  // From now on the pod has exactly these hosts. Those that it keeps keep their history.
  void Update(const std::vector<std::string>& hosts, absl::Time now);

  // For a transport that keeps connections: a disconnected host is given calls only where no other
  // one is well, so that they bring the connection back. News that are older than what is known are
  // ignored, and so are hosts that are not in the set.
  void SetLink(std::string_view host, const HostLink& link);

  // A host for one call. NoConnectionsAvailable: there is none (or, with only_untried, none is
  // left). AllConnectionsBusy: all have max_in_flight calls.
  absl::StatusOr<HostLease> Pick(absl::Time now, const PickOptions& options = {});

  // This host, however it is: for a call that no other one can answer. The same errors as Pick.
  absl::StatusOr<HostLease> Take(std::string_view host, absl::Time now);

  // By host.
  std::vector<HostStatus> Status(absl::Time now) const;

 private:
  friend class HostLease;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace podkit::conduit::internal
