#include "batch/outgoing_batch.h"

#include <algorithm>
#include <utility>

#include "batch/frames.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "outcome.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {
namespace {

bool IsKeyedWrite(const CallRequest& request) {
  return request.info().effect == Effect::kWrite && !request.options().key.empty();
}

bool SaysNotExecuted(const absl::Status& status) {
  const Outcome outcome = OutcomeOf(status);
  return outcome == Outcome::kNotExecuted || outcome == Outcome::kNotImplemented;
}

// A single call would not end with that.
bool GoesOn(const absl::Status& status) {
  const std::string error_class = ErrorClass(status);
  return error_class == HeldElsewhere::kClass || error_class == Overloaded::kClass ||
         error_class == AnswersForgotten::kClass;
}

}  // namespace

OutgoingBatch::OutgoingBatch(std::vector<Call> calls) : calls_(std::move(calls)) {
  for (const Call& call : calls_) problems_.push_back(call.problem);
}

bool OutgoingBatch::nothing_to_send() const {
  MutexLock lock(&mutex_);
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (!LeftOut(i)) return false;
  }
  return true;
}

Effect OutgoingBatch::effect() const {
  Effect effect = Effect::kRead;
  for (const Call& call : calls_) {
    if (call.problem.ok()) effect = std::max(effect, call.request.info().effect);
  }
  return effect;
}

bool OutgoingBatch::every_write_has_key() const {
  return std::all_of(calls_.begin(), calls_.end(), [](const Call& call) {
    return !call.problem.ok() || call.request.info().effect != Effect::kWrite ||
           IsKeyedWrite(call.request);
  });
}

std::optional<KeptAnswers> OutgoingBatch::FindKept(
    absl::FunctionRef<std::optional<PeerSchemas::Answers>(std::string_view)> answers_of) const {
  MutexLock lock(&mutex_);
  KeptAnswers kept;
  for (size_t i = 0; i < calls_.size(); ++i) {
    std::string& id = kept.ids.emplace_back();
    if (LeftOut(i) || !IsKeyedWrite(calls_[i].request)) continue;
    auto answers = answers_of(calls_[i].request.info().name);
    if (!answers) return std::nullopt;
    id = std::move(answers->id);
    kept.window = std::min(kept.window, answers->window);
  }
  return kept;
}

bool OutgoingBatch::LeftOut(size_t index) const {
  return !problems_[index].ok() || (index < refusals_.size() && !refusals_[index].ok());
}

absl::Status OutgoingBatch::Prepare(std::vector<absl::Status> refusals) {
  MutexLock lock(&mutex_);
  const bool same = std::equal(refusals.begin(), refusals.end(), refusals_.begin(), refusals_.end(),
                               [](const auto& a, const auto& b) { return a.ok() == b.ok(); });
  if (maybe_executed_ && !same) {
    return TransportError(Outcome::kNotExecuted, "it does not serve the same calls of the batch");
  }
  refusals_ = std::move(refusals);
  return absl::OkStatus();
}

std::string OutgoingBatch::Encode(absl::Time now, absl::Time deadline,
                                  const std::vector<std::string>& answers) {
  MutexLock lock(&mutex_);
  std::string bytes;
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (LeftOut(i)) {
      AppendBatchFrame({}, &bytes);
      continue;
    }
    std::vector<std::string> counts_on;
    if (i < answers.size() && !answers[i].empty()) counts_on.push_back(answers[i]);
    // The request around them is signed, where that is needed.
    const auto made = calls_[i].request.Make(now, deadline, {.authenticates = true}, counts_on);
    if (!made.ok()) {
      problems_[i] = WithOutcome(made.status(), Outcome::kNotExecuted);
      AppendBatchFrame({}, &bytes);
      continue;
    }
    AppendBatchFrame(
        {.kind = BatchFrame::KindOf(made->request.content_type), .body = made->request.body},
        &bytes);
  }
  results_.clear();
  return bytes;
}

absl::Status OutgoingBatch::Read(std::string_view pod, std::string_view frames) {
  const auto split = SplitBatchFrames(frames, calls_.size());
  const size_t got = split.ok() ? split->size() : 0;
  if (got != calls_.size()) {
    return TransportError(
        Outcome::kUnknown,
        fmt::format(
            "the answer of pod '{}' to a batch of {} calls does not fit: {}", pod, calls_.size(),
            split.ok() ? fmt::format("it has {}", got) : std::string(split.status().message())));
  }
  MutexLock lock(&mutex_);
  results_.clear();
  for (size_t i = 0; i < calls_.size(); ++i) {
    const BatchFrame& frame = (*split)[i];
    if (LeftOut(i)) {
      results_.emplace_back(problems_[i].ok() ? refusals_[i] : problems_[i]);
    } else if (frame.kind == BatchFrame::Kind::kLeftOut) {
      results_.emplace_back(TransportError(
          Outcome::kUnknown, fmt::format("pod '{}' did not answer '{}', call {} of the batch", pod,
                                         calls_[i].request.info().name, i)));
    } else {
      results_.push_back(calls_[i].request.Read({.status = 200,
                                                 .content_type = std::string(frame.content_type()),
                                                 .authorization = {},
                                                 .body = std::string(frame.body)},
                                                std::nullopt));
    }
  }
  return Verdict();
}

// What concerns the batch as a whole is said of it as a whole, so that it is repeated, or goes to
// another host, like a single call.
absl::Status OutgoingBatch::Verdict() const {
  const absl::Status* first = nullptr;
  bool executed = false;
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (LeftOut(i)) continue;
    const absl::Status& status = results_[i].status();
    if (ErrorClass(status) == StillRunning::kClass) return status;
    executed = executed || !SaysNotExecuted(status);
    if (first == nullptr && GoesOn(status)) first = &status;
  }
  return first == nullptr || executed ? absl::OkStatus() : *first;
}

bool OutgoingBatch::met_another() const {
  MutexLock lock(&mutex_);
  for (size_t i = 0; i < results_.size(); ++i) {
    if (LeftOut(i)) continue;
    const absl::Status& status = results_[i].status();
    if (OutcomeOf(status) == Outcome::kNotImplemented ||
        ErrorClass(status) == AnswersForgotten::kClass) {
      return true;
    }
  }
  return false;
}

void OutgoingBatch::MayHaveBeenExecuted() {
  MutexLock lock(&mutex_);
  maybe_executed_ = true;
}

std::vector<absl::StatusOr<JsonDocument>> OutgoingBatch::TakeResults(const absl::Status& whole) {
  MutexLock lock(&mutex_);
  if (!results_.empty()) {
    for (size_t i = 0; i < results_.size(); ++i) {
      const absl::Status status = results_[i].status();
      if (!maybe_executed_ || LeftOut(i) || OutcomeOf(status) != Outcome::kNotExecuted) continue;
      results_[i] = whole.ok() ? WithOutcome(status, Outcome::kUnknown) : whole;
    }
    return std::exchange(results_, {});
  }
  std::vector<absl::StatusOr<JsonDocument>> results;
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (LeftOut(i)) {
      results.emplace_back(problems_[i].ok() ? refusals_[i] : problems_[i]);
    } else {
      results.emplace_back(whole.ok() ? absl::InternalError("no answer") : whole);
    }
  }
  return results;
}

}  // namespace podkit::conduit::internal
