#include "ledger.h"

#include <map>
#include <tuple>
#include <utility>

#include "event_log.h"
#include "fmt/format.h"

namespace podkit::conduit::simulation {
namespace {

// Timers are exact; what ends with the reply of a responder that is late may be a little later.
constexpr absl::Duration kSoon = absl::Milliseconds(1);

std::string_view KindName(Kind kind) {
  constexpr std::string_view kNames[] = {"peek", "read", "set", "write", "keep", "keep-well"};
  return kNames[static_cast<size_t>(kind)];
}

std::string At(absl::Time time) {
  return absl::FormatDuration(absl::Floor(time - EventLog::kStart, absl::Microseconds(1)));
}

class Verdict {
 public:
  Verdict(const Ledger& ledger, const JudgeOptions& options)
      : ledger_(ledger), options_(options), by_call_(ledger.calls.size()) {
    for (const Execution& execution : ledger.executions) {
      if (execution.call < 0 || static_cast<size_t>(execution.call) >= by_call_.size()) {
        problems_.push_back(fmt::format("host {} executed what nobody called", execution.host));
      } else {
        by_call_[static_cast<size_t>(execution.call)].push_back(&execution);
      }
    }
  }

  std::vector<std::string> Give() {
    for (size_t i = 0; i < ledger_.calls.size(); ++i) {
      CheckEnd(i);
      if (ledger_.calls[i].ends > 0) CheckOutcome(i);
      CheckStop(i);
      CheckExecutions(i);
    }
    CheckKeys();
    return std::move(problems_);
  }

 private:
  void Object(size_t call, std::string_view what) {
    problems_.push_back(fmt::format("{}: {}", what, CallText(ledger_, call)));
  }

  void CheckEnd(size_t i) {
    const CallRecord& call = ledger_.calls[i];
    if (call.ends > 1) Object(i, fmt::format("ended {} times", call.ends));
    if (call.ends == 0) Object(i, "never ended");
    if (call.ends == 0 || !call.waits_for_reply) return;
    if (call.ended > call.began + call.timeout + kSoon) Object(i, "ended after its deadline");
  }

  void CheckOutcome(size_t i) {
    const CallRecord& call = ledger_.calls[i];
    const auto& executions = by_call_[i];
    switch (call.outcome) {
      case Outcome::kOk:
        return CheckAnswer(i);
      case Outcome::kNotExecuted:
      case Outcome::kNotImplemented:
        if (!executions.empty()) Object(i, "was executed, though it says that it was not");
        if (call.outcome == Outcome::kNotImplemented) Object(i, "all pods know this command");
        break;
      case Outcome::kDeclaredError:
      case Outcome::kInternalError:
        if (call.stranger) Object(i, "a stranger got an answer");
        if (call.how == How::kOk && !call.stranger) Object(i, "got an error that nobody gave");
        break;
      default:
        break;
    }
    if (call.must_succeed && call.stopped == absl::InfiniteFuture() && !Expected(call)) {
      Object(i, "failed, though nothing was in its way");
    }
  }

  static bool Expected(const CallRecord& call) {
    switch (call.how) {
      case How::kDeclaredError:
        return call.outcome == Outcome::kDeclaredError &&
               ErrorClass(call.status) == Refused::kClass;
      case How::kUndeclaredError:
      case How::kThrow:
        return call.outcome == Outcome::kInternalError;
      default:
        return call.in_gather && call.outcome != Outcome::kOk;
    }
  }

  void CheckAnswer(size_t i) {
    const CallRecord& call = ledger_.calls[i];
    const auto number = static_cast<size_t>(call.execution);
    if (call.execution < 0 || number >= ledger_.executions.size()) {
      return Object(i, "succeeded without an execution");
    }
    const Execution& execution = ledger_.executions[number];
    if (execution.impostor) return Object(i, "was answered by an impostor");
    if (call.stranger) return Object(i, "a stranger got an answer");
    if (execution.operation != call.operation || execution.kind != call.kind ||
        execution.pod != call.to || execution.caller != call.from) {
      Object(i, "got the answer of another call");
    }
    // An answer that was kept is another call's; else the execution was for this one.
    if (execution.call != static_cast<int64_t>(i) && !call.with_key) {
      Object(i, "got the answer to another call");
    }
    if (execution.ended > call.ended) Object(i, "succeeded before it was executed");
    if (call.how != How::kOk && call.how != How::kHeldElsewhere) {
      Object(i, "succeeded, though its responder failed");
    }
  }

