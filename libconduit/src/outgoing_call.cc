#include "outgoing_call.h"

#include <algorithm>
#include <utility>

#include "common/with_message.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "outcome.h"

namespace podkit::conduit::internal {

OutgoingCall::OutgoingCall(const CallEnvironment& environment, CallRequest request, absl::Time now,
                           Done done)
    : environment_(environment),
      request_(std::move(request)),
      done_(std::move(done)),
      called_(environment.called->Of(request_.pod().id)),
      began_(now),
      deadline_(now + request_.options().timeout),
      keyed_(request_.keyed()),
      shape_(ShapeOf(now)),
      plan_(PlanOptions(), &called_.repeats(), &called_.hedges(), environment.seed()) {
  const std::string& key = request_.options().balance_key;
  if (!key.empty()) route_ = called_.routes().Find(key);
}

OutgoingCall::Shape OutgoingCall::ShapeOf(absl::Time now) const {
  const std::vector<std::string> hosts = environment_.transport->HostsOf(request_.pod());
  called_.hosts().Update(hosts, now);
  Shape shape{.hosts = hosts.size()};
  const bool may_hedge = environment_.options->hedge_reads && hosts.size() > 1 &&
                         request_.options().host.empty() && request_.options().max_attempts > 1 &&
                         request_.info().effect == Effect::kRead && request_.batch() == nullptr &&
                         request_.options().reply_payload == nullptr;  // It has one place.
  if (!may_hedge) return shape;
  shape.delay = &called_.DelayOf(request_.info().name);
  shape.hedge_after = shape.delay->Get(now);
  return shape;
}

CallPlanOptions OutgoingCall::PlanOptions() const {
  return {.deadline = deadline_,
          .effect = request_.info().effect,
          .has_idempotency_key = keyed_,
          .max_attempts = request_.options().max_attempts,
          .hedge_after = shape_.hedge_after};
}

void OutgoingCall::Begin() {
  const auto self = shared_from_this();
  // Before anything is sent, for a transport may take its time for that.
  if (request_.options().stop.stop_possible()) {
    on_stop_.emplace(request_.options().stop, [weak = weak_from_this()] {
      if (const auto call = weak.lock()) call->Stopped();
    });
  }
  Step(began_, [this](CallPlan& plan) { return plan.Start(began_); });
}

void OutgoingCall::Step(absl::Time now, absl::FunctionRef<CallPlan::Actions(CallPlan&)> step) {
  CallPlan::Actions actions;
  {
    MutexLock lock(&mutex_);
    actions = step(plan_);
    // What must happen in the order of the steps happens here; the rest without the lock.
    for (const CallAction& action : actions) {
      if (action.kind == CallAction::Kind::kSetTimer) SetTimer(action.at);
      if (action.kind == CallAction::Kind::kFinish) CancelTimer();
      if (action.kind != CallAction::Kind::kStart) continue;
      Attempt& attempt = attempts_.emplace_back();
      if (shape_.delay != nullptr) attempt.stop = std::stop_source();
      ++holders_;
    }
  }
  for (const CallAction& action : actions) Do(now, action);
}

void OutgoingCall::Do(absl::Time now, const CallAction& action) {
  switch (action.kind) {
    case CallAction::Kind::kStart:
      return Begin(now, action.attempt, action.hedge);
    case CallAction::Kind::kSetTimer:
      return;
    case CallAction::Kind::kCancel:
      return CancelAttempt(action.attempt);
    case CallAction::Kind::kFinish:
      return Finish(action);
  }
}

absl::StatusOr<HostLease> OutgoingCall::PickHost(bool hedge, absl::Time now) {
  const std::string& only = request_.options().host;
  if (!only.empty()) return called_.hosts().Take(only, now);
  if (const std::string route = TakeRoute(); !route.empty()) {
    auto lease = called_.hosts().Take(route, now);
    if (lease.ok()) return lease;
  }
  std::vector<std::string> tried;
  {
    MutexLock lock(&mutex_);
    tried = tried_;
  }
  return called_.hosts().Pick(
      now, {.key = request_.options().balance_key, .tried = tried, .only_untried = hedge});
}

std::string OutgoingCall::TakeRoute() {
  MutexLock lock(&mutex_);
  return std::exchange(route_, {});
}

void OutgoingCall::Begin(absl::Time now, int attempt, bool hedge) {
  auto lease = PickHost(hedge, now);
  if (!lease.ok()) {
    const auto wait = hedge ? std::nullopt : std::optional(absl::InfiniteDuration());
    return End(attempt, std::move(lease).status(), true, wait);
  }
  const std::string host = lease->host();
  {
    MutexLock lock(&mutex_);
    Attempt& one = attempts_[static_cast<size_t>(attempt)];
    one.lease.emplace(*std::move(lease));
    one.host = tried_.size();
    tried_.push_back(host);
  }
  Meet(now, attempt, host);
}

void OutgoingCall::Meet(absl::Time now, int attempt, const std::string& host) {
  Greeter* const greeter = environment_.greeter;
  if (greeter != nullptr && request_.batch() != nullptr) return MeetForBatch(attempt, host);
  const auto& command = request_.declared();
  const bool known = greeter == nullptr || command == nullptr ||
                     greeter->Knows({request_.pod().id, host}, *command, request_.members(), now);
  if (known) return Send(now, attempt, host);
  Greeter::Call call{.peer = {request_.pod().id, host},
                     .command = command,
                     .request = request_.members(),
                     .deadline = deadline_,
                     .stop = StopOf(attempt),
                     .ready = {}};
  call.ready = [self = shared_from_this(), attempt, host](absl::Status why) {
    if (!why.ok()) return self->NotSent(attempt, std::move(why));
    self->Send(self->environment_.now(), attempt, host);
  };
  greeter->Before(std::move(call));
}

void OutgoingCall::NotSent(int attempt, absl::Status why) {
  const auto overloaded = GetError<Overloaded>(why);
  const auto retry_after = overloaded ? std::optional(overloaded->retry_after) : std::nullopt;
  const bool refused = OutcomeOf(why) == Outcome::kNotImplemented;
  bool last = false;
  {
    MutexLock lock(&mutex_);
    last = !HasUntriedHost();
  }
  // Another host of the pod may be of another version.
  if (refused && !last) why = WithOutcome(std::move(why), Outcome::kNotExecuted);
  End(attempt, std::move(why), refused && last, retry_after);
}

std::stop_token OutgoingCall::StopOf(int attempt) {
  MutexLock lock(&mutex_);
  const Attempt& one = attempts_[static_cast<size_t>(attempt)];
  return one.stop.stop_possible() ? one.stop.get_token() : request_.options().stop;
}

bool OutgoingCall::HasUntriedHost() const {
  return request_.options().host.empty() && tried_.size() < shape_.hosts;
}

absl::Status OutgoingCall::CountOnAnswers(int attempt, const std::string& host) {
  if (!keyed_ || environment_.greeter == nullptr) return absl::OkStatus();
  auto kept = request_.FindKept([&](std::string_view command) {
    return environment_.greeter->AnswersOf({request_.pod().id, host}, command);
  });
  MutexLock lock(&mutex_);
  if (answers_ && (!kept || kept->ids != answers_->ids)) {
    return TransportError(Outcome::kNotExecuted,
                          fmt::format("{}: it does not have the answer that was lost: a restart "
                                      "forgot it, or another host has it",
                                      host));
  }
  attempts_[static_cast<size_t>(attempt)].answers = std::move(kept);
  return absl::OkStatus();
}

std::vector<std::string> OutgoingCall::AnswersOf(int attempt) {
  MutexLock lock(&mutex_);
  const auto& answers = attempts_[static_cast<size_t>(attempt)].answers;
  return answers ? answers->ids : std::vector<std::string>();
}

bool OutgoingCall::MayBeRepeated(int attempt, absl::Time now) {
  if (request_.info().effect != Effect::kWrite) return true;
  MutexLock lock(&mutex_);
  const Attempt& one = attempts_[static_cast<size_t>(attempt)];
  if (!one.answers) return false;
  if (!answers_) answers_ = one.answers;
  if (one.host) route_ = tried_[*one.host];
  // The answer is kept from when it was given, which was after this.
  return now - began_ < answers_->window / 2;
}

void OutgoingCall::Send(absl::Time now, int attempt, const std::string& host) {
  absl::Status kept = CountOnAnswers(attempt, host);
  if (!kept.ok()) return End(attempt, std::move(kept), false, std::nullopt);
  const TransportTraits traits = environment_.transport->TraitsTo(request_.pod(), host);
  auto made = request_.Make(now, deadline_, traits, AnswersOf(attempt));
  if (!made.ok()) {
    return End(attempt, WithOutcome(made.status(), Outcome::kNotExecuted), true,
               absl::InfiniteDuration());
  }
  Sending sending{.pod = request_.shared_pod(),
                  .host = host,
                  .request = std::move(made->request),
                  .deadline = deadline_,
                  .stop = StopOf(attempt),
                  .done = {}};
  {
    MutexLock lock(&mutex_);
    Attempt& one = attempts_[static_cast<size_t>(attempt)];
    one.began = now;
    one.sent = true;
    one.is_signed = made->exchange.has_value();
  }
  sending.done = [self = shared_from_this(), attempt,
                  exchange = std::move(made->exchange)](absl::StatusOr<WireReply> reply) {
    self->Replied(attempt, exchange, std::move(reply));
  };
  environment_.transport->Send(std::move(sending));
}

// A transport ends by itself what takes too long, so that most calls need no timer.
void OutgoingCall::SetTimer(absl::Time at) {
  CancelTimer();
  if (at >= deadline_) return;
  Scheduler& scheduler = environment_.scheduler();
  const absl::Time when = scheduler.Now() + (at - environment_.now());
  // Nobody else holds a call that waits to be repeated.
  timer_ = scheduler.At(when, [self = shared_from_this(), at] { self->TimerFired(at); });
}

void OutgoingCall::CancelTimer() {
  const auto timer = std::exchange(timer_, std::nullopt);
  if (timer.has_value()) environment_.scheduler().Cancel(*timer);
}

void OutgoingCall::TimerFired(absl::Time at) {
  {
    MutexLock lock(&mutex_);
    if (plan_.finished()) return;
    ++holders_;
  }
  const absl::Time now = std::max(environment_.now(), at);
  Step(now, [&](CallPlan& plan) {
    return request_.options().stop.stop_requested() ? plan.Cancel(now) : plan.TimerFired(now);
  });
  Release();
}

void OutgoingCall::CancelAttempt(int attempt) {
  std::stop_source stop{std::nostopstate};
  {
    MutexLock lock(&mutex_);
    stop = attempts_[static_cast<size_t>(attempt)].stop;
  }
  stop.request_stop();
}

// The transport ends what is out; what waits to be repeated ends here.
void OutgoingCall::Stopped() {
  std::vector<std::stop_source> out;
  bool waits = true;
  {
    MutexLock lock(&mutex_);
    if (plan_.finished()) return;
    ++holders_;
    for (const Attempt& attempt : attempts_) {
      if (!attempt.lease.has_value()) continue;
      waits = false;
      out.push_back(attempt.stop);
    }
  }
  for (std::stop_source& stop : out) stop.request_stop();
  if (waits) {
    const absl::Time now = environment_.now();
    Step(now, [now](CallPlan& plan) { return plan.Cancel(now); });
  }
  Release();
}

void OutgoingCall::Finish(const CallAction& action) {
  absl::StatusOr<JsonDocument> result = absl::UnknownError("");
  {
    MutexLock lock(&mutex_);
    TellHost(action);
    switch (action.end) {
      case CallAction::End::kAttempt: {
        Attempt& last = attempts_[static_cast<size_t>(action.attempt)];
        result = std::move(last.result);
        if (!result.ok() && !last.answered) result = WithHistory(result.status());
        break;
      }
      case CallAction::End::kDeadline:
        result = WithHistory(
            TransportError(action.maybe_executed ? Outcome::kTimedOut : Outcome::kNotExecuted,
                           "no time was left"));
        break;
      case CallAction::End::kCancelled:
        result = WithHistory(TransportError(Outcome::kCancelled, "the call was cancelled"));
        break;
    }
  }
  if (action.maybe_executed) request_.MayHaveBeenExecuted();
  if (action.maybe_executed && OutcomeOf(result.status()) == Outcome::kNotExecuted) {
    result = WithOutcome(result.status(), Outcome::kUnknown);
  }
  done_(std::move(result));
  Release();
}

void OutgoingCall::TellHost(const CallAction& action) const {
  const auto& place = request_.options().used_host;
  if (place == nullptr || tried_.empty()) return;
  size_t host = tried_.size() - 1;
  if (action.end == CallAction::End::kAttempt) {
    host = attempts_[static_cast<size_t>(action.attempt)].host.value_or(host);
  }
  *place = tried_[host];
}

absl::Status OutgoingCall::WithHistory(const absl::Status& failure) const {
  std::vector<std::string> all = failures_;
  const std::string last(failure.message());
  if (std::find(all.begin(), all.end(), last) == all.end()) all.push_back(last);
  return WithMessage(failure, fmt::format("pod '{}': {}", request_.pod().id, fmt::join(all, "; ")));
}

void OutgoingCall::Release() {
  {
    MutexLock lock(&mutex_);
    if (--holders_ > 0) return;
  }
  environment_.leave();
}

}  // namespace podkit::conduit::internal
