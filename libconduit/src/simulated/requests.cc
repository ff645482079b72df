// Requests that travel over a SimulatedNetwork, as HTTP's do.
#include <string>
#include <utility>

#include "fmt/format.h"
#include "outcome.h"
#include "pending_send.h"
#include "simulated/network.h"

namespace podkit::conduit::internal {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(3);
// A connection that breaks is noticed within that.
constexpr absl::Duration kNoticed = absl::Milliseconds(500);

// One request, from its connection to its end.
class SimulatedRequest : public std::enable_shared_from_this<SimulatedRequest> {
 public:
  SimulatedRequest(std::shared_ptr<SimulatedState> network, std::string from, Sending sending)
      : network_(std::move(network)),
        from_(std::move(from)),
        pending_(PendingSend::Create(std::move(sending))),
        to_(pending_->sending().host) {
    ++network_->requests;
  }
  ~SimulatedRequest() { --network_->requests; }
  SimulatedRequest(const SimulatedRequest&) = delete;
  SimulatedRequest& operator=(const SimulatedRequest&) = delete;

  void Begin();

 private:
  void Connect();
  void Leave();
  // At the host; `again`: it is a copy, and nobody waits for its reply.
  void Arrive(bool again);
  void Return(WireReply reply);
  void GiveUp();
  // It did not arrive, or its reply did not.
  void Lost();
  void Broken();
  void End(absl::StatusOr<WireReply> result);
  void NotExecuted(absl::StatusCode code, std::string_view why);
  void Then(absl::Duration wait, void (SimulatedRequest::*next)()) {
    network_->After(wait, [self = shared_from_this(), next] { (self.get()->*next)(); });
  }
  bool IsLost(std::string_view from, std::string_view to) {
    const auto& way = network_->WayOf(from, to);
    return way.blocked || network_->Happens(way.loss);
  }

  const std::shared_ptr<SimulatedState> network_;
  const std::string from_;
  const std::shared_ptr<PendingSend> pending_;
  const std::string to_;
  bool left_ = false;
  uint64_t timer_ = 0;
};

void SimulatedRequest::Begin() {
  if (pending_->ended()) return;
  const absl::Time deadline = pending_->sending().deadline;
  if (deadline <= network_->Now()) {
    return NotExecuted(absl::StatusCode::kDeadlineExceeded, "no time was left");
  }
  if (network_->HostAt(from_) == nullptr) {
    return NotExecuted(absl::StatusCode::kUnavailable, "this host has lost the network");
  }
  if (deadline != absl::InfiniteFuture()) {
    // It holds what waits for nothing else.
    timer_ = network_->After(deadline - network_->Now(),
                             [self = shared_from_this()] { self->GiveUp(); });
  }
  Then(network_->RoundTrip(from_, to_), &SimulatedRequest::Connect);
}

void SimulatedRequest::Connect() {
  if (pending_->ended()) return;
  if (network_->Apart(from_, to_) || network_->Happens(network_->WayOf(from_, to_).loss)) {
    network_->After(kConnectTimeout, [self = shared_from_this()] {
      self->NotExecuted(absl::StatusCode::kUnavailable, "it took too long to connect");
    });
    return;
  }
  const auto host = network_->HostAt(to_);
  if (host == nullptr || !host->receive) {
    return NotExecuted(absl::StatusCode::kUnavailable, "the connection was refused");
  }
  Leave();
}

void SimulatedRequest::Leave() {
  left_ = true;
  network_->Tell("request", from_, to_, pending_->sending().request.body.size());
  if (IsLost(from_, to_)) return Lost();
  const absl::Duration travel = network_->Travel(from_, to_);
  network_->After(travel, [self = shared_from_this()] { self->Arrive(false); });
  const auto& way = network_->WayOf(from_, to_);
  if (!network_->Happens(way.again)) return;
  network_->After(travel + network_->UpTo(way.again_within),
                  [self = shared_from_this()] { self->Arrive(true); });
}

void SimulatedRequest::Arrive(bool again) {
  const auto host = network_->HostAt(to_);
  if (network_->Blocked(from_, to_)) return again ? void() : Lost();
  if (host == nullptr || !host->receive) return again ? void() : Broken();
  network_->Tell(again ? "again" : "arrived", from_, to_);
  WireRequest request = pending_->sending().request;
  if (network_->Happens(network_->WayOf(from_, to_).damage)) {
    network_->Tell("damaged", from_, to_);
    network_->Damage(&request.body);
  }
  WireReply reply = host->receive(request);
  if (again) return;
  // It may have been stopped while it answered.
  if (network_->HostAt(to_) != host) return Broken();
  if (IsLost(to_, from_)) return Lost();
  if (network_->Happens(network_->WayOf(to_, from_).damage)) network_->Damage(&reply.body);
  network_->After(network_->Travel(to_, from_),
                  [self = shared_from_this(), reply = std::move(reply)]() mutable {
                    self->Return(std::move(reply));
                  });
}

void SimulatedRequest::Return(WireReply reply) {
  if (network_->Blocked(to_, from_)) return Lost();
  if (network_->HostAt(from_) == nullptr) return Broken();
  network_->Tell("reply", to_, from_, reply.body.size());
  End(std::move(reply));
}

void SimulatedRequest::GiveUp() {
  const std::string_view why = "no answer within the deadline";
  if (!left_) return NotExecuted(absl::StatusCode::kDeadlineExceeded, why);
  End(TransportError(Outcome::kTimedOut, fmt::format("{}: {}", to_, why)));
}

void SimulatedRequest::Lost() {
  network_->Tell("lost", from_, to_);
  if (!network_->Happens(0.5)) return;  // It waits until its deadline.
  Then(network_->UpTo(kNoticed), &SimulatedRequest::Broken);
}

void SimulatedRequest::Broken() {
  End(TransportError(Outcome::kUnknown, fmt::format("{}: the connection broke", to_)));
}

void SimulatedRequest::NotExecuted(absl::StatusCode code, std::string_view why) {
  End(WithOutcome(absl::Status(code, fmt::format("{}: {}", to_, why)), Outcome::kNotExecuted));
}

void SimulatedRequest::End(absl::StatusOr<WireReply> result) {
  if (timer_ != 0) network_->Forget(std::exchange(timer_, 0));
  pending_->Finish(std::move(result));
}

class SimulatedRequests final : public Transport {
 public:
  SimulatedRequests(std::shared_ptr<SimulatedState> network, std::string from)
      : network_(std::move(network)), from_(std::move(from)) {}

  void Send(Sending sending) override {
    std::make_shared<SimulatedRequest>(network_, from_, std::move(sending))->Begin();
  }

 private:
  const std::shared_ptr<SimulatedState> network_;
  const std::string from_;
};

}  // namespace

std::unique_ptr<Transport> MakeSimulatedRequests(std::shared_ptr<SimulatedState> network,
                                                 std::string from) {
  return std::make_unique<SimulatedRequests>(std::move(network), std::move(from));
}

}  // namespace podkit::conduit::internal