  void CheckStop(size_t i) {
    const CallRecord& call = ledger_.calls[i];
    if (call.ends == 0) return;
    if (call.stopped == absl::InfiniteFuture()) return CheckTold(i, call.ended, options_.end_takes);
    if (call.outcome == Outcome::kOk) Object(i, "succeeded after it was cancelled");
    if (call.ended > call.stopped + kSoon && call.waits_for_reply) {
      Object(i, "went on after it was cancelled");
    }
    CheckTold(i, call.stopped, options_.stop_takes);
  }

  // Who still works for a call that is over hears of it.
  void CheckTold(size_t i, absl::Time over, absl::Duration takes) {
    for (const Execution* execution : by_call_[i]) {
      // A cancel that travels by itself may overtake its call.
      const bool ran = execution->began <= over && execution->ended > over + takes;
      if (ran && execution->heard_stop > over + takes) {
        Object(i, fmt::format("host {} did not hear that it was over", execution->host));
      }
    }
  }

  void CheckExecutions(size_t i) {
    const CallRecord& call = ledger_.calls[i];
    for (const Execution* execution : by_call_[i]) {
      if (call.stranger && !execution->impostor) Object(i, "a stranger's call was executed");
      if (execution->impostor) continue;
      if (execution->caller != call.from) Object(i, "was executed in another name");
      if (execution->pod != call.to) Object(i, "was executed by another pod");
      if (execution->operation != call.operation || execution->kind != call.kind) {
        Object(i, "something else was executed for it");
      }
      if (execution->began < call.began) Object(i, "was executed before it was made");
      if (execution->stopped_before) Object(i, "was begun after its cancel had come");
      if (execution->time_left <= absl::ZeroDuration()) Object(i, "was begun too late");
      if (execution->time_left > call.timeout) Object(i, "was given more time than it had");
      CheckFollows(i, *execution);
    }
    if (call.kind < Kind::kWrite || by_call_[i].size() <= 1) return;
    // A responder that failed may have run in vain, and runs again if its answer was lost.
    const bool may_run_again = call.with_key && call.kind != Kind::kWrite &&
                               (call.how == How::kUndeclaredError || call.how == How::kThrow);
    if (!may_run_again) Object(i, fmt::format("was executed {} times", by_call_[i].size()));
  }

  // What uses the answer of another call comes after the execution that made it.
  void CheckFollows(size_t i, const Execution& execution) {
    const int64_t follows = ledger_.calls[i].follows;
    if (follows < 0) return;
    const auto after = static_cast<size_t>(execution.after);
    const bool known = execution.after >= 0 && after < ledger_.executions.size();
    if (!known || ledger_.executions[after].call != follows) {
      Object(i, "was executed with another answer than that of the call before it");
    } else if (ledger_.executions[after].ended > execution.began) {
      Object(i, "was executed before the call whose answer it uses");
    }
  }

  // What was asked for under one key, by however many calls, happened once where its answer is.
  void CheckKeys() {
    std::map<std::tuple<std::string, std::string, int64_t>, int> times;
    for (const Execution& execution : ledger_.executions) {
      const bool kept = execution.how == How::kOk || execution.how == How::kDeclaredError ||
                        execution.how == How::kHeldElsewhere;
      if (execution.answers.empty() || execution.impostor || !kept) continue;
      int& count = times[{execution.caller, execution.answers, execution.operation}];
      if (++count == 2) {
        Object(static_cast<size_t>(execution.call),
               fmt::format("was executed again at {}, which keeps its answer", execution.answers));
      }
    }
  }

  const Ledger& ledger_;
  const JudgeOptions& options_;
  std::vector<std::vector<const Execution*>> by_call_;
  std::vector<std::string> problems_;
};

}  // namespace

std::string CallText(const Ledger& ledger, size_t number) {
  const CallRecord& call = ledger.calls[number];
  std::string text =
      fmt::format("call {} ({}, operation {}) of pod {} to pod {} at {}", number,
                  KindName(call.kind), call.operation, call.from, call.to, At(call.began));
  if (call.stopped != absl::InfiniteFuture()) text += ", cancelled at " + At(call.stopped);
  if (call.ends > 0) {
    text += fmt::format(", ended at {} as {}: {}", At(call.ended), OutcomeName(call.outcome),
                        std::string(call.status.message()));
  }
  for (const Execution& execution : ledger.executions) {
    if (execution.call != static_cast<int64_t>(number)) continue;
    text += fmt::format("; executed by {} from {} to {}", execution.host, At(execution.began),
                        At(execution.ended));
  }
  return text;
}

std::vector<std::string> Judge(const Ledger& ledger, const JudgeOptions& options) {
  return Verdict(ledger, options).Give();
}

}  // namespace podkit::conduit::simulation
