#include "podkit/conduit/conduit.h"

#include <algorithm>
#include <cassert>
#include <exception>
#include <map>
#include <utility>

#include "authenticator.h"
#include "call_counter.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "envelope.h"
#include "fmt/format.h"
#include "hmac.h"
#include "log_limiter.h"
#include "outcome.h"
#include "utf8.h"

namespace podkit::conduit {
namespace {

using internal::CallCounter;
using internal::ForLog;
using internal::WithOutcome;

// What a caller may rely on when a call is refused before it is sent.
absl::Status NotSent(absl::Status status) {
  return WithOutcome(std::move(status), Outcome::kNotExecuted);
}

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
    return WithOutcome(MakeError(BodyTooLarge{}, fmt::format("pod '{}' says, unsigned, that the "
                                                             "request '{}' is too large for it",
                                                             pod, info.name)),
                       Outcome::kUnknown);
  }
  return TransportError(Outcome::kUnknown,
                        fmt::format("pod '{}' answered '{}' with HTTP status {} and no signature",
                                    pod, info.name, reply.status));
}

}  // namespace

namespace internal {
namespace {

JsonValue Constant(const char* text) {
  // Never destroyed: values may be used until the program ends.
  static const auto* const object = new JsonDocument(*JsonDocument::Parse("{}"));
  static const auto* const array = new JsonDocument(*JsonDocument::Parse("[]"));
  return text[0] == '{' ? object->root() : array->root();
}

}  // namespace

JsonValue EmptyObject() { return Constant("{}"); }
JsonValue EmptyArray() { return Constant("[]"); }

}  // namespace internal

struct Conduit::Impl {
  struct Command {
    std::vector<std::string_view> errors;
    Conduit::Responder responder;
    CallCounter received;
  };
  using Answer = absl::StatusOr<std::string>;  // The value as JSON.

  const std::shared_ptr<Pods> pods;
  Transport* const transport;
  const ConduitOptions options;
  const JsonLimits json_limits;
  internal::Authenticator authenticator;
  internal::LogLimiter refusal_log{10, absl::Minutes(1)};
  std::map<std::string, Command, std::less<>> commands;  // Complete before the first Receive.
  mutable Mutex sent_mutex;
  std::map<std::string, CallCounter, std::less<>> sent ABSL_GUARDED_BY(sent_mutex);

  Impl(std::shared_ptr<Pods> the_pods, Transport* the_transport, ConduitOptions the_options)
      : pods(std::move(the_pods)),
        transport(the_transport),
        options(std::move(the_options)),
        json_limits{options.max_body_bytes, options.max_json_depth},
        authenticator(pods, options.max_clock_skew, options.now()) {}

  void Log(LogLevel level, std::string_view line) const {
    if (options.log) options.log(level, line);
  }

  absl::Status CheckCall(std::string_view pod, const Pod* target, const CommandInfo& info,
                         const std::string& envelope, const CallOptions& call) const;
  absl::StatusOr<JsonDocument> Exchange(std::string_view pod, const CommandInfo& info,
                                        std::string envelope, const CallOptions& call);
  void CountSent(std::string_view command, bool ok, absl::Duration took);

  void LogRefusal(const WireRequest& request, const absl::Status& why);
  Answer AnswerRequest(const std::shared_ptr<const Pod>& caller, const WireRequest& request);
  Answer Run(Command& command, std::string_view action, const CallContext& context,
             const JsonValue& request);
  // The error that stands for one which the caller must not see; the log gets the cause.
  absl::Status Conceal(std::string_view action, const CallContext& context,
                       const absl::Status& cause);
  WireReply MakeReply(const Answer& answer) const;
};

absl::Status Conduit::Impl::CheckCall(std::string_view pod, const Pod* target,
                                      const CommandInfo& info, const std::string& envelope,
                                      const CallOptions& call) const {
  if (pod == pods->own_id()) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is for pod '{}' itself, which needs no conduit", info.name, pod));
  }
  if (target == nullptr) {
    return absl::NotFoundError(
        fmt::format("no pod '{}' for '{}': add it to the pods file", ForLog(pod, 64), info.name));
  }
  if (call.actor.size() > internal::kMaxActorBytes) {
    return absl::InvalidArgumentError(fmt::format("the actor of '{}' has more than {} bytes",
                                                  info.name, internal::kMaxActorBytes));
  }
  if (!IsUtf8(envelope)) {
    return absl::InvalidArgumentError(
        fmt::format("a text in '{}' is not UTF-8: send it as Bytes", info.name));
  }
  if (envelope.size() > options.max_body_bytes) {
    const auto limit = static_cast<int64_t>(options.max_body_bytes);
    return MakeError(BodyTooLarge{limit},
                     fmt::format("'{}' for pod '{}' has {} bytes, more than the limit of {}",
                                 info.name, pod, envelope.size(), limit));
  }
  if (call.timeout <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError(
        fmt::format("no time was left to call '{}' on pod '{}'", info.name, pod));
  }
  return absl::OkStatus();
}

