#include "hosts/host_set.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/mutex.h"
#include "fmt/format.h"
#include "hosts/balancer.h"
#include "hosts/random.h"
#include "outcome.h"
#include "podkit/conduit/client_errors.h"

namespace podkit::conduit::internal {
namespace {

struct KnownHost {
  KnownHost(std::string host, const HostSetOptions& options, absl::Time now)
      : name(std::move(host)), health(options.health), load(options.latency_decay), changed(now) {}

  const std::string name;
  HostHealth health;
  HostLoad load;
  HostLink link;
  absl::Time changed;  // When the state did last.
  absl::Time busy_until = absl::InfinitePast();
  int64_t calls = 0;
  int64_t failures = 0;
};

// A named error is an answer, also one that says that nothing was executed.
bool HostFailed(const absl::Status& status) {
  return !status.ok() && ErrorClass(status).empty() && IsFailure(OutcomeOf(status));
}

bool Disconnected(const KnownHost& host) {
  return host.link.connection == HostConnection::kDisconnected;
}

// For people.
absl::Duration DowntimeSince(absl::Time began, absl::Time now) {
  return std::max(now - began, absl::ZeroDuration());
}

template <NamedError E>
absl::Status NoHost(E error, std::string_view why) {
  const std::string details = fmt::format("pod '{}': {}", error.pod, why);
  return WithOutcome(MakeError(error, details), Outcome::kNotExecuted);
}

}  // namespace

struct HostSet::State {
  State(std::string pod_id, HostSetOptions all)
      : pod(std::move(pod_id)), options(std::move(all)), random(options.seed) {}

  const std::string pod;
  const HostSetOptions options;
  mutable Mutex mutex;
  Random random ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::shared_ptr<KnownHost>, std::less<>> hosts ABSL_GUARDED_BY(mutex);
  std::deque<HostEvent> events ABSL_GUARDED_BY(mutex);
  bool telling ABSL_GUARDED_BY(mutex) = false;  // A thread is in on_event.
  bool closed ABSL_GUARDED_BY(mutex) = false;

  void Note(HostEvent::Kind kind, const KnownHost& host, absl::Time now, std::string reason = {},
            absl::Duration downtime = absl::ZeroDuration()) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (!options.on_event) return;
    events.push_back({kind, pod, host.name, now, std::move(reason), downtime});
  }

  // Passes on what was noted; if another thread is at it, it takes ours too.
  void Tell() {
    if (!options.on_event) return;
    for (;;) {
      const std::optional<HostEvent> event = NextEvent();
      if (!event.has_value()) return;
      options.on_event(*event);
      MutexLock lock(&mutex);
      telling = false;
    }
  }

  std::optional<HostEvent> NextEvent() {
    MutexLock lock(&mutex);
    if (telling || closed || events.empty()) return std::nullopt;
    telling = true;
    HostEvent event = std::move(events.front());
    events.pop_front();
    return event;
  }

  // More than half put aside: then it is rather our way to them that is bad, or those that are left
  // cannot carry the load.
  bool Panics(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    size_t reachable = 0;
    size_t out = 0;
    for (const auto& [name, host] : hosts) {
      if (Disconnected(*host)) continue;
      ++reachable;
      if (!host->health.usable(now)) ++out;
    }
    return out * 2 > reachable;
  }

  std::shared_ptr<KnownHost> Choose(absl::Time now, const PickOptions& pick, bool* busy)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<HostLease> Lease(const std::shared_ptr<State>& self,
                                  const std::shared_ptr<KnownHost>& host, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
};

struct HostLease::Parts {
  std::shared_ptr<HostSet::State> set;
  std::shared_ptr<KnownHost> host;  // Guarded by the set's mutex, except its name.
  HostHealth::Ticket ticket;
  absl::Time began;
  bool ended = false;

