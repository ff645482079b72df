// How an OutgoingCall that carries a batch meets a host.
#include <algorithm>
#include <utility>

#include "batch/meet_all.h"
#include "batch/outgoing_batch.h"
#include "outcome.h"
#include "outgoing_call.h"

namespace podkit::conduit::internal {

void OutgoingCall::MeetForBatch(int attempt, const std::string& host) {
  std::vector<MeetAll::Asked> asked = {{request_.declared(), request_.members()}};
  for (const OutgoingBatch::Call& call : request_.batch()->calls()) {
    // What is never sent need not be served.
    asked.push_back(
        {call.problem.ok() ? call.request.declared() : nullptr, call.request.members()});
  }
  MeetAll::Start({.greeter = environment_.greeter,
                  .peer = {request_.pod().id, host},
                  .asked = std::move(asked),
                  .deadline = deadline_,
                  .stop = StopOf(attempt),
                  .now = environment_.now,
                  .done = [self = shared_from_this(), attempt,
                           host](absl::StatusOr<std::vector<absl::Status>> refusals) {
                    if (!refusals.ok()) return self->NotSent(attempt, std::move(refusals).status());
                    if (!refusals->front().ok())
                      return self->NotSent(attempt, std::move(refusals->front()));
                    refusals->erase(refusals->begin());
                    self->MetForBatch(attempt, host, *std::move(refusals));
                  }});
}

void OutgoingCall::MetForBatch(int attempt, const std::string& host,
                               std::vector<absl::Status> refusals) {
  const auto is_refusal = [](const absl::Status& one) { return !one.ok(); };
  const auto found = std::find_if(refusals.begin(), refusals.end(), is_refusal);
  const absl::Status first = found == refusals.end() ? absl::OkStatus() : *found;
  const auto count =
      static_cast<size_t>(std::count_if(refusals.begin(), refusals.end(), is_refusal));
  if (count > 0) {
    bool untried = false;
    bool worse = false;
    {
      MutexLock lock(&mutex_);
      untried = HasUntriedHost();
      if (count < fewest_.calls) fewest_ = {count, host};
      worse = !untried && fewest_.calls < count;
    }
    // Another host of the pod may be of another version.
    if (untried) {
      return End(attempt, WithOutcome(first, Outcome::kNotExecuted), false, std::nullopt);
    }
    if (worse) return SendBack(attempt);
  }
  const absl::Status prepared = request_.batch()->Prepare(std::move(refusals));
  if (!prepared.ok()) return End(attempt, prepared, false, std::nullopt);
  if (request_.batch()->nothing_to_send()) {
    return End(attempt, first, true, absl::InfiniteDuration());
  }
  Send(environment_.now(), attempt, host);
}

void OutgoingCall::SendBack(int attempt) {
  const absl::Time now = environment_.now();
  {
    MutexLock lock(&mutex_);
    route_ = fewest_.host;
    // Once: if it cannot be called now, the next one has to do.
    fewest_ = {};
  }
  Settle(now, attempt, TransportError(Outcome::kNotExecuted, "another host serves more of it"),
         true, std::nullopt);
  Step(now, [&](CallPlan& plan) { return plan.Redirected(attempt, now); });
  Release();
}

}  // namespace podkit::conduit::internal
