#include "outgoing_call.h"

#include <utility>

#include "fmt/format.h"
#include "outcome.h"
#include "payload_body.h"

namespace podkit::conduit::internal {
namespace {

// An answer that is not authentic proves nothing: anybody on the way may have made it.
absl::Status UnprovenAnswer(std::string_view pod, const CommandInfo& info, const WireReply& reply,
                            const absl::Status& why) {
  if (!reply.authorization.empty()) {
    return TransportError(Outcome::kUnknown, fmt::format("the answer of pod '{}' to '{}' {}", pod,
                                                         info.name, std::string(why.message())));
  }
  if (reply.status == 403) {
    return TransportError(Outcome::kUnknown,
                          fmt::format("pod '{}' does not accept our signature for '{}': check that "
                                      "both pods have the same key and that their clocks agree",
                                      pod, info.name));
  }
  if (reply.status == 413) {
    return WithOutcome(
        conduit::MakeError(BodyTooLarge{}, fmt::format("pod '{}' says, unsigned, that the "
                                                       "request '{}' is too large for it",
                                                       pod, info.name)),
        Outcome::kUnknown);
  }
  return TransportError(Outcome::kUnknown,
                        fmt::format("pod '{}' answered '{}' with HTTP status {} and no signature",
                                    pod, info.name, reply.status));
}

std::string NewCallId(const CallOptions& options, const Transport& transport) {
  const bool needs_one = options.stop.stop_possible() && !transport.traits().carries_stop;
  return needs_one ? RandomHex(8) : std::string();
}

}  // namespace

OutgoingCall::OutgoingCall(const CallEnvironment& environment, std::shared_ptr<const Pod> pod,
                           const CommandInfo& info, std::string members, CallOptions options,
                           Done done)
    : environment_(environment),
      pod_(std::move(pod)),
      info_(info),
      members_(std::move(members)),
      options_(std::move(options)),
      done_(std::move(done)),
      deadline_(environment.now() + options_.timeout),
      id_(NewCallId(options_, *environment.transport)) {}

void OutgoingCall::Begin() {
  hosts_ = options_.host.empty()
               ? environment_.hosts->Order(pod_->id, environment_.transport->HostsOf(*pod_))
               : std::vector<std::string>{options_.host};
  if (hosts_.empty()) {
    Finish(TransportError(Outcome::kNotExecuted,
                          fmt::format("pod '{}': no host of it is known", pod_->id)));
    return;
  }
  TryNextHost();
}

void OutgoingCall::TryNextHost() {
  const absl::Time now = environment_.now();
  Sending sending{.pod = pod_,
                  .host = hosts_[tried_],
                  .request = {.content_type = std::string(kJsonType)},
                  .deadline = deadline_,
                  .stop = options_.stop,
                  .done = {}};
  const absl::Status good =
      FillBody(EncodeRequest(info_, options_, deadline_ - now, id_, members_), sending.request);
  if (!good.ok()) {
    Finish(WithOutcome(good, Outcome::kNotExecuted));
    return;
  }
  std::optional<SignedExchange> exchange;
  if (!environment_.transport->traits().authenticates) {
    auto signed_exchange = environment_.authenticator->SignRequest(pod_, now, sending.request);
    if (!signed_exchange.ok()) {
      Finish(WithOutcome(std::move(signed_exchange).status(), Outcome::kNotExecuted));
      return;
    }
    exchange = *std::move(signed_exchange);
  }
  sending.done = [self = shared_from_this(),
                  exchange = std::move(exchange)](absl::StatusOr<WireReply> reply) {
    self->Attempted(std::move(reply), exchange);
  };
  environment_.transport->Send(std::move(sending));
}

absl::Status OutgoingCall::FillBody(std::string json, WireRequest& request) const {
  if (!IsUtf8(json)) {
    return absl::InvalidArgumentError(
        fmt::format("a text in '{}' is not UTF-8: send it as Bytes", info_.name));
  }
  request.body = std::move(json);
  if (options_.payload != nullptr && !options_.payload->empty()) {
    request.content_type = kPayloadType;
    request.body = JoinPayload(request.body, *options_.payload);
  }
  const size_t max_bytes = environment_.options->max_body_bytes;
  if (request.body.size() <= max_bytes) return absl::OkStatus();
  const auto limit = static_cast<int64_t>(max_bytes);
  return conduit::MakeError(BodyTooLarge{limit},
                            fmt::format("'{}' for pod '{}' has {} bytes, more than the limit of {}",
                                        info_.name, pod_->id, request.body.size(), limit));
}

void OutgoingCall::Attempted(absl::StatusOr<WireReply> reply,
                             const std::optional<SignedExchange>& exchange) {
  if (!reply.ok()) return Fail(std::move(reply).status());
  environment_.hosts->Answered(pod_->id, hosts_[tried_]);
  Finish(Read(*std::move(reply), exchange));
}

absl::StatusOr<JsonDocument> OutgoingCall::Read(
    WireReply reply, const std::optional<SignedExchange>& exchange) const {
  const size_t max_bytes = environment_.options->max_body_bytes;
  if (reply.body.size() > max_bytes) {
    const auto limit = static_cast<int64_t>(max_bytes);
    return WithOutcome(
        conduit::MakeError(BodyTooLarge{limit},
                           fmt::format("the answer of pod '{}' to '{}' has {} bytes, more than the "
                                       "limit of {}",
                                       pod_->id, info_.name, reply.body.size(), limit)),
        Outcome::kUnknown);
  }
  if (exchange) {
    const absl::Status verified = Authenticator::VerifyReply(*exchange, reply);
    if (!verified.ok()) return UnprovenAnswer(pod_->id, info_, reply, verified);
  }
  return ReadReply(pod_->id, info_, std::move(reply),
                   {max_bytes, environment_.options->max_json_depth}, options_.reply_payload.get());
}

// Goes on with the next host as long as nothing was executed and there is time.
void OutgoingCall::Fail(absl::Status failure) {
  failures_ += fmt::format("{}{}", failures_.empty() ? "" : "; ", std::string(failure.message()));
  const Outcome outcome = OutcomeOf(failure);
  if (outcome == Outcome::kNotExecuted && deadline_ > environment_.now() &&
      tried_ + 1 < hosts_.size()) {
    ++tried_;
    return TryNextHost();
  }
  if (outcome == Outcome::kCancelled && !id_.empty()) {
    environment_.cancel(pod_->id, hosts_[tried_], id_);
  }
  Finish(WithMessage(failure, fmt::format("pod '{}': {}", pod_->id, failures_)));
}

void OutgoingCall::Finish(absl::StatusOr<JsonDocument> result) { done_(std::move(result)); }

}  // namespace podkit::conduit::internal
