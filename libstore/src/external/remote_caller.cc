#include "external/remote_caller.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(10);

// When the pod wants to be asked again, if it says so.
absl::Duration RetryAfter(const absl::Status& status) {
  if (const auto overloaded = GetError<conduit::Overloaded>(status)) return overloaded->retry_after;
  if (const auto running = GetError<conduit::StillRunning>(status)) return running->retry_after;
  return kRetryAfter;
}

}  // namespace

RemoteCaller::RemoteCaller(const Context& context, RemoteTarget target, Actor actor)
    : context_(context), target_(std::move(target)), actor_(std::move(actor)) {}

absl::StatusOr<std::string> RemoteCaller::NextPod(const std::string& last,
                                                  const absl::Status& answer) const {
  std::string pod;
  if (const auto elsewhere = GetError<HomeElsewhere>(answer)) {
    pod = elsewhere->pod;
  } else {
    PODKIT_ASSIGN_OR_RETURN(pod, PodOf(context_, target_.homeUID));
  }
  if (context_.conduit == nullptr) {
    return conduit::TransportError(conduit::Outcome::kNotExecuted,
                                   "this pod is not connected to others");
  }
  if (pod == last || pod == context_.pod_id) {
    return conduit::TransportError(
        conduit::Outcome::kNotExecuted,
        fmt::format("the pods do not agree on where '{}' lives", target_.homeUID));
  }
  return pod;
}

conduit::CallOptions RemoteCaller::Options() const {
  return {.timeout = context_.options.call_timeout, .actor = actor_.uid, .make_key = true};
}

absl::Status RemoteCaller::Explain(const std::string& pod, const absl::Status& status) const {
  // Would be as large another time.
  if (GetError<conduit::BodyTooLarge>(status)) return status;
  const conduit::Outcome outcome = conduit::OutcomeOf(status);
  // Was not sent, and would not be another time: a text that is none, say.
  if (absl::IsInvalidArgument(status) && conduit::ErrorClass(status).empty() &&
      outcome == conduit::Outcome::kNotExecuted) {
    return MakeError(InvalidRequest{}, std::string(status.message()));
  }
  switch (outcome) {
    case conduit::Outcome::kNotExecuted:
    case conduit::Outcome::kUnknown:
    case conduit::Outcome::kTimedOut:
      break;
    default:
      return status;
  }
  // The outcome goes with it: a caller may need to know whether a write may have happened.
  return conduit::WithOutcome(
      MakeError(
          PodUnavailable{.pod = pod, .retry_after = RetryAfter(status)},
          fmt::format("the data of '{}' on pod '{}' is not available now, try again later: {}",
                      target_.homeUID, pod, std::string(status.message()))),
      outcome);
}

}  // namespace podkit::store
