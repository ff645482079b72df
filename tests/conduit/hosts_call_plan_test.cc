#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "hosts/call_plan.h"
#include "hosts/hedge.h"
#include "hosts/random.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

using Kind = CallAction::Kind;
using End = CallAction::End;
using Actions = CallPlan::Actions;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

// One call, and what its plan last wanted.
struct Bed {
  explicit Bed(CallPlanOptions options = {}, RetryBudgetOptions repeat_options = {},
               RetryBudgetOptions hedge_options = {})
      : repeats(repeat_options), hedges(hedge_options) {
    options.deadline = kStart + absl::Seconds(10);
    plan.emplace(options, &repeats, &hedges, 1);
    Do(plan->Start(now));
  }

  void Do(Actions actions) {
    last = std::move(actions);
    for (const CallAction& action : last) {
      if (action.kind == Kind::kSetTimer) timer = action.at;
      if (action.kind == Kind::kFinish) finish = action;
    }
  }
  void Fail(int attempt, Outcome outcome, std::optional<absl::Duration> retry_after = {}) {
    Do(plan->Ended(attempt, outcome, retry_after, now));
  }
  void Fire() {
    now = timer;
    Do(plan->TimerFired(now));
  }
  bool Wants(Kind kind, int attempt) const {
    return std::any_of(last.begin(), last.end(), [&](const CallAction& action) {
      return action.kind == kind && action.attempt == attempt;
    });
  }

  RetryBudget repeats;
  RetryBudget hedges;
  absl::Time now = kStart;
  absl::Time timer = absl::InfiniteFuture();
  Actions last;
  std::optional<CallAction> finish;
  std::optional<CallPlan> plan;
};

TEST_CASE("CallPlan repeats a write that was not executed, and no other one", "[conduit][hosts]") {
  Bed bed;
  CHECK(bed.Wants(Kind::kStart, 0));
  CHECK(bed.timer == kStart + absl::Seconds(10));
  bed.Fail(0, Outcome::kNotExecuted);
  CHECK_FALSE(bed.finish);
  CHECK(bed.timer <= kStart + absl::Milliseconds(25));
  bed.Fire();
  CHECK(bed.Wants(Kind::kStart, 1));
  bed.Fail(1, Outcome::kUnknown);
  REQUIRE(bed.finish);
  CHECK(bed.finish->end == End::kAttempt);
  CHECK(bed.finish->attempt == 1);
  CHECK(bed.finish->maybe_executed);
}

TEST_CASE("CallPlan repeats what may have been executed where that does no harm",
          "[conduit][hosts]") {
  const auto options = GENERATE(CallPlanOptions{.effect = Effect::kRead},
                                CallPlanOptions{.effect = Effect::kIdempotent},
                                CallPlanOptions{.has_idempotency_key = true});
  Bed bed(options);
  bed.Fail(0, Outcome::kUnknown);
  bed.Fire();
  CHECK(bed.Wants(Kind::kStart, 1));
  bed.Fail(1, Outcome::kTimedOut);
  bed.Fire();
  CHECK(bed.Wants(Kind::kStart, 2));
  // The last failure says less than the first one.
  bed.Fail(2, Outcome::kNotExecuted);
  REQUIRE(bed.finish);
  CHECK(bed.finish->attempt == 2);
  CHECK(bed.finish->maybe_executed);
}

TEST_CASE("CallPlan waits for the first call with the same key, as long as there is time",
          "[conduit][hosts]") {
  Bed bed({.has_idempotency_key = true, .max_attempts = 2}, {.share = 0, .floor_per_second = 0});
  // More often than attempts and budget allow.
  int attempt = 0;
  while (bed.now < kStart + absl::Seconds(8)) {
    const absl::Time before = bed.now;
    bed.Do(bed.plan->StillRunning(attempt, absl::Milliseconds(500), bed.now));
    REQUIRE_FALSE(bed.finish);
    bed.Fire();
    CHECK(bed.now - before >= absl::Milliseconds(500));
    CHECK(bed.Wants(Kind::kStart, ++attempt));
  }
  CHECK(attempt > 5);
  bed.Do(bed.plan->StillRunning(attempt, absl::Seconds(3), bed.now));
  REQUIRE(bed.finish);
  CHECK(bed.finish->end == End::kAttempt);
  CHECK(bed.finish->maybe_executed);
  // Never again means that.
  Bed once({.has_idempotency_key = true, .max_attempts = 1});
  once.Do(once.plan->StillRunning(0, absl::Milliseconds(1), once.now));
  CHECK(once.finish);
}

