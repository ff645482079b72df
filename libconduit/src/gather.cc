#include "podkit/conduit/gather.h"

#include <deque>
#include <functional>
#include <stop_token>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "outcome.h"

namespace podkit::conduit::internal {
namespace {

absl::Status NotSent(absl::Status why) {
  return WithOutcome(std::move(why), Outcome::kNotExecuted);
}

}  // namespace

struct GatherRun::State {
  struct Call {
    absl::Time started;
    absl::Duration took;
  };
  // What Pump does next, without the lock.
  struct Step {
    enum class Kind { kNothing, kCancel, kDeliver, kStart, kSkip, kFinish };
    Kind kind = Kind::kNothing;
    size_t index = 0;
  };

  State(size_t count, GatherOptions the_options, const Conduit* the_conduit)
      : options(std::move(the_options)), conduit(the_conduit), calls(count) {}

  const GatherOptions options;
  const Conduit* const conduit;
  absl::Time deadline;  // Set before the first call.
  std::stop_source stop;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;

  mutable Mutex mutex;
  CondVar one_ended;
  std::vector<Call> calls ABSL_GUARDED_BY(mutex);
  std::deque<size_t> ended ABSL_GUARDED_BY(mutex);  // And not given yet.
  size_t started ABSL_GUARDED_BY(mutex) = 0;        // Or skipped: the first so many.
  size_t running ABSL_GUARDED_BY(mutex) = 0;
  size_t succeeded ABSL_GUARDED_BY(mutex) = 0;
  size_t failed ABSL_GUARDED_BY(mutex) = 0;
  size_t given ABSL_GUARDED_BY(mutex) = 0;
  bool cancel ABSL_GUARDED_BY(mutex) = false;
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
  bool finished ABSL_GUARDED_BY(mutex) = false;
  bool pumping ABSL_GUARDED_BY(mutex) = false;  // A thread is in Pump, and will see what is new.

  bool Satisfied() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const size_t wanted = std::max(options.first, options.quorum);
    return succeeded >= (wanted == 0 ? calls.size() : wanted);
  }

  void CancelIfDecided() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const bool first = options.first > 0 && succeeded >= options.first;
    const bool quorum = options.quorum > 0 &&
                        (succeeded >= options.quorum || calls.size() - failed < options.quorum);
    cancel = cancel || first || quorum;
  }

  std::optional<size_t> TakeEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (ended.empty()) return std::nullopt;
    const size_t index = ended.front();
    ended.pop_front();
    if (++given == calls.size()) one_ended.SignalAll();
    return index;
  }

  Step NextStep(bool calls_back) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (cancel && !cancelled) {
      cancelled = true;
      return {.kind = Step::Kind::kCancel};
    }
    if (calls_back) {
      if (const auto index = TakeEnded()) return {.kind = Step::Kind::kDeliver, .index = *index};
    }
    if (started < calls.size()) {
      if (cancel) return {.kind = Step::Kind::kSkip, .index = started++};
      if (options.max_in_flight == 0 || running < options.max_in_flight) {
        ++running;
        return {.kind = Step::Kind::kStart, .index = started++};
      }
    }
    if (!finished && succeeded + failed == calls.size()) {
      finished = true;
      return {.kind = Step::Kind::kFinish};
    }
    return {};
  }

  void Count(size_t index, bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    ++(ok ? succeeded : failed);
    ended.push_back(index);
    CancelIfDecided();
    one_ended.Signal();
  }
};

GatherRun::GatherRun(size_t calls, GatherOptions options, const Conduit* conduit)
    : state_(std::make_unique<State>(calls, std::move(options), conduit)) {}

GatherRun::~GatherRun() = default;

void GatherRun::Begin() {
  if (state_->conduit != nullptr) {
    state_->deadline = state_->conduit->Now() + state_->options.call.timeout;
  }
  if (state_->options.call.stop.stop_possible()) {
    state_->on_stop.emplace(state_->options.call.stop, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Cancel();
    });
  }
  {
    MutexLock lock(&state_->mutex);
    state_->CancelIfDecided();
  }
  Pump();
}

void GatherRun::Cancel() {
  {
    MutexLock lock(&state_->mutex);
    state_->cancel = true;
  }
  Pump();
}

std::optional<size_t> GatherRun::Next() {
  MutexLock lock(&state_->mutex);
  while (state_->ended.empty() && state_->given < state_->calls.size()) {
    state_->one_ended.Wait(&state_->mutex);
  }
  return state_->TakeEnded();
}

bool GatherRun::satisfied() const {
  MutexLock lock(&state_->mutex);
  return state_->Satisfied();
}

absl::Duration GatherRun::Took(size_t index) const {
  MutexLock lock(&state_->mutex);
  return state_->calls[index].took;
}

void GatherRun::Ended(size_t index, bool ok) {
  const absl::Time now = state_->conduit->Now();
  {
    MutexLock lock(&state_->mutex);
    State::Call& call = state_->calls[index];
    call.took = now - call.started;
    --state_->running;
    state_->Count(index, ok);
  }
  Pump();
}

// One thread at a time does what is to be done, and whoever finds it at work leaves that to it: a
// call that ends inside its own start must not start the next one there, and so on, level by level.
void GatherRun::Pump() {
  using Kind = State::Step::Kind;
  const auto self = shared_from_this();  // What is called may let go of everything.
  bool entered = false;
  for (;;) {
    State::Step step;
    absl::Time now = state_->conduit == nullptr ? absl::Time() : state_->conduit->Now();
    {
      MutexLock lock(&state_->mutex);
      if (!entered && state_->pumping) return;
      entered = true;
      step = state_->NextStep(calls_back());
      state_->pumping = step.kind != Kind::kNothing;
      if (step.kind == Kind::kStart) state_->calls[step.index].started = now;
    }
    switch (step.kind) {
      case Kind::kNothing:
        return;
      case Kind::kCancel:
        state_->stop.request_stop();
        break;
      case Kind::kDeliver:
        Deliver(step.index);
        break;
      case Kind::kStart: {
        CallOptions options = state_->options.call;
        options.timeout = state_->deadline - now;
        options.stop = state_->stop.get_token();
        StartCall(step.index, options);
        break;
      }
      case Kind::kSkip: {
        NeverSent(step.index, NotSent(absl::CancelledError("the call was cancelled unsent")));
        MutexLock lock(&state_->mutex);
        state_->Count(step.index, false);
        break;
      }
      case Kind::kFinish:
        Finished();
        break;
    }
  }
}

}  // namespace podkit::conduit::internal