absl::StatusOr<JsonDocument> Conduit::Impl::Exchange(std::string_view pod, const CommandInfo& info,
                                                     std::string envelope,
                                                     const CallOptions& call) {
  const auto target = pods->Find(pod);
  absl::Status status = CheckCall(pod, target.get(), info, envelope, call);
  if (!status.ok()) return NotSent(std::move(status));
  const absl::Time now = options.now();
  WireRequest request;
  request.content_type = internal::kJsonType;
  request.body = std::move(envelope);
  auto exchange = authenticator.SignRequest(target, now, request);
  if (!exchange.ok()) return NotSent(std::move(exchange).status());
  auto reply = transport->Send(*target, request, now + call.timeout);
  if (!reply.ok()) return std::move(reply).status();
  if (reply->body.size() > options.max_body_bytes) {
    const auto limit = static_cast<int64_t>(options.max_body_bytes);
    return WithOutcome(
        MakeError(BodyTooLarge{limit},
                  fmt::format("the answer of pod '{}' to '{}' has {} bytes, more than the limit "
                              "of {}",
                              pod, info.name, reply->body.size(), limit)),
        Outcome::kUnknown);
  }
  status = internal::Authenticator::VerifyReply(*exchange, *reply);
  if (!status.ok()) return UnprovenAnswer(pod, info, *reply, status);
  return internal::ReadReply(pod, info, *std::move(reply), json_limits);
}

void Conduit::Impl::CountSent(std::string_view command, bool ok, absl::Duration took) {
  MutexLock lock(&sent_mutex);
  auto entry = sent.find(command);
  if (entry == sent.end()) entry = sent.try_emplace(std::string(command)).first;
  entry->second.Add(ok, took);
}

void Conduit::Impl::LogRefusal(const WireRequest& request, const absl::Status& why) {
  const auto left_out = refusal_log.Admit(options.now());
  if (!left_out) return;
  Log(LogLevel::kWarning,
      fmt::format("refused a request of {} bytes: it {}{}", request.body.size(),
                  ForLog(std::string(why.message())),
                  *left_out == 0 ? "" : fmt::format(" ({} more were refused before)", *left_out)));
}

Conduit::Impl::Answer Conduit::Impl::AnswerRequest(const std::shared_ptr<const Pod>& caller,
                                                   const WireRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const JsonDocument document,
                          internal::ParseRequest(request, json_limits));
  PODKIT_ASSIGN_OR_RETURN(const internal::RequestHead head,
                          internal::ReadRequestHead(document.root()));
  const auto command = commands.find(head.action);
  if (command == commands.end()) {
    const std::string action(head.action.substr(0, 64));
    return MakeError(UnknownAction{action, options.version},
                     fmt::format("pod '{}' (version {}) knows no action '{}'", pods->own_id(),
                                 options.version, action));
  }
  const absl::Time start = options.now();
  const CallContext context{caller, std::string(head.actor), start + head.timeout};
  Answer answer = Run(command->second, head.action, context, document.root());
  command->second.received.Add(answer.ok(), options.now() - start);
  return answer;
}

Conduit::Impl::Answer Conduit::Impl::Run(Command& command, std::string_view action,
                                         const CallContext& context, const JsonValue& request) {
  Answer answer = absl::UnknownError("threw something that is not a std::exception");
  try {
    answer = command.responder(context, request);
  } catch (const std::exception& exception) {
    answer = absl::InternalError(fmt::format("threw {}", exception.what()));
  } catch (...) {
  }
  if (!answer.ok()) {
    const std::string error_class = ErrorClass(answer.status());
    const bool declared = internal::IsConduitError(error_class) ||
                          std::find(command.errors.begin(), command.errors.end(), error_class) !=
                              command.errors.end();
    if (declared && IsUtf8(ErrorFieldsJson(answer.status()))) return answer;
    return Conceal(action, context, answer.status());
  }
  if (!IsUtf8(*answer)) {
    return Conceal(action, context, absl::InternalError("a text in the answer is not UTF-8"));
  }
  if (answer->size() > options.max_body_bytes) {
    const auto limit = static_cast<int64_t>(options.max_body_bytes);
    return MakeError(BodyTooLarge{limit},
                     fmt::format("'{}' was executed, but its answer of {} bytes is larger than the "
                                 "limit of {}",
                                 action, answer->size(), limit));
  }
  return answer;
}