TEST_CASE("CallPlan takes every answer for the end", "[conduit][hosts]") {
  const auto outcome = GENERATE(Outcome::kOk, Outcome::kDeclaredError, Outcome::kInternalError,
                                Outcome::kNotImplemented);
  Bed bed({.effect = Effect::kRead});
  bed.Fail(0, outcome);
  REQUIRE(bed.finish);
  CHECK(bed.finish->attempt == 0);
  bed.Fail(0, outcome);
  CHECK(bed.last.empty());
}

TEST_CASE("CallPlan waits as long as it is asked to, and not in vain", "[conduit][hosts]") {
  Bed bed;
  bed.Fail(0, Outcome::kNotExecuted, absl::Seconds(4));
  CHECK(bed.timer == kStart + absl::Seconds(4));
  bed.Fire();
  bed.Fail(1, Outcome::kNotExecuted, absl::Seconds(6));
  CHECK(bed.finish);
  Bed never;
  never.Fail(0, Outcome::kNotExecuted, absl::InfiniteDuration());
  REQUIRE(never.finish);
  CHECK_FALSE(never.finish->maybe_executed);
}

TEST_CASE("CallPlan repeats nothing without a budget", "[conduit][hosts]") {
  Bed bed({}, {.share = 0.5, .floor_per_second = 0});
  bed.Fail(0, Outcome::kNotExecuted);
  CHECK(bed.finish);
}

TEST_CASE("CallPlan ends at the deadline and tells whether anything is out", "[conduit][hosts]") {
  Bed bed;
  bed.Fire();
  REQUIRE(bed.finish);
  CHECK(bed.finish->end == End::kDeadline);
  CHECK(bed.finish->maybe_executed);
  CHECK(bed.Wants(Kind::kCancel, 0));

  RetryBudget budget({});
  CallPlan late({.deadline = kStart}, &budget, &budget, 1);
  const Actions actions = late.Start(kStart);
  REQUIRE(actions.size() == 1);
  CHECK(actions[0].end == End::kDeadline);
  CHECK_FALSE(actions[0].maybe_executed);
}

TEST_CASE("CallPlan hedges a read, takes the first answer and cancels the other",
          "[conduit][hosts]") {
  Bed bed({.effect = Effect::kRead, .hedge_after = absl::Milliseconds(50)});
  CHECK(bed.timer == kStart + absl::Milliseconds(50));
  bed.Fire();
  CHECK(bed.Wants(Kind::kStart, 1));
  CHECK(bed.last[0].hedge);
  bed.Fail(0, Outcome::kUnknown);
  CHECK_FALSE(bed.finish);  // The hedge may still be answered.
  bed.Fail(1, Outcome::kOk);
  CHECK(bed.finish->attempt == 1);

  Bed other({.effect = Effect::kRead, .hedge_after = absl::Milliseconds(50)});
  other.Fire();
  other.Fail(0, Outcome::kOk);
  CHECK(other.Wants(Kind::kCancel, 1));
  CHECK(other.finish->attempt == 0);
}

TEST_CASE("CallPlan hedges no write and nothing beyond its budget", "[conduit][hosts]") {
  Bed write({.effect = Effect::kIdempotent, .hedge_after = absl::Milliseconds(50)});
  CHECK(write.timer == kStart + absl::Seconds(10));
  Bed poor({.effect = Effect::kRead, .hedge_after = absl::Milliseconds(50)}, {},
           {.share = 0.1, .floor_per_second = 0});
  poor.Fire();
  CHECK_FALSE(poor.Wants(Kind::kStart, 1));
  CHECK(poor.timer == kStart + absl::Seconds(10));
}

TEST_CASE("CallPlan goes on with the first attempt where there is no host to hedge on",
          "[conduit][hosts]") {
  Bed bed({.effect = Effect::kRead, .hedge_after = absl::Milliseconds(50)});
  bed.Fire();
  bed.Do(bed.plan->HedgeNotStarted(1, bed.now));
  CHECK_FALSE(bed.finish);
  bed.Fail(0, Outcome::kOk);
  CHECK(bed.finish->attempt == 0);
}

TEST_CASE("CallPlan follows redirects at once, but not for ever", "[conduit][hosts]") {
  Bed bed;
  for (int i = 0; i < 3; ++i) {
    bed.Do(bed.plan->Redirected(i, bed.now));
    CHECK(bed.Wants(Kind::kStart, i + 1));
  }
  bed.Do(bed.plan->Redirected(3, bed.now));
  REQUIRE(bed.finish);
  CHECK(bed.finish->attempt == 3);
  CHECK_FALSE(bed.finish->maybe_executed);
}

