#include "call_request.h"

#include <utility>

#include "batch/outgoing_batch.h"
#include "common/status_macros.h"
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

}  // namespace

bool CallRequest::keyed() const {
  if (parts_.info.effect != Effect::kWrite) return false;
  return batch() != nullptr ? batch()->every_write_has_key() : !parts_.options.key.empty();
}

std::optional<KeptAnswers> CallRequest::FindKept(
    absl::FunctionRef<std::optional<PeerSchemas::Answers>(std::string_view)> answers_of) const {
  if (batch() != nullptr) return batch()->FindKept(answers_of);
  auto kept = answers_of(parts_.info.name);
  if (!kept) return std::nullopt;
  return KeptAnswers{.ids = {std::move(kept->id)}, .window = kept->window};
}

bool CallRequest::met_another() const { return batch() != nullptr && batch()->met_another(); }

void CallRequest::MayHaveBeenExecuted() const {
  if (batch() != nullptr) batch()->MayHaveBeenExecuted();
}

absl::StatusOr<CallRequest::Made> CallRequest::Make(absl::Time now, absl::Time deadline,
                                                    const TransportTraits& transport,
                                                    const std::vector<std::string>& answers) const {
  Made made;
  RequestParts head{.timeout = deadline - now, .call = parts_.id, .answers = {}};
  std::string frames;
  std::string_view payload;
  if (batch() != nullptr) {
    frames = batch()->Encode(now, deadline, answers);
    payload = frames;
  } else {
    if (!answers.empty()) head.answers = answers.front();
    if (parts_.options.payload != nullptr) payload = *parts_.options.payload;
  }
  PODKIT_RETURN_IF_ERROR(FillBody(EncodeRequest(parts_.info, parts_.options, head, parts_.members),
                                  payload, made.request));
  if (transport.authenticates) return made;
  PODKIT_ASSIGN_OR_RETURN(made.exchange,
                          authenticator_->SignRequest(parts_.pod, now, made.request));
  return made;
}

absl::Status CallRequest::FillBody(std::string json, std::string_view payload,
                                   WireRequest& request) const {
  if (!IsUtf8(json)) {
    return absl::InvalidArgumentError(
        fmt::format("a text in '{}' is not UTF-8: send it as Bytes", parts_.info.name));
  }
  request.content_type = kJsonType;
  request.body = std::move(json);
  if (!payload.empty()) {
    request.content_type = kPayloadType;
    request.body = JoinPayload(request.body, payload);
  }
  if (request.body.size() <= limits_.max_body_bytes) return absl::OkStatus();
  const auto limit = static_cast<int64_t>(limits_.max_body_bytes);
  return conduit::MakeError(BodyTooLarge{limit},
                            fmt::format("'{}' for pod '{}' has {} bytes, more than the limit of {}",
                                        parts_.info.name, pod().id, request.body.size(), limit));
}

absl::StatusOr<JsonDocument> CallRequest::Read(
    WireReply reply, const std::optional<SignedExchange>& exchange) const {
  const size_t max_bytes = limits_.max_body_bytes;
  if (reply.body.size() > max_bytes) {
    const auto limit = static_cast<int64_t>(max_bytes);
    return WithOutcome(
        conduit::MakeError(BodyTooLarge{limit},
                           fmt::format("the answer of pod '{}' to '{}' has {} bytes, more than the "
                                       "limit of {}",
                                       pod().id, parts_.info.name, reply.body.size(), limit)),
        Outcome::kUnknown);
  }
  if (exchange) {
    const absl::Status verified = Authenticator::VerifyReply(*exchange, reply);
    if (!verified.ok()) return UnprovenAnswer(pod().id, parts_.info, reply, verified);
  }
  const JsonLimits limits{max_bytes, limits_.max_json_depth};
  if (batch() == nullptr) {
    return ReadReply(pod().id, parts_.info, std::move(reply), limits,
                     parts_.options.reply_payload.get());
  }
  std::string frames;
  auto document = ReadReply(pod().id, parts_.info, std::move(reply), limits, &frames);
  if (document.ok()) PODKIT_RETURN_IF_ERROR(batch()->Read(pod().id, frames));
  return document;
}

}  // namespace podkit::conduit::internal
