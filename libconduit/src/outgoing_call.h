// One call to another pod, from its first attempt to its one end: sends what its plan says, to the
// hosts that serve best.
//
// Thread-safe. Keeps itself alive until it and all its attempts have ended.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "call_request.h"
#include "common/mutex.h"
#include "greeter.h"
#include "hosts/call_plan.h"
#include "hosts/called_pods.h"
#include "podkit/conduit/conduit.h"

namespace podkit::conduit::internal {

// What the calls of one conduit share; it outlives them.
struct CallEnvironment {
  Transport* transport;
  CalledPods* called;
  Greeter* greeter;  // Null: hosts are called without being met.
  const ConduitOptions* options;
  std::function<absl::Time()> now;
  std::function<Scheduler&()> scheduler;
  std::function<uint64_t()> seed;
  // Tells a host, without waiting, that the call with that id is wanted no more.
  std::function<void(std::string_view pod, std::string_view host, std::string call)> cancel;
  // Once for each call, when nothing of it is left.
  std::function<void()> leave;
};

class OutgoingCall : public std::enable_shared_from_this<OutgoingCall> {
 public:
  using Done = std::function<void(absl::StatusOr<JsonDocument>)>;

  // Begun at `now`.
  OutgoingCall(const CallEnvironment& environment, CallRequest request, absl::Time now, Done done);

  void Begin();

 private:
  struct Attempt {
    std::optional<HostLease> lease;  // While it is out.
    // Only of a call that may have two attempts out; else the caller's own stop is used.
    std::stop_source stop{std::nostopstate};
    absl::Time began;
    std::optional<size_t> host;  // Its place in tried_, once it has one.
    bool sent = false;
    bool is_signed = false;
    std::optional<KeptAnswers> answers;  // On which it counts.
    bool answered = false;  // By the host, or it never went out; else the way there failed.
    absl::StatusOr<JsonDocument> result;
  };

  struct Shape {
    size_t hosts = 0;
    HedgeDelay* delay = nullptr;  // Of a read that may be hedged.
    std::optional<absl::Duration> hedge_after;
  };
  Shape ShapeOf(absl::Time now) const;
  CallPlanOptions PlanOptions() const;

  // Takes a step of the plan at `now`, then does what it says.
  void Step(absl::Time now, absl::FunctionRef<CallPlan::Actions(CallPlan&)> step);
  void Do(absl::Time now, const CallAction& action);
  void Begin(absl::Time now, int attempt, bool hedge);
  void Meet(absl::Time now, int attempt, const std::string& host);
  void MeetForBatch(int attempt, const std::string& host);
  // The host was met for a batch and does not serve these calls of it.
  void MetForBatch(int attempt, const std::string& host, std::vector<absl::Status> refusals);
  // Another host serves more calls of the batch: it is asked again.
  void SendBack(int attempt);
  // The host cannot serve the call, or could not be met.
  void NotSent(int attempt, absl::Status why);
  void Send(absl::Time now, int attempt, const std::string& host);
  absl::StatusOr<HostLease> PickHost(bool hedge, absl::Time now);
  // The host that is said to hold what the call is for; once.
  std::string TakeRoute();
  void Redirected(int attempt, absl::Status why, const HeldElsewhere& held);
  void Replied(int attempt, const std::optional<SignedExchange>& exchange,
               absl::StatusOr<WireReply> reply);
  // The host did not take it as it was sent, and now it is to be sent otherwise: to the same host.
  bool GoesAnotherWay(int attempt, const absl::Status& why);
  // The host did not take it, and nothing is wrong with sending it again.
  void Returned(int attempt, absl::Status why);
  // A first call with the same key is being executed.
  void Running(int attempt, absl::Status why, absl::Duration retry_after);
  // Whether the host has the answers that the call counts on, if it counts on any.
  absl::Status CountOnAnswers(int attempt, const std::string& host);
  std::vector<std::string> AnswersOf(int attempt);
  // After an attempt may have been executed: whether the call may be repeated, and from now on
  // where its answer is.
  bool MayBeRepeated(int attempt, absl::Time now);
  std::stop_token StopOf(int attempt);
  bool HasUntriedHost() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `retry_after` as in CallPlan.
  void End(int attempt, absl::StatusOr<JsonDocument> result, bool answered,
           std::optional<absl::Duration> retry_after);
  void Settle(absl::Time now, int attempt, absl::StatusOr<JsonDocument> result, bool answered,
              std::optional<absl::Duration> retry_after);
  void NoteFailure(std::string why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetTimer(absl::Time at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CancelTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TimerFired(absl::Time at);
  void CancelAttempt(int attempt);
  void Stopped();
  void Finish(const CallAction& action);
  void TellHost(const CallAction& action) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WithHistory(const absl::Status& failure) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release();

  const CallEnvironment& environment_;
  const CallRequest request_;
  const Done done_;
  CalledPod& called_;
  const absl::Time began_;
  const absl::Time deadline_;
  const bool keyed_;  // As the request.
  const Shape shape_;

  Mutex mutex_;
  CallPlan plan_ ABSL_GUARDED_BY(mutex_);
  absl::InlinedVector<Attempt, 1> attempts_ ABSL_GUARDED_BY(mutex_);  // By their numbers.
  std::vector<std::string> tried_ ABSL_GUARDED_BY(mutex_);            // Hosts.
  std::string route_ ABSL_GUARDED_BY(mutex_);                         // For the next attempt.
  // Of the first attempt that may have been executed: no other ones will do.
  std::optional<KeptAnswers> answers_ ABSL_GUARDED_BY(mutex_);
  struct Refusals {
    size_t calls = std::numeric_limits<size_t>::max();
    std::string host;
  };
  Refusals fewest_ ABSL_GUARDED_BY(mutex_);  // Of a batch: who refused the fewest of its calls.
  std::vector<std::string> failures_ ABSL_GUARDED_BY(mutex_);  // Each once.
  std::optional<uint64_t> timer_ ABSL_GUARDED_BY(mutex_);
  int holders_ ABSL_GUARDED_BY(mutex_) = 1;  // The call itself, and what is under way for it.
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace podkit::conduit::internal