absl::Status Conduit::Impl::Conceal(std::string_view action, const CallContext& context,
                                    const absl::Status& cause) {
  const std::string reference = fmt::format("{}-{}", pods->own_id(), internal::RandomHex(8));
  Log(LogLevel::kError,
      fmt::format("{}: '{}' called by pod '{}' for '{}' failed: {}", reference, action,
                  context.caller->id, ForLog(context.actor), ForLog(cause.ToString(), 4096)));
  return MakeError(InternalError{reference},
                   fmt::format("pod '{}' failed to answer '{}'; its log has the cause under {}",
                               pods->own_id(), action, reference));
}

WireReply Conduit::Impl::MakeReply(const Answer& answer) const {
  if (!answer.ok()) return internal::ExceptionReply(answer.status());
  return internal::OkReply(*answer);
}

Conduit::Conduit(std::shared_ptr<Pods> pods, Transport* transport, ConduitOptions options)
    : impl_(std::make_unique<Impl>(std::move(pods), transport, std::move(options))) {
  Handle<Ping>([](const CallContext&, const Nothing&) { return absl::OkStatus(); });
}

Conduit::~Conduit() = default;

const Pods& Conduit::pods() const { return *impl_->pods; }

void Conduit::Register(const CommandInfo& info, std::vector<std::string_view> errors,
                       Responder responder) {
  const auto [entry, inserted] = impl_->commands.try_emplace(std::string(info.name));
  assert(inserted && "a command has two responders");
  static_cast<void>(inserted);
  entry->second.errors = std::move(errors);
  entry->second.responder = std::move(responder);
}

void Conduit::BeginRequest(JsonWriter& writer, const CommandInfo& info,
                           const CallOptions& options) {
  writer.BeginObject();
  writer.Key("action");
  writer.String(info.name);
  if (!options.actor.empty()) {
    writer.Key("actor");
    writer.String(options.actor);
  }
  const absl::Duration timeout =
      std::clamp(options.timeout, absl::Milliseconds(1), internal::kMaxTimeout);
  writer.Key("timeout_ms");
  writer.Integer(absl::ToInt64Milliseconds(timeout));
}

absl::StatusOr<JsonDocument> Conduit::Exchange(std::string_view pod, const CommandInfo& info,
                                               std::string envelope, const CallOptions& options) {
  const absl::Time start = impl_->options.now();
  auto result = impl_->Exchange(pod, info, std::move(envelope), options);
  impl_->CountSent(info.name, result.ok(), impl_->options.now() - start);
  return result;
}

absl::Status Conduit::BadValue(std::string_view pod, const CommandInfo& info,
                               const absl::Status& status) {
  return TransportError(Outcome::kUnknown,
                        fmt::format("the answer of pod '{}' to '{}' does not fit: {}", pod,
                                    info.name, std::string(status.message())));
}

WireReply Conduit::Receive(const WireRequest& request) {
  if (request.body.size() > impl_->options.max_body_bytes) {
    WireReply too_large;
    too_large.status = 413;
    return too_large;
  }
  const WireReply refusal{.status = 403, .content_type = {}, .authorization = {}, .body = {}};
  const auto exchange = impl_->authenticator.VerifyRequest(request, impl_->options.now());
  if (!exchange.ok()) {
    impl_->LogRefusal(request, exchange.status());
    return refusal;
  }
  WireReply reply = impl_->MakeReply(impl_->AnswerRequest(exchange->peer, request));
  const absl::Status signed_reply = internal::Authenticator::SignReply(*exchange, reply);
  if (!signed_reply.ok()) {
    impl_->Log(LogLevel::kError, fmt::format("pod '{}' gets no answer: {}", exchange->peer->id,
                                             std::string(signed_reply.message())));
    return refusal;
  }
  return reply;
}

std::vector<CommandStats> Conduit::Stats() const {
  std::map<std::string, CommandStats> stats;
  for (const auto& [name, command] : impl_->commands) {
    CommandStats& one = stats[name];
    one.received = command.received.calls();
    one.received_failed = command.received.failed();
    one.received_seconds = command.received.seconds();
  }
  {
    MutexLock lock(&impl_->sent_mutex);
    for (const auto& [name, counter] : impl_->sent) {
      CommandStats& one = stats[name];
      one.sent = counter.calls();
      one.sent_failed = counter.failed();
      one.sent_seconds = counter.seconds();
    }
  }
  std::vector<CommandStats> all;
  for (auto& [name, one] : stats) {
    one.command = name;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace podkit::conduit
