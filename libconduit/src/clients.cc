#include "podkit/conduit/clients.h"

#include <future>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "hmac.h"
#include "hosts/random.h"
#include "outcome.h"

namespace podkit::conduit {
namespace {

absl::Status NoConnections(std::string_view pod, std::string_view why) {
  return WithOutcome(MakeError(NoConnectionsAvailable{.pod = std::string(pod)}, why),
                     Outcome::kNotExecuted);
}

std::function<size_t(size_t)> AtRandom() {
  struct Shared {
    Mutex mutex;
    internal::Random random ABSL_GUARDED_BY(mutex){internal::RandomSeed()};
  };
  return [shared = std::make_shared<Shared>()](size_t limit) {
    MutexLock lock(&shared->mutex);
    return shared->random.Below(limit);
  };
}

}  // namespace

struct Clients::State : std::enable_shared_from_this<Clients::State> {
  using StopWatch = std::stop_callback<std::function<void()>>;

  struct Waiter {
    std::string pod;
    absl::Time since;
    Done done;
    uint64_t timer = 0;                            // 0: it has none yet.
    std::unique_ptr<StopWatch> on_stop = nullptr;  // Goes without the mutex held.
  };

  Conduit* conduit;
  std::shared_ptr<Scheduler> scheduler;
  std::function<size_t(size_t)> choose;
  std::shared_ptr<void> pods_watch;
  std::shared_ptr<void> connections_watch;
  mutable Mutex mutex;
  uint64_t last_waiter ABSL_GUARDED_BY(mutex) = 0;
  std::map<uint64_t, Waiter> waiters ABSL_GUARDED_BY(mutex);

  const Pods& pods() const { return conduit->pods(); }
  Client ClientOf(std::string_view pod) const { return Client(conduit, std::string(pod)); }

  std::vector<std::string> HostsOf(std::string_view pod) const;
  bool CanCall(std::string_view pod) const { return !HostsOf(pod).empty(); }
  std::string WhyNot(std::string_view pod) const;
  absl::StatusOr<Client> Any(const std::vector<std::string>& among, std::string_view none) const;
  std::vector<std::string> Others() const;

  void Watch();
  void Await(std::string_view pod, absl::Duration limit, Done done, std::stop_token stop);
  void AddTimer(uint64_t id, absl::Time when);
  void AddStop(uint64_t id, std::stop_token stop);
  void Look();
  void Tell(uint64_t id, std::string_view pod);
  void TimedOut(uint64_t id);
  void Stopped(uint64_t id);
  std::optional<Waiter> Take(uint64_t id);
};

// Those that a call would reach now.
std::vector<std::string> Clients::State::HostsOf(std::string_view pod) const {
  const auto known = pods().Find(pod);
  if (known == nullptr || pod == pods().own_id()) return {};
  return conduit->transport().ConnectedHostsOf(*known);
}

std::string Clients::State::WhyNot(std::string_view pod) const {
  if (pod == pods().own_id()) return "it is the own pod";
  const auto known = pods().Find(pod);
  if (known == nullptr) return "it is not in the pods file";
  if (conduit->transport().HostsOf(*known).empty()) return "no host of it is known";
  return "none of its hosts is connected";
}

std::vector<std::string> Clients::State::Others() const {
  std::vector<std::string> ids;
  for (const auto& pod : pods().All()) {
    if (pod->id != pods().own_id()) ids.push_back(pod->id);
  }
  return ids;
}

absl::StatusOr<Client> Clients::State::Any(const std::vector<std::string>& among,
                                           std::string_view none) const {
  std::vector<std::string> callable;
  for (const std::string& pod : among) {
    if (CanCall(pod)) callable.push_back(pod);
  }
  if (callable.empty()) return NoConnections("", none);
  return ClientOf(callable[choose(callable.size()) % callable.size()]);
}

void Clients::State::Watch() {
  const auto look = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Look();
  };
  pods_watch = pods().Watch([look](const std::vector<PodsEvent>&) { look(); });
  connections_watch = conduit->transport().WatchConnections([look](const HostEvent&) { look(); });
}

void Clients::State::Await(std::string_view pod, absl::Duration limit, Done done,
                           std::stop_token stop) {
  if (pod == pods().own_id()) {
    return done(absl::InvalidArgumentError(
        fmt::format("pod '{}' is the own one, which needs no client", pod)));
  }
  if (CanCall(pod)) return done(ClientOf(pod));
  if (limit <= absl::ZeroDuration()) {
    return done(NoConnections(pod, fmt::format("pod '{}' cannot be called: {}", pod, WhyNot(pod))));
  }
  const absl::Time now = scheduler->Now();
  uint64_t id = 0;
  {
    MutexLock lock(&mutex);
    id = ++last_waiter;
    waiters.emplace(id, Waiter{.pod = std::string(pod), .since = now, .done = std::move(done)});
  }
  AddTimer(id, now + limit);
  if (stop.stop_possible()) AddStop(id, std::move(stop));
  if (const auto known = pods().Find(pod)) conduit->transport().ConnectTo(*known);
  Look();  // What changed before the waiter was there told nobody.
}

void Clients::State::AddTimer(uint64_t id, absl::Time when) {
  const uint64_t timer = scheduler->At(when, [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->TimedOut(id);
  });
  {
    MutexLock lock(&mutex);
    const auto waiter = waiters.find(id);
    if (waiter != waiters.end()) {
      waiter->second.timer = timer;
      return;
    }
  }
  scheduler->Cancel(timer);
}

