#include "podkit/conduit/in_process.h"

#include <map>
#include <utility>

#include "common/mutex.h"
#include "fmt/format.h"
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

  Mutex mutex;
  CondVar one_ended;
  std::map<std::string, std::shared_ptr<Endpoint>, std::less<>> endpoints ABSL_GUARDED_BY(mutex);
  std::map<std::string, Fault, std::less<>> faults ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const Tap> tap ABSL_GUARDED_BY(mutex);

  Fault FaultOf(std::string_view pod) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto fault = faults.find(pod);
    return fault == faults.end() ? Fault::kNone : fault->second;
  }
};

InProcessNetwork::InProcessNetwork() : state_(std::make_unique<State>()) {}
InProcessNetwork::~InProcessNetwork() = default;

void InProcessNetwork::Connect(std::string_view pod, Receiver receiver) {
  MutexLock lock(&state_->mutex);
  std::shared_ptr<Endpoint>& current = state_->endpoints[std::string(pod)];
  const std::shared_ptr<Endpoint> old = std::exchange(current, nullptr);
  if (receiver) current = std::make_shared<Endpoint>(Endpoint{std::move(receiver), 0});
  while (old != nullptr && old->in_progress > 0) state_->one_ended.Wait(&state_->mutex);
}

void InProcessNetwork::SetFault(std::string_view pod, Fault fault) {
  MutexLock lock(&state_->mutex);
  state_->faults[std::string(pod)] = fault;
}

void InProcessNetwork::SetTap(State::Tap tap) {
  auto shared = tap ? std::make_shared<const State::Tap>(std::move(tap)) : nullptr;
  MutexLock lock(&state_->mutex);
  state_->tap = std::move(shared);
}

absl::StatusOr<WireReply> InProcessNetwork::Send(const Pod& pod, const WireRequest& request,
                                                 absl::Time) {
  std::shared_ptr<Endpoint> endpoint;
  std::shared_ptr<const State::Tap> tap;
  Fault fault;
  {
    MutexLock lock(&state_->mutex);
    fault = state_->FaultOf(pod.id);
    const auto entry = state_->endpoints.find(pod.id);
    if (entry != state_->endpoints.end()) endpoint = entry->second;
    if (endpoint == nullptr || fault == Fault::kRefuse) {
      return TransportError(Outcome::kNotExecuted, fmt::format("pod '{}' is down", pod.id));
    }
    if (fault == Fault::kStall) {
      return TransportError(Outcome::kTimedOut, fmt::format("pod '{}' did not answer", pod.id));
    }
    tap = state_->tap;
    ++endpoint->in_progress;
  }
  WireReply reply = endpoint->receiver(request);
  if (tap != nullptr) (*tap)(pod.id, request, reply);
  {
    MutexLock lock(&state_->mutex);
    --endpoint->in_progress;
    fault = state_->FaultOf(pod.id);
  }
  state_->one_ended.SignalAll();
  if (fault == Fault::kLoseReply) {
    return TransportError(Outcome::kUnknown,
                          fmt::format("the answer of pod '{}' was lost", pod.id));
  }
  return reply;
}

}  // namespace podkit::conduit
