#include "external/remote_caller.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(10);

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
  switch (conduit::OutcomeOf(status)) {
    case conduit::Outcome::kNotExecuted:
    case conduit::Outcome::kUnknown:
    case conduit::Outcome::kTimedOut:
      break;
    default:
      return status;
  }
  absl::Status unavailable = MakeError(
      PodUnavailable{.pod = pod, .retry_after = kRetryAfter},
      fmt::format("the data of '{}' on pod '{}' is not available now, try again later: {}",
                  target_.homeUID, pod, std::string(status.message())));
  // The outcome goes with it: a caller may need to know whether a write may have happened.
  status.ForEachPayload([&](auto type, const auto& payload) {
    if (!unavailable.GetPayload(type)) unavailable.SetPayload(type, payload);
  });
  return unavailable;
}

}  // namespace podkit::store