void Clients::State::AddStop(uint64_t id, std::stop_token stop) {
  // It may be called here and now.
  auto watch = std::make_unique<StopWatch>(std::move(stop), [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->Stopped(id);
  });
  MutexLock lock(&mutex);
  const auto waiter = waiters.find(id);
  if (waiter != waiters.end()) waiter->second.on_stop.swap(watch);
}

// Tells those who wait for a pod that can be called now. Somebody else may do so at the same time.
void Clients::State::Look() {
  std::vector<std::pair<uint64_t, std::string>> waiting;
  {
    MutexLock lock(&mutex);
    for (const auto& [id, waiter] : waiters) waiting.emplace_back(id, waiter.pod);
  }
  for (const auto& [id, pod] : waiting) {
    if (CanCall(pod)) Tell(id, pod);
  }
}

void Clients::State::Tell(uint64_t id, std::string_view pod) {
  auto waiter = Take(id);
  if (!waiter) return;
  if (waiter->timer != 0) scheduler->Cancel(waiter->timer);
  waiter->done(ClientOf(pod));
}

void Clients::State::TimedOut(uint64_t id) {
  auto waiter = Take(id);
  if (!waiter) return;
  if (CanCall(waiter->pod)) return waiter->done(ClientOf(waiter->pod));
  waiter->done(NoConnections(
      waiter->pod,
      fmt::format("pod '{}' cannot be called: {}; waited for {}", waiter->pod, WhyNot(waiter->pod),
                  absl::FormatDuration(scheduler->Now() - waiter->since))));
}

void Clients::State::Stopped(uint64_t id) {
  auto waiter = Take(id);
  if (!waiter) return;
  if (waiter->timer != 0) scheduler->Cancel(waiter->timer);
  waiter->done(TransportError(Outcome::kCancelled,
                              fmt::format("pod '{}' is not waited for any more", waiter->pod)));
}

std::optional<Clients::State::Waiter> Clients::State::Take(uint64_t id) {
  MutexLock lock(&mutex);
  auto node = waiters.extract(id);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

Clients::Clients(Conduit* conduit, ClientsOptions options) : state_(std::make_shared<State>()) {
  state_->conduit = conduit;
  state_->scheduler = options.scheduler ? std::move(options.scheduler) : MakeSystemScheduler();
  state_->choose = options.choose ? std::move(options.choose) : AtRandom();
  state_->Watch();
}

Clients::~Clients() {
  state_->pods_watch.reset();
  state_->connections_watch.reset();
  std::map<uint64_t, State::Waiter> waiters;
  {
    MutexLock lock(&state_->mutex);
    waiters.swap(state_->waiters);
  }
  for (const auto& [id, waiter] : waiters) {
    if (waiter.timer != 0) state_->scheduler->Cancel(waiter.timer);
    waiter.done(
        NoConnections(waiter.pod, fmt::format("pod '{}' is not waited for any more", waiter.pod)));
  }
}

absl::StatusOr<Client> Clients::ClientFor(std::string_view pod, absl::Duration limit,
                                          std::stop_token stop) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<Client>>>();
  auto result = promise->get_future();
  AwaitClient(
      pod, limit,
      [promise](absl::StatusOr<Client> client) { promise->set_value(std::move(client)); },
      std::move(stop));
  return result.get();
}

void Clients::AwaitClient(std::string_view pod, absl::Duration limit, Done done,
                          std::stop_token stop) {
  state_->Await(pod, limit, std::move(done), std::move(stop));
}

std::vector<Client> Clients::AllClients() const {
  std::vector<Client> clients;
  for (const std::string& pod : state_->Others()) {
    if (state_->CanCall(pod)) clients.push_back(state_->ClientOf(pod));
  }
  return clients;
}

absl::StatusOr<Client> Clients::AnyClient() const {
  return state_->Any(state_->Others(), "no pod can be called");
}

absl::StatusOr<Client> Clients::AnyClient(const std::vector<std::string>& pods) const {
  return state_->Any(pods,
                     fmt::format("none of the pods '{}' can be called", fmt::join(pods, "', '")));
}

absl::StatusOr<std::vector<Client>> Clients::ClientsOf(const std::vector<std::string>& pods) const {
  std::vector<Client> clients;
  std::vector<std::string> missing;
  std::string first;
  for (const std::string& pod : pods) {
    if (state_->CanCall(pod)) {
      clients.push_back(state_->ClientOf(pod));
      continue;
    }
    if (missing.empty()) first = pod;
    missing.push_back(fmt::format("pod '{}' cannot be called: {}", pod, state_->WhyNot(pod)));
  }
  if (!missing.empty()) return NoConnections(first, fmt::format("{}", fmt::join(missing, "; ")));
  return clients;
}

std::vector<Client> Clients::HostClients(std::string_view pod) const {
  std::vector<Client> clients;
  for (std::string& host : state_->HostsOf(pod)) {
    clients.emplace_back(state_->conduit, std::string(pod), std::move(host));
  }
  return clients;
}

size_t Clients::waiting() const {
  MutexLock lock(&state_->mutex);
  return state_->waiters.size();
}

}  // namespace podkit::conduit
