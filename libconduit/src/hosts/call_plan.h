// The course of one call: when it is attempted, repeated, hedged, given up, and with what it ends.
//
// The plan takes what happens and the time, and returns what is to be done. It promises:
// - exactly one kFinish, and nothing after it;
// - a call that may not be repeated is never sent again once an attempt may have been executed;
// - no attempt begins at or after the deadline, or after Cancel;
// - attempts that are still out when the call ends are cancelled;
// - `maybe_executed` is false only if no attempt can have been executed.
//
// Thread-compatible: one call is stepped by one thread at a time. The budgets are shared by calls.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "hosts/backoff.h"
#include "hosts/random.h"
#include "hosts/retry_budget.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {

struct CallPlanOptions {
  absl::Time deadline;
  Effect effect = Effect::kWrite;
  bool has_idempotency_key = false;  // Repeating is safe, where the responder keeps the answer.
  int max_attempts = 3;              // With the first one and the hedge; without redirects.
  int max_redirects = 3;             // And attempts that were returned, in all.
  BackoffOptions backoff = {};
  // After this time without an answer a read is sent to a second host as well; nothing: never.
  std::optional<absl::Duration> hedge_after = {};
};

struct CallAction {
  enum class Kind {
    kStart,     // Begin attempt `attempt`; a hedge only on a host that was not tried.
    kSetTimer,  // Call TimerFired at `at`, and not at the time that was set before.
    kCancel,    // The answer of attempt `attempt` is not wanted any more.
    kFinish,    // The call ends; the timer is not needed any more.
  };
  enum class End {
    kAttempt,   // As attempt `attempt` ended: with its answer, or its failure.
    kDeadline,  // The deadline has passed.
    kCancelled,
  };
  Kind kind = Kind::kStart;
  int attempt = -1;
  bool hedge = false;
  absl::Time at = absl::InfiniteFuture();
  End end = End::kAttempt;
  // Of an end without an answer. A failure of an attempt says less: an earlier one may have been
  // executed although the last one was not.
  bool maybe_executed = false;
};

class CallPlan {
 public:
  using Actions = absl::InlinedVector<CallAction, 2>;

  // `repeats` and `hedges` must outlive the plan.
  CallPlan(const CallPlanOptions& options, RetryBudget* repeats, RetryBudget* hedges,
           uint64_t seed);

  // Once, first; does nothing after Cancel.
  Actions Start(absl::Time now);

  // Attempt `attempt` ended; what is reported twice, or after the end, is ignored. kNotExecuted,
  // kUnknown and kTimedOut are failures, everything else is an answer. `retry_after`: the host asks
  // to be left alone for so long; InfiniteDuration: the call is not to be repeated. `elsewhere`:
  // there is a host that was not tried yet; it is asked at once if nothing was executed, which
  // counts neither as an attempt nor in the budget, for it adds no load.
  Actions Ended(int attempt, Outcome outcome, std::optional<absl::Duration> retry_after,
                absl::Time now, bool elsewhere = false);

  // Attempt `attempt` was not executed: another host was named that can. It is asked at once.
  Actions Redirected(int attempt, absl::Time now);

  // Attempt `attempt` was not executed, and nothing is wrong with its host: it is begun again at
  // once, as after a redirect. `elsewhere` counts when that happened too often.
  Actions Returned(int attempt, absl::Time now, bool elsewhere);

  // Attempt `attempt` was not executed, because one with the same key still is: it is repeated
  // after `retry_after` or longer. That counts neither as an attempt nor in the budget, for it
  // costs the host next to nothing.
  Actions StillRunning(int attempt, absl::Duration retry_after, absl::Time now);

  // There is no host left for the hedge that kStart asked for.
  Actions HedgeNotStarted(int attempt, absl::Time now);

  Actions TimerFired(absl::Time now);
  Actions Cancel(absl::Time now);

  bool finished() const { return finished_; }

 private:
  bool MayRepeat(Outcome outcome) const;
  // False: it is not out.
  bool TakeBack(int attempt);
  bool MayBeginAgain(absl::Time now) const {
    return redirects_ < options_.max_redirects && now < options_.deadline;
  }
  Actions BeginAgain(int attempt);
  void StartAttempt(bool hedge, Actions& actions);
  void PlanRepeat(int attempt, Outcome outcome, absl::Duration at_least, absl::Time now,
                  Actions& actions);
  void SetTimer(Actions& actions);
  void Finish(CallAction::End end, int attempt, Actions& actions);

  const CallPlanOptions options_;
  RetryBudget* const repeats_;
  RetryBudget* const hedges_;
  Random random_;
  Backoff backoff_;
  absl::InlinedVector<int, 2> out_;  // Attempts without an end.
  int next_attempt_ = 0;
  int counted_ = 0;  // Attempts that max_attempts bounds.
  int redirects_ = 0;
  bool maybe_executed_ = false;  // An attempt that ended may have been.
  bool finished_ = false;
  absl::Time repeat_at_ = absl::InfiniteFuture();
  absl::Time hedge_at_ = absl::InfiniteFuture();
  absl::Time timer_ = absl::InfiniteFuture();
};

}  // namespace podkit::conduit::internal
