// How an OutgoingCall goes on when one of its attempts has ended.
#include <algorithm>
#include <utility>

#include "outcome.h"
#include "outgoing_call.h"
#include "returned_call.h"

namespace podkit::conduit::internal {
namespace {

// An answer is the end of a call, unless the host did nothing for it or nobody knows who made it.
std::optional<absl::Duration> RetryAfter(const absl::Status& status, int http_status) {
  if (const auto overloaded = GetError<Overloaded>(status)) return overloaded->retry_after;
  // It is met anew, and called if nothing was executed before.
  if (GetError<AnswersForgotten>(status)) return std::nullopt;
  // Of a proxy that does not reach the host; another host may be in reach.
  if (http_status >= 500 && OutcomeOf(status) == Outcome::kUnknown) return std::nullopt;
  return absl::InfiniteDuration();
}

}  // namespace

void OutgoingCall::Replied(int attempt, const std::optional<SignedExchange>& exchange,
                           absl::StatusOr<WireReply> reply) {
  if (!reply.ok()) {
    if (IsReturnedCall(reply.status()) || GoesAnotherWay(attempt, reply.status())) {
      return Returned(attempt, std::move(reply).status());
    }
    const auto overloaded = GetError<Overloaded>(reply.status());
    const auto retry_after = overloaded ? std::optional(overloaded->retry_after) : std::nullopt;
    return End(attempt, std::move(reply).status(), false, retry_after);
  }
  const int http_status = reply->status;
  absl::StatusOr<JsonDocument> result = request_.Read(*std::move(reply), exchange);
  const auto held = GetError<HeldElsewhere>(result.status());
  if (held.has_value()) return Redirected(attempt, result.status(), *held);
  const auto running = GetError<StillRunning>(result.status());
  if (running.has_value()) return Running(attempt, result.status(), running->retry_after);
  const auto retry_after = RetryAfter(result.status(), http_status);
  End(attempt, std::move(result), true, retry_after);
}

void OutgoingCall::End(int attempt, absl::StatusOr<JsonDocument> result, bool answered,
                       std::optional<absl::Duration> retry_after) {
  const absl::Time now = environment_.now();
  const Outcome outcome = OutcomeOf(result.status());
  const bool maybe_executed = IsFailure(outcome) && outcome != Outcome::kNotExecuted;
  if (maybe_executed) {
    request_.MayHaveBeenExecuted();
    if (!MayBeRepeated(attempt, now)) retry_after = absl::InfiniteDuration();
  }
  Settle(now, attempt, std::move(result), answered, retry_after);
  Step(now, [&](CallPlan& plan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return plan.Ended(attempt, outcome, retry_after, now, HasUntriedHost());
  });
  Release();
}

bool OutgoingCall::GoesAnotherWay(int attempt, const absl::Status& why) {
  if (OutcomeOf(why) != Outcome::kNotExecuted) return false;
  std::string host;
  bool was_signed = false;
  {
    MutexLock lock(&mutex_);
    const Attempt& one = attempts_[static_cast<size_t>(attempt)];
    host = tried_[one.host.value_or(0)];
    was_signed = one.is_signed;
  }
  const bool sign = !environment_.transport->TraitsTo(request_.pod(), host).authenticates;
  if (sign == was_signed) return false;
  MutexLock lock(&mutex_);
  route_ = std::move(host);
  return true;
}

void OutgoingCall::Returned(int attempt, absl::Status why) {
  const absl::Time now = environment_.now();
  {
    MutexLock lock(&mutex_);
    const Attempt& one = attempts_[static_cast<size_t>(attempt)];
    // Where the answer is that the call counts on.
    if (answers_ && one.host) route_ = tried_[*one.host];
  }
  // The host is not ill: it may be called again at once.
  Settle(now, attempt, std::move(why), false, absl::ZeroDuration());
  Step(now, [&](CallPlan& plan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return plan.Returned(attempt, now, HasUntriedHost());
  });
  Release();
}

void OutgoingCall::Running(int attempt, absl::Status why, absl::Duration retry_after) {
  const absl::Time now = environment_.now();
  const bool repeat = keyed_ && MayBeRepeated(attempt, now);
  request_.MayHaveBeenExecuted();
  {
    MutexLock lock(&mutex_);
    NoteFailure(std::string(why.message()));
  }
  Settle(now, attempt, std::move(why), true, std::nullopt);
  Step(now, [&](CallPlan& plan) {
    return repeat ? plan.StillRunning(attempt, retry_after, now)
                  : plan.Ended(attempt, Outcome::kUnknown, absl::InfiniteDuration(), now);
  });
  Release();
}

void OutgoingCall::Redirected(int attempt, absl::Status why, const HeldElsewhere& held) {
  const absl::Time now = environment_.now();
  const std::string& key = request_.options().balance_key;
  Settle(now, attempt, std::move(why), true, std::nullopt);
  if (!key.empty() && !held.host.empty()) called_.routes().Set(key, held.host);
  {
    MutexLock lock(&mutex_);
    route_ = held.host;
  }
  Step(now, [&](CallPlan& plan) { return plan.Redirected(attempt, now); });
  Release();
}

// Notes how an attempt ended: for the plan's end, for the host, and for later reads.
void OutgoingCall::Settle(absl::Time now, int attempt, absl::StatusOr<JsonDocument> result,
                          bool answered, std::optional<absl::Duration> retry_after) {
  const absl::Status status = result.status();
  std::optional<HostLease> lease;
  absl::Time began;
  bool sent = false;
  {
    MutexLock lock(&mutex_);
    Attempt& one = attempts_[static_cast<size_t>(attempt)];
    lease = std::exchange(one.lease, std::nullopt);
    began = one.began;
    sent = one.sent;
    one.answered = answered;
    one.result = std::move(result);
    if (!answered) NoteFailure(std::string(status.message()));
  }
  // A host that got nothing has nothing to do with it; what it did when it was met, it was noted
  // for.
  if (!lease.has_value() || !sent) return;
  const absl::Duration wait = retry_after.value_or(absl::InfiniteDuration());
  if (wait < absl::InfiniteDuration()) {
    lease->Refused(wait, now);
  } else {
    lease->Ended(status, now);
  }
  const std::string& key = request_.options().balance_key;
  if (!key.empty() && !answered) called_.routes().Forget(key, lease->host());
  const bool is_another = OutcomeOf(status) == Outcome::kNotImplemented ||
                          ErrorClass(status) == AnswersForgotten::kClass ||
                          (answered && request_.met_another());
  if (is_another && environment_.greeter != nullptr) {
    environment_.greeter->Forget({request_.pod().id, lease->host()});
  }
  if (answered && shape_.delay != nullptr) shape_.delay->Answered(now - began, now);
  if (OutcomeOf(status) == Outcome::kCancelled && !request_.id().empty() &&
      !environment_.transport->TraitsTo(request_.pod(), lease->host()).carries_stop) {
    environment_.cancel(request_.pod().id, lease->host(), request_.id());
  }
}

void OutgoingCall::NoteFailure(std::string why) {
  const bool is_new = std::find(failures_.begin(), failures_.end(), why) == failures_.end();
  if (is_new) failures_.push_back(std::move(why));
}

}  // namespace podkit::conduit::internal
