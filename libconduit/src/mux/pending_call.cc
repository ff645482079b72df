#include "mux/pending_call.h"

#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "outcome.h"

namespace podkit::conduit::internal {

std::shared_ptr<PendingCall> PendingCall::Begin(LinkCall call,
                                                std::shared_ptr<Scheduler> scheduler) {
  // Not make_shared: the constructor is private.
  std::shared_ptr<PendingCall> pending(new PendingCall(std::move(call), std::move(scheduler)));
  pending->Watch();
  return pending;
}

void PendingCall::Watch() {
  if (call_.deadline != absl::InfiniteFuture()) {
    const uint64_t timer = scheduler_->At(call_.deadline, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->GiveUp(Outcome::kTimedOut);
    });
    MutexLock lock(&mutex_);
    timer_ = timer;
  }
  if (!call_.stop.stop_possible()) return;
  on_stop_.emplace(call_.stop, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->GiveUp(Outcome::kCancelled);
  });
}

void PendingCall::SendOn(const std::shared_ptr<MuxLink>& link) {
  {
    MutexLock lock(&mutex_);
    if (ended_) return;
    sent_ = true;
  }
  const uint64_t id = link->Start(std::move(call_.request),
                                  [self = shared_from_this()](absl::StatusOr<WireReply> reply) {
                                    self->Finish(std::move(reply));
                                  });
  if (id == 0) return;
  {
    MutexLock lock(&mutex_);
    if (!ended_) {
      link_ = link;
      id_ = id;
      return;
    }
  }
  link->Cancel(id);  // If it ended by its answer this does nothing.
}

void PendingCall::Finish(absl::StatusOr<WireReply> result) {
  uint64_t timer = 0;
  std::shared_ptr<MuxLink> link;
  {
    MutexLock lock(&mutex_);
    if (std::exchange(ended_, true)) return;
    timer = timer_;
    link.swap(link_);
  }
  if (timer != 0) scheduler_->Cancel(timer);
  const auto done = std::move(call_.done);
  done(std::move(result));
}

void PendingCall::GiveUp(Outcome outcome) {
  std::shared_ptr<MuxLink> link;
  uint64_t id = 0;
  bool sent = false;
  {
    MutexLock lock(&mutex_);
    if (ended_) return;
    link = link_;
    id = id_;
    sent = sent_;
  }
  const bool late = outcome == Outcome::kTimedOut;
  const std::string text =
      fmt::format("{}: {}", call_.host, late ? "no answer within the deadline" : "cancelled");
  if (!sent && late) {
    Finish(WithOutcome(absl::DeadlineExceededError(text), Outcome::kNotExecuted));
  } else {
    Finish(TransportError(outcome, text));
  }
  if (link != nullptr) link->Cancel(id);
}

}  // namespace podkit::conduit::internal
