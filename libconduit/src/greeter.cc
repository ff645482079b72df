#include "greeter.h"

#include "fmt/format.h"
#include "outcome.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {
namespace {

// A call waits for no more: the host is asked what it serves, and for a schema, and once again
// each if it was updated meanwhile. Then the call is sent, and the host may refuse it itself.
constexpr int kMostQuestions = 4;

// The host answered, whatever it said: it can be called.
bool IsAnswer(const absl::Status& status) {
  const Outcome outcome = OutcomeOf(status);
  return !IsFailure(outcome) && outcome != Outcome::kCancelled;
}

}  // namespace

void Greeter::Before(Call call) { Go(std::move(call), 0); }

void Greeter::Go(Call call, int questions) {
  if (questions >= kMostQuestions) return call.ready(absl::OkStatus());
  auto decision = peers_.Decide(call.peer, *call.command, call.request, options_.now());
  switch (decision.step) {
    case Step::kSend:
      return call.ready(absl::OkStatus());
    case Step::kRefuse:
      return call.ready(std::move(decision.refusal));
    case Step::kHello:
    case Step::kDescribe:
      break;
  }
  const bool hello = decision.step == Step::kHello;
  const Question question{call.peer, hello ? "" : call.command->schema.name};
  Wait(question, std::move(call), questions + 1);
}

void Greeter::Wait(const Question& question, Call call, int questions) {
  const auto waiting = std::make_shared<Waiting>();
  waiting->call = std::move(call);
  waiting->questions = questions;
  Watch(waiting);
  bool first = false;
  {
    MutexLock lock(&mutex_);
    auto& all = asked_[question];
    first = all.empty();
    all.push_back(waiting);
  }
  if (first) Ask(question);
}

void Greeter::Watch(const std::shared_ptr<Waiting>& waiting) {
  Scheduler& scheduler = options_.scheduler();
  const absl::Time when = scheduler.Now() + (waiting->call.deadline - options_.now());
  const std::weak_ptr<Waiting> weak = waiting;
  waiting->timer = scheduler.At(when, [weak] {
    if (const auto self = weak.lock()) self->GiveUp(Outcome::kNotExecuted);
  });
  if (!waiting->call.stop.stop_possible()) return;
  waiting->on_stop.emplace(waiting->call.stop, [weak] {
    if (const auto self = weak.lock()) self->GiveUp(Outcome::kCancelled);
  });
}

void Greeter::Waiting::GiveUp(Outcome outcome) {
  if (ended.exchange(true)) return;
  const bool late = outcome == Outcome::kNotExecuted;
  const std::string text =
      fmt::format("{}: {}", call.peer.host,
                  late ? "it did not say in time what it serves" : "cancelled before it was sent");
  call.ready(late ? WithOutcome(absl::DeadlineExceededError(text), outcome)
                  : TransportError(outcome, text));
}

void Greeter::Ask(const Question& question) {
  const auto& [peer, command] = question;
  if (command.empty()) {
    options_.hello(peer, [this, question](const absl::StatusOr<Hello::Response>& answer) {
      if (answer.ok()) {
        peers_.Met(question.first, *answer, options_.now());
      } else if (IsAnswer(answer.status())) {
        peers_.Silent(question.first, options_.now());
      }
      Answered(question, answer.status());
    });
    return;
  }
  options_.describe(peer, command,
                    [this, question](const absl::StatusOr<DescribeCommands::Response>& answer) {
                      if (IsAnswer(answer.status())) {
                        peers_.Described(question.first, question.second,
                                         answer.ok() ? *answer : DescribeCommands::Response());
                      }
                      Answered(question, answer.status());
                    });
}

void Greeter::Answered(const Question& question, const absl::Status& status) {
  std::vector<std::shared_ptr<Waiting>> all;
  {
    MutexLock lock(&mutex_);
    const auto found = asked_.find(question);
    all = std::move(found->second);
    asked_.erase(found);
  }
  for (const auto& waiting : all) {
    if (waiting->ended.exchange(true)) continue;
    options_.scheduler().Cancel(waiting->timer);
    // Only the question may have been executed.
    if (IsAnswer(status)) {
      Go(std::move(waiting->call), waiting->questions);
    } else {
      waiting->call.ready(WithOutcome(status, Outcome::kNotExecuted));
    }
  }
}

}  // namespace podkit::conduit::internal
