#include "hosts/call_plan.h"

#include <algorithm>

#include "outcome.h"

namespace podkit::conduit::internal {

CallPlan::CallPlan(const CallPlanOptions& options, RetryBudget* repeats, RetryBudget* hedges,
                   uint64_t seed)
    : options_(options),
      repeats_(repeats),
      hedges_(hedges),
      random_(seed),
      backoff_(options.backoff) {}

CallPlan::Actions CallPlan::Start(absl::Time now) {
  Actions actions;
  if (finished_) return actions;
  if (now >= options_.deadline) {
    Finish(CallAction::End::kDeadline, -1, actions);
    return actions;
  }
  repeats_->Call(now);
  hedges_->Call(now);
  StartAttempt(false, actions);
  if (options_.hedge_after && options_.effect == Effect::kRead) {
    hedge_at_ = now + *options_.hedge_after;
  }
  SetTimer(actions);
  return actions;
}

CallPlan::Actions CallPlan::Ended(int attempt, Outcome outcome,
                                  std::optional<absl::Duration> retry_after, absl::Time now,
                                  bool elsewhere) {
  Actions actions;
  if (finished_ || !TakeBack(attempt)) return actions;
  if (!IsFailure(outcome)) {
    Finish(CallAction::End::kAttempt, attempt, actions);
    return actions;
  }
  if (outcome != Outcome::kNotExecuted) maybe_executed_ = true;
  // Another attempt may still be answered.
  if (out_.empty()) {
    if (elsewhere && outcome == Outcome::kNotExecuted && !retry_after && now < options_.deadline) {
      --counted_;
      StartAttempt(false, actions);
    } else {
      // Another host does not mind what this one asked for, unless that is: never.
      const absl::Duration asked = retry_after.value_or(absl::ZeroDuration());
      const bool never = asked == absl::InfiniteDuration();
      PlanRepeat(attempt, outcome, elsewhere && !never ? absl::ZeroDuration() : asked, now,
                 actions);
    }
  }
  if (!finished_) SetTimer(actions);
  return actions;
}

CallPlan::Actions CallPlan::Redirected(int attempt, absl::Time now) {
  if (MayBeginAgain(now)) return BeginAgain(attempt);
  return Ended(attempt, Outcome::kNotExecuted, absl::InfiniteDuration(), now);
}

CallPlan::Actions CallPlan::Returned(int attempt, absl::Time now, bool elsewhere) {
  if (MayBeginAgain(now)) return BeginAgain(attempt);
  return Ended(attempt, Outcome::kNotExecuted, std::nullopt, now, elsewhere);
}

CallPlan::Actions CallPlan::BeginAgain(int attempt) {
  Actions actions;
  if (finished_ || !TakeBack(attempt)) return actions;
  ++redirects_;
  --counted_;
  StartAttempt(false, actions);
  return actions;
}

CallPlan::Actions CallPlan::StillRunning(int attempt, absl::Duration retry_after, absl::Time now) {
  Actions actions;
  if (finished_ || !TakeBack(attempt)) return actions;
  maybe_executed_ = true;
  const absl::Duration wait = std::max(backoff_.Next(random_), retry_after);
  if (options_.max_attempts > 1 && now + wait < options_.deadline) {
    --counted_;
    repeat_at_ = now + wait;
    SetTimer(actions);
  } else {
    Finish(CallAction::End::kAttempt, attempt, actions);
  }
  return actions;
}

CallPlan::Actions CallPlan::HedgeNotStarted(int attempt, absl::Time now) {
  return Ended(attempt, Outcome::kNotExecuted, std::nullopt, now);
}

CallPlan::Actions CallPlan::TimerFired(absl::Time now) {
  Actions actions;
  if (finished_) return actions;
  timer_ = absl::InfiniteFuture();
  if (now >= options_.deadline) {
    Finish(CallAction::End::kDeadline, -1, actions);
    return actions;
  }
  if (now >= repeat_at_) {
    repeat_at_ = absl::InfiniteFuture();
    StartAttempt(false, actions);
  } else if (now >= hedge_at_) {
    hedge_at_ = absl::InfiniteFuture();
    if (out_.size() == 1 && counted_ < options_.max_attempts && hedges_->TakeRepeat(now)) {
      StartAttempt(true, actions);
    }
  }
  SetTimer(actions);
  return actions;
}

CallPlan::Actions CallPlan::Cancel(absl::Time) {
  Actions actions;
  if (!finished_) Finish(CallAction::End::kCancelled, -1, actions);
  return actions;
}

bool CallPlan::MayRepeat(Outcome outcome) const {
  return outcome == Outcome::kNotExecuted || options_.effect != Effect::kWrite ||
         options_.has_idempotency_key;
}

bool CallPlan::TakeBack(int attempt) {
  const auto found = std::find(out_.begin(), out_.end(), attempt);
  if (found == out_.end()) return false;
  out_.erase(found);
  return true;
}

void CallPlan::StartAttempt(bool hedge, Actions& actions) {
  ++counted_;
  out_.push_back(next_attempt_);
  actions.push_back({.kind = CallAction::Kind::kStart, .attempt = next_attempt_++, .hedge = hedge});
}

void CallPlan::PlanRepeat(int attempt, Outcome outcome, absl::Duration at_least, absl::Time now,
                          Actions& actions) {
  const absl::Duration wait = std::max(backoff_.Next(random_), at_least);
  // What would come too late is given up at once, and costs the budget nothing.
  const bool repeat = MayRepeat(outcome) && counted_ < options_.max_attempts &&
                      now + wait < options_.deadline && repeats_->TakeRepeat(now);
  if (!repeat) {
    Finish(CallAction::End::kAttempt, attempt, actions);
    return;
  }
  hedge_at_ = absl::InfiniteFuture();
  repeat_at_ = now + wait;
}

void CallPlan::SetTimer(Actions& actions) {
  const absl::Time next = std::min({options_.deadline, repeat_at_, hedge_at_});
  if (next == timer_) return;
  timer_ = next;
  actions.push_back({.kind = CallAction::Kind::kSetTimer, .at = next});
}

void CallPlan::Finish(CallAction::End end, int attempt, Actions& actions) {
  finished_ = true;
  for (const int other : out_) {
    actions.push_back({.kind = CallAction::Kind::kCancel, .attempt = other});
  }
  actions.push_back({.kind = CallAction::Kind::kFinish,
                     .attempt = attempt,
                     .end = end,
                     .maybe_executed = maybe_executed_ || !out_.empty()});
  out_.clear();
}

}  // namespace podkit::conduit::internal