TEST_CASE("CallPlan begins at once again what was returned, and then as what failed",
          "[conduit][hosts]") {
  // Neither its attempts nor its budget allow a repeat.
  Bed bed({.max_attempts = 1}, {.share = 0, .floor_per_second = 0});
  for (int i = 0; i < 3; ++i) {
    bed.Do(bed.plan->Returned(i, bed.now, false));
    CHECK(bed.Wants(Kind::kStart, i + 1));
  }
  bed.Do(bed.plan->Returned(3, bed.now, false));
  REQUIRE(bed.finish);
  CHECK(bed.finish->attempt == 3);
  CHECK_FALSE(bed.finish->maybe_executed);

  Bed patient({.max_attempts = 2});
  for (int i = 0; i < 3; ++i) patient.Do(patient.plan->Returned(i, patient.now, false));
  patient.Do(patient.plan->Returned(3, patient.now, false));
  CHECK_FALSE(patient.finish);
  patient.Fire();
  CHECK(patient.Wants(Kind::kStart, 4));
  // Another host is no repeat.
  patient.Do(patient.plan->Returned(4, patient.now, true));
  CHECK(patient.Wants(Kind::kStart, 5));
}

TEST_CASE("CallPlan is silent after it was cancelled", "[conduit][hosts]") {
  Bed bed;
  bed.Do(bed.plan->Cancel(bed.now));
  CHECK(bed.Wants(Kind::kCancel, 0));
  CHECK(bed.finish->end == End::kCancelled);
  CHECK(bed.finish->maybe_executed);
  bed.Fail(0, Outcome::kOk);
  CHECK(bed.last.empty());
  CHECK(bed.plan->TimerFired(bed.now).empty());
  CHECK(bed.plan->Cancel(bed.now).empty());
}

// Drives one plan with random events, knows what was really executed, and holds the plan to its
// promises.
class Model {
 public:
  Model(Random& random, RetryBudget* repeats, RetryBudget* hedges, absl::Time now)
      : random_(random), now_(now) {
    options_.deadline = now + absl::Milliseconds(static_cast<int64_t>(random.Below(3000)));
    options_.effect = static_cast<Effect>(random.Below(3));
    options_.has_idempotency_key = random.Below(3) == 0;
    options_.max_attempts = 1 + static_cast<int>(random.Below(4));
    if (random.Below(2) == 0) options_.hedge_after = absl::Milliseconds(100) * random.Unit();
    plan_.emplace(options_, repeats, hedges, random.Next());
  }

  absl::Time Run() {
    Obey(plan_->Start(now_));
    for (int i = 0; i < 200 && !finish_; ++i) Step();
    REQUIRE(finish_);
    // What comes after the end changes nothing.
    for (int attempt = 0; attempt <= started_; ++attempt) {
      REQUIRE(plan_->Ended(attempt, Outcome::kOk, {}, now_).empty());
      REQUIRE(plan_->Redirected(attempt, now_).empty());
      REQUIRE(plan_->Returned(attempt, now_, false).empty());
    }
    REQUIRE(plan_->TimerFired(now_).empty());
    REQUIRE(plan_->Cancel(now_).empty());
    return now_;
  }

 private:
  void Step() {
    REQUIRE(timer_ <= options_.deadline);
    const absl::Time next = now_ + absl::Milliseconds(80) * random_.Unit();
    if (out_.empty() || next >= timer_ || random_.Below(8) == 0) {
      // At its time, or too late; sometimes too early, as a timer that was not stopped in time.
      if (random_.Below(6) != 0) now_ = std::max(now_, timer_);
      Obey(plan_->TimerFired(now_));
      return;
    }
    now_ = next;
    if (random_.Below(25) == 0) {
      cancelled_ = true;
      Obey(plan_->Cancel(now_));
      REQUIRE(finish_);
      return;
    }
    const auto chosen = std::next(out_.begin(), static_cast<int>(random_.Below(out_.size())));
    const int attempt = *chosen;
    out_.erase(chosen);
    EndAttempt(attempt);
  }

  void EndAttempt(int attempt) {
    constexpr std::array kOutcomes = {
        Outcome::kOk,       Outcome::kDeclaredError, Outcome::kUnknown,    Outcome::kUnknown,
        Outcome::kTimedOut, Outcome::kNotExecuted,   Outcome::kNotExecuted};
    if (random_.Below(10) == 0) {
      redirected_ = true;
      Obey(random_.Below(2) == 0 ? plan_->Redirected(attempt, now_)
                                 : plan_->Returned(attempt, now_, false));
      redirected_ = false;
      return;
    }
    const Outcome outcome = kOutcomes.at(random_.Below(kOutcomes.size()));
    ended_[attempt] = outcome;
    if (outcome == Outcome::kUnknown || outcome == Outcome::kTimedOut) unsure_ = true;
    std::optional<absl::Duration> retry_after;
    if (random_.Below(4) == 0) retry_after = absl::Milliseconds(500) * random_.Unit();
    if (random_.Below(20) == 0) retry_after = absl::InfiniteDuration();
    if (retry_after && out_.empty()) not_before_ = now_ + *retry_after;
    Obey(plan_->Ended(attempt, outcome, retry_after, now_));
  }