  void Succeed(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(set->mutex) {
    ++host->calls;
    const absl::Time since = host->health.since();
    if (host->health.Succeeded(ticket, now) != HostHealth::Change::kBack) return;
    host->changed = now;
    set->Note(HostEvent::Kind::kBack, *host, now, {}, DowntimeSince(since, now));
  }

  void Fail(std::string_view message, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(set->mutex) {
    ++host->calls;
    const HostState before = host->health.state();
    if (host->health.Failed(ticket, now, set->random) != HostHealth::Change::kEjected) return;
    if (before == HostState::kUp) host->changed = now;
    set->Note(HostEvent::Kind::kEjected, *host, now,
              fmt::format("{}: {}", host->health.reason(), message));
  }
};

namespace {

constexpr int kLastWellRank = 1;
constexpr int kWorstRank = 4;

// The lower, the better; a call goes to one of the lowest rank that there is.
int RankOf(const KnownHost& host, const PickOptions& pick, bool panic, absl::Time now) {
  const bool tried = std::find(pick.tried.begin(), pick.tried.end(), host.name) != pick.tried.end();
  if (!panic && !host.health.usable(now)) return kWorstRank;
  if (tried) return 3;
  if (Disconnected(host)) return 2;
  return host.busy_until > now ? kLastWellRank : 0;
}

}  // namespace

std::shared_ptr<KnownHost> HostSet::State::Choose(absl::Time now, const PickOptions& pick,
                                                  bool* busy) {
  const bool panic = Panics(now);
  int best = pick.only_untried ? kLastWellRank : kWorstRank;
  absl::InlinedVector<std::shared_ptr<KnownHost>, 4> found;
  for (const auto& [name, host] : hosts) {
    if (host->load.in_flight() >= options.max_in_flight) {
      *busy = true;
      continue;
    }
    const int rank = RankOf(*host, pick, panic, now);
    if (rank > best) continue;
    if (rank < best) found.clear();
    best = rank;
    found.push_back(host);
  }
  if (found.empty()) return nullptr;
  absl::InlinedVector<Candidate, 4> candidates;
  candidates.reserve(found.size());
  for (const auto& host : found) candidates.push_back({host->name, host->load.Cost(now)});
  return found[internal::Choose(options.balance, candidates, pick.key, random)];
}

absl::StatusOr<HostLease> HostSet::State::Lease(const std::shared_ptr<State>& self,
                                                const std::shared_ptr<KnownHost>& host,
                                                absl::Time now) {
  const HostHealth::Ticket ticket = host->health.Begin(now);
  host->load.Begin();
  if (ticket.probe) Note(HostEvent::Kind::kProbed, *host, now);
  return HostLease(
      std::make_unique<HostLease::Parts>(HostLease::Parts{self, host, ticket, now, false}));
}

HostSet::HostSet(std::string pod, HostSetOptions options)
    : state_(std::make_shared<State>(std::move(pod), std::move(options))) {}

HostSet::~HostSet() {
  MutexLock lock(&state_->mutex);
  state_->closed = true;
}

void HostSet::Update(const std::vector<std::string>& hosts, absl::Time now) {
  std::vector<std::string> added;
  {
    MutexLock lock(&state_->mutex);
    auto& known = state_->hosts;
    for (auto it = known.begin(); it != known.end();) {
      const bool stays = std::find(hosts.begin(), hosts.end(), it->first) != hosts.end();
      if (!stays) state_->Note(HostEvent::Kind::kRemoved, *it->second, now);
      it = stays ? std::next(it) : known.erase(it);
    }
    for (const std::string& name : hosts) {
      if (known.contains(name)) continue;
      const auto host = std::make_shared<KnownHost>(name, state_->options, now);
      known.emplace(name, host);
      added.push_back(name);
      state_->Note(HostEvent::Kind::kAdded, *host, now);
    }
  }
  state_->Tell();
  if (!state_->options.link_to) return;
  // Only now: what is told of the host from here on finds it.
  for (const std::string& host : added) SetLink(host, state_->options.link_to(state_->pod, host));
}

void HostSet::SetLink(std::string_view host, const HostLink& link) {
  {
    MutexLock lock(&state_->mutex);
    const auto found = state_->hosts.find(host);
    if (found == state_->hosts.end()) return;
    KnownHost& known = *found->second;
    if (link.since < known.link.since || link.connection == known.link.connection) return;
    const HostLink before = std::exchange(known.link, link);
    const bool connected = link.connection == HostConnection::kConnected;
    const bool was_down = before.connection == HostConnection::kDisconnected;
    state_->Note(
        connected ? HostEvent::Kind::kConnected : HostEvent::Kind::kDisconnected, known, link.since,
        link.reason,
        connected && was_down ? DowntimeSince(before.since, link.since) : absl::ZeroDuration());
  }
  state_->Tell();
}

absl::StatusOr<HostLease> HostSet::Pick(absl::Time now, const PickOptions& options) {
  absl::StatusOr<HostLease> lease = absl::UnknownError("");
  {
    MutexLock lock(&state_->mutex);
    bool busy = false;
    const auto host = state_->Choose(now, options, &busy);
    if (host == nullptr) {
      if (busy) {
        return NoHost(AllConnectionsBusy{state_->pod},
                      "each of its hosts has as many calls in flight as it may have");
      }
      return NoHost(NoConnectionsAvailable{state_->pod},
                    state_->hosts.empty() ? "no host of it is known" : "no connections available");
    }
    lease = state_->Lease(state_, host, now);
  }
  state_->Tell();
  return lease;
}

absl::StatusOr<HostLease> HostSet::Take(std::string_view host, absl::Time now) {
  absl::StatusOr<HostLease> lease = absl::UnknownError("");
  {
    MutexLock lock(&state_->mutex);
    const auto found = state_->hosts.find(host);
    if (found == state_->hosts.end()) {
      return NoHost(NoConnectionsAvailable{state_->pod},
                    fmt::format("no connection to its host {} is available", host));
    }
    if (found->second->load.in_flight() >= state_->options.max_in_flight) {
      return NoHost(AllConnectionsBusy{state_->pod},
                    fmt::format("its host {} has as many calls in flight as it may have", host));
    }
    lease = state_->Lease(state_, found->second, now);
  }
  state_->Tell();
  return lease;
}

std::vector<HostStatus> HostSet::Status(absl::Time now) const {
  MutexLock lock(&state_->mutex);
  std::vector<HostStatus> all;
  for (const auto& [name, host] : state_->hosts) {
    all.push_back({.host = name,
                   .state = host->health.state(),
                   .since = host->changed,
                   .link = host->link,
                   .in_flight = host->load.in_flight(),
                   .calls = host->calls,
                   .failures = host->failures,
                   .latency = host->load.latency(now)});
  }
  return all;
}

HostLease::HostLease(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

HostLease::HostLease(HostLease&& other) noexcept = default;

HostLease& HostLease::operator=(HostLease&& other) noexcept {
  HostLease old(std::move(*this));
  parts_ = std::move(other.parts_);
  return *this;
}

HostLease::~HostLease() {
  if (parts_ == nullptr) return;
  MutexLock lock(&parts_->set->mutex);
  parts_->host->load.End();
  if (!parts_->ended) parts_->host->health.Dropped(parts_->ticket);
}

const std::string& HostLease::host() const { return parts_->host->name; }

void HostLease::Ended(const absl::Status& status, absl::Time now) {
  if (OutcomeOf(status) == Outcome::kCancelled) return;
  const bool failed = HostFailed(status);
  {
    MutexLock lock(&parts_->set->mutex);
    if (std::exchange(parts_->ended, true)) return;
    KnownHost& host = *parts_->host;
    const absl::Duration took = now - parts_->began;
    if (failed) {
      ++host.failures;
      host.load.Failed(took, now);
      parts_->Fail(std::string(status.message()), now);
    } else {
      host.load.Answered(took, now);
      parts_->Succeed(now);
    }
  }
  parts_->set->Tell();
}

void HostLease::Refused(absl::Duration retry_after, absl::Time now) {
  {
    MutexLock lock(&parts_->set->mutex);
    if (std::exchange(parts_->ended, true)) return;
    parts_->host->busy_until = now + retry_after;
    parts_->Succeed(now);
  }
  parts_->set->Tell();
}

}  // namespace podkit::conduit::internal
