#include "podkit/conduit/in_process.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "common/mutex.h"
#include "common/worker_pool.h"
#include "fmt/format.h"
#include "pending_send.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit {
namespace {

// A receiver and how many requests it is answering.
struct Endpoint {
  InProcessNetwork::Receiver receiver;
  int in_progress = 0;
};

}  // namespace

struct InProcessNetwork::State {
  using Tap = std::function<void(std::string_view, const WireRequest&, const WireReply&)>;

  mutable Mutex mutex;
  CondVar one_ended;
  std::map<std::string, std::vector<std::string>, std::less<>> hosts ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::shared_ptr<Endpoint>, std::less<>> endpoints ABSL_GUARDED_BY(mutex);
  std::map<std::string, Fault, std::less<>> faults ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const Tap> tap ABSL_GUARDED_BY(mutex);
  std::unique_ptr<WorkerPool> pool;  // None: on the thread that sends.

  Fault FaultOf(std::string_view host) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto fault = faults.find(host);
    return fault == faults.end() ? Fault::kNone : fault->second;
  }

  absl::StatusOr<std::shared_ptr<Endpoint>> Enter(const std::string& host);
  Fault Leave(const std::string& host, Endpoint& endpoint);
  absl::StatusOr<WireReply> Answer(const Sending& sending);
};

// The host's endpoint, with one more request in progress.
absl::StatusOr<std::shared_ptr<Endpoint>> InProcessNetwork::State::Enter(const std::string& host) {
  MutexLock lock(&mutex);
  const Fault fault = FaultOf(host);
  const auto entry = endpoints.find(host);
  if (entry == endpoints.end() || entry->second == nullptr || fault == Fault::kRefuse) {
    return TransportError(Outcome::kNotExecuted, "it is down");
  }
  if (fault == Fault::kStall) return TransportError(Outcome::kTimedOut, "it did not answer");
  ++entry->second->in_progress;
  return entry->second;
}

InProcessNetwork::Fault InProcessNetwork::State::Leave(const std::string& host,
                                                       Endpoint& endpoint) {
  Fault fault = Fault::kNone;
  {
    MutexLock lock(&mutex);
    --endpoint.in_progress;
    fault = FaultOf(host);
  }
  one_ended.SignalAll();
  return fault;
}

absl::StatusOr<WireReply> InProcessNetwork::State::Answer(const Sending& sending) {
  const auto endpoint = Enter(sending.host);
  if (!endpoint.ok()) return endpoint.status();
  WireReply reply = (*endpoint)->receiver(sending.request);
  std::shared_ptr<const Tap> current;
  {
    MutexLock lock(&mutex);
    current = tap;
  }
  if (current != nullptr) (*current)(sending.host, sending.request, reply);
  if (Leave(sending.host, **endpoint) == Fault::kLoseReply) {
    return TransportError(Outcome::kUnknown, "its answer was lost");
  }
  return reply;
}

InProcessNetwork::InProcessNetwork(int threads) : state_(std::make_unique<State>()) {
  if (threads == 0) return;
  state_->pool = std::make_unique<WorkerPool>(threads, std::numeric_limits<size_t>::max());
}

InProcessNetwork::~InProcessNetwork() {
  if (state_->pool != nullptr) state_->pool->Stop();
}

void InProcessNetwork::ConnectHost(std::string_view pod, std::string_view host, Receiver receiver) {
  MutexLock lock(&state_->mutex);
  std::vector<std::string>& hosts = state_->hosts[std::string(pod)];
  if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.emplace_back(host);
  std::shared_ptr<Endpoint>& current = state_->endpoints[std::string(host)];
  const std::shared_ptr<Endpoint> old = std::exchange(current, nullptr);
  if (receiver) current = std::make_shared<Endpoint>(Endpoint{std::move(receiver), 0});
  while (old != nullptr && old->in_progress > 0) state_->one_ended.Wait(&state_->mutex);
}

void InProcessNetwork::SetFault(std::string_view host, Fault fault) {
  MutexLock lock(&state_->mutex);
  state_->faults[std::string(host)] = fault;
}

void InProcessNetwork::SetTap(State::Tap tap) {
  auto shared = tap ? std::make_shared<const State::Tap>(std::move(tap)) : nullptr;
  MutexLock lock(&state_->mutex);
  state_->tap = std::move(shared);
}

std::vector<std::string> InProcessNetwork::HostsOf(const Pod& pod) const {
  MutexLock lock(&state_->mutex);
  const auto hosts = state_->hosts.find(pod.id);
  return hosts == state_->hosts.end() ? std::vector<std::string>{pod.id} : hosts->second;
}

void InProcessNetwork::Send(Sending sending) {
  const auto pending = internal::PendingSend::Create(std::move(sending));
  const auto answer = [pending, state = state_.get()] {
    if (pending->ended()) return;
    pending->Finish(state->Answer(pending->sending()));
  };
  if (state_->pool == nullptr) {
    answer();
  } else if (!state_->pool->Submit(answer)) {
    pending->Finish(TransportError(Outcome::kNotExecuted, "the network has ended"));
  }
}

}  // namespace podkit::conduit