  void Obey(const Actions& actions) {
    for (const CallAction& action : actions) {
      REQUIRE_FALSE(finish_);
      switch (action.kind) {
        case Kind::kStart:
          CheckStart(action);
          break;
        case Kind::kSetTimer:
          timer_ = action.at;
          break;
        case Kind::kCancel:
          REQUIRE(out_.erase(action.attempt) == 1);
          unsure_ = true;
          break;
        case Kind::kFinish:
          finish_ = action;
          CheckFinish(action);
      }
    }
  }

  void CheckStart(const CallAction& action) {
    REQUIRE_FALSE(cancelled_);
    REQUIRE(now_ < options_.deadline);
    REQUIRE(action.attempt == started_++);
    if (action.hedge) {
      REQUIRE(options_.effect == Effect::kRead);
      REQUIRE(out_.size() == 1);
    } else if (!redirected_) {
      REQUIRE(out_.empty());
      REQUIRE(now_ >= not_before_);
    }
    if (redirected_) ++redirects_;
    REQUIRE(redirects_ <= options_.max_redirects);
    REQUIRE(started_ - redirects_ <= options_.max_attempts);
    // The promise that matters most: never a second time what may have been done.
    if (options_.effect == Effect::kWrite && !options_.has_idempotency_key) REQUIRE_FALSE(unsure_);
    out_.insert(action.attempt);
  }

  void CheckFinish(const CallAction& action) {
    REQUIRE(out_.empty());  // All that was out has been cancelled.
    REQUIRE((action.end == End::kCancelled) == cancelled_);
    if (action.end == End::kDeadline) REQUIRE(now_ >= options_.deadline);
    const bool answered = action.end == End::kAttempt && ended_.contains(action.attempt) &&
                          (ended_[action.attempt] == Outcome::kOk ||
                           ended_[action.attempt] == Outcome::kDeclaredError);
    if (!answered) REQUIRE(action.maybe_executed == unsure_);
  }

  Random& random_;
  absl::Time now_;
  CallPlanOptions options_;
  std::optional<CallPlan> plan_;
  std::set<int> out_;
  std::map<int, Outcome> ended_;
  int started_ = 0;
  int redirects_ = 0;
  bool redirected_ = false;
  bool cancelled_ = false;
  bool unsure_ = false;  // An attempt may have been executed.
  absl::Time timer_ = absl::InfiniteFuture();
  absl::Time not_before_ = absl::InfinitePast();
  std::optional<CallAction> finish_;
};

TEST_CASE("CallPlan keeps its promises under any events", "[conduit][hosts]") {
  const auto seed = GENERATE(take(50, random(0u, ~0u)));
  CAPTURE(seed);
  Random random(seed);
  RetryBudget repeats({.share = 0.2, .floor_per_second = 2});
  RetryBudget hedges({.share = 0.1, .floor_per_second = 1});
  absl::Time now = kStart;
  for (int call = 0; call < 200; ++call) {
    CAPTURE(call);
    Model model(random, &repeats, &hedges, now);
    now = model.Run();
  }
}

TEST_CASE("HedgeDelay knows the time within which 95 of 100 are answered", "[conduit][hosts]") {
  HedgeDelay delay({});
  CHECK_FALSE(delay.Get(kStart));
  for (int i = 1; i <= 100; ++i) delay.Answered(absl::Milliseconds(i), kStart);
  CHECK(*delay.Get(kStart) >= absl::Milliseconds(95));
  CHECK(*delay.Get(kStart) <= absl::Milliseconds(95 * 1.2));
  // What is new outweighs what is old, and what is too old says nothing.
  for (int i = 1; i <= 100; ++i) delay.Answered(absl::Milliseconds(3), kStart + absl::Minutes(1));
  CHECK(*delay.Get(kStart + absl::Minutes(1)) < absl::Milliseconds(4));
  CHECK_FALSE(delay.Get(kStart + absl::Minutes(3)));
}

TEST_CASE("HedgeDelay is never shorter than its least", "[conduit][hosts]") {
  HedgeDelay delay({.least = absl::Milliseconds(5)});
  for (int i = 0; i < 50; ++i) delay.Answered(absl::Microseconds(30), kStart);
  CHECK(*delay.Get(kStart) == absl::Milliseconds(5));
}

}  // namespace
}  // namespace podkit::conduit::internal
