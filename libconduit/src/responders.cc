#include "responders.h"

#include <algorithm>
#include <cassert>
#include <exception>
#include <set>
#include <utility>

#include "batch/references.h"
#include "common/status_macros.h"
#include "common/with_message.h"
#include "fmt/format.h"
#include "hmac.h"
#include "outcome.h"
#include "utf8.h"

namespace podkit::conduit::internal {
namespace {

constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

absl::Status Busy(std::string_view pod, std::string_view action, std::string_view what) {
  return conduit::MakeError(Overloaded{kRetryAfter},
                            fmt::format("pod '{}' did not begin '{}': {}; try again in {}", pod,
                                        action, what, absl::FormatDuration(kRetryAfter)));
}

}  // namespace

Responders::Opened::Opened(Responders* responders, std::shared_ptr<const Pod> caller,
                           JsonDocument document)
    : responders_(responders), caller_(std::move(caller)), document_(std::move(document)) {}

Responders::Opened::~Opened() {
  if (command_ != nullptr) --command_->in_flight;
  if (admitted_) responders_->admission_.Leave(caller_->id);
}

Responders::Responders(std::string own_pod, const ConduitOptions& options,
                       std::function<absl::Time()> now)
    : own_pod_(std::move(own_pod)),
      options_(options),
      now_(std::move(now)),
      json_limits_{options.max_body_bytes, options.max_json_depth},
      admission_(options.max_calls_per_pod) {}

void Responders::Register(const CommandInfo& info, std::vector<std::string_view> errors,
                          const HandleOptions& options, Responder responder) {
  const auto [entry, inserted] = commands_.try_emplace(std::string(info.name));
  assert(inserted && "a command has two responders");
  static_cast<void>(inserted);
  entry->second.errors = std::move(errors);
  entry->second.options = options;
  entry->second.responder = std::move(responder);
}

absl::StatusOr<std::unique_ptr<Responders::Opened>> Responders::Open(
    std::shared_ptr<const Pod> caller, const WireRequest& request, std::stop_token stop) {
  std::string_view payload;
  PODKIT_ASSIGN_OR_RETURN(JsonDocument document, ParseRequest(request, json_limits_, &payload));
  if (document.root().Member(kUseMember)) {
    return conduit::MakeError(InvalidArguments{}, "$.use: only a call in a batch has references");
  }
  return Open(std::make_unique<Opened>(this, std::move(caller), std::move(document)), payload,
              std::move(stop));
}

absl::StatusOr<std::unique_ptr<Responders::Opened>> Responders::OpenInner(
    const CallContext& batch, JsonDocument document, std::string_view payload) {
  auto opened = std::make_unique<Opened>(this, batch.caller, std::move(document));
  opened->batch_deadline_ = batch.deadline;
  return Open(std::move(opened), payload, batch.stop);
}

absl::StatusOr<std::unique_ptr<Responders::Opened>> Responders::Open(std::unique_ptr<Opened> opened,
                                                                     std::string_view payload,
                                                                     std::stop_token stop) {
  PODKIT_ASSIGN_OR_RETURN(opened->head_, ReadRequestHead(opened->document_.root()));
  opened->received_ = now_();
  PODKIT_RETURN_IF_ERROR(Admit(*opened));
  opened->payload_ = payload;
  if (stop.stop_possible()) {
    opened->stop_ = std::move(stop);
  } else if (!opened->head_.call.empty()) {
    opened->stop_ =
        opened->running_.emplace(&running_, opened->caller_->id, std::string(opened->head_.call))
            .token();
  }
  return opened;
}

absl::Status Responders::Admit(Opened& opened) {
  // The cut may be within a character.
  const std::string action = RepairUtf8(std::string(opened.head_.action.substr(0, 64)));
  const auto command = commands_.find(opened.head_.action);
  if (command == commands_.end()) {
    return conduit::MakeError(UnknownAction{action, options_.version},
                              fmt::format("pod '{}' (version {}) knows no action '{}'", own_pod_,
                                          options_.version, action));
  }
  if (!opened.batch_deadline_) {
    if (!admission_.Enter(opened.caller_->id)) {
      return Busy(own_pod_, action, "too many calls of this caller are in work");
    }
    opened.admitted_ = true;
  }
  opened.command_ = &command->second;
  const size_t limit = command->second.options.max_in_flight;
  if (++command->second.in_flight > limit && limit > 0) {
    return Busy(own_pod_, action, "too many calls of this command are in work");
  }
  if (opened.head_.store_token) return token_guard_.Check(*opened.head_.store_token);
  return absl::OkStatus();
}

WireReply Responders::RefuseBusy(const Opened& opened) const {
  return ExceptionReply(Busy(own_pod_, opened.head_.action, "too many calls wait for a thread"));
}

RunCall Responders::Run(Opened& opened, size_t room) {
  const absl::Time start = now_();
  AnswerStore* const answers = opened.command_->options.answers;
  const bool keyed = answers != nullptr && !opened.head_.key.empty();
  RunCall done = keyed ? RunOnce(opened, *answers) : RunNow(opened, nullptr);
  // Of an answer that was kept, too.
  const size_t size = done.reply.body.size();
  if (done.ok && size > options_.max_body_bytes) {
    done = {.reply = ExceptionReply(TooLarge(opened.head_.action, size))};
  } else if (size > room) {
    done = {.reply = ExceptionReply(NoRoom(opened.head_.action, done, room))};
  }
  opened.command_->received.Add(done.ok, now_() - start);
  return done;
}

RunCall Responders::RunOnce(const Opened& opened, AnswerStore& answers) {
  const JsonValue request = opened.document_.root();
  const KeyedCall call{.caller = opened.caller_->id,
                       .key = std::string(opened.head_.key),
                       .command = std::string(opened.head_.action),
                       .digest = DigestOf(request, opened.payload_),
                       .request = request};
  return keyed_calls_.Run(
      answers, call, opened.head_.answers, [&] { return RunNow(opened, &call); },
      [&](const absl::Status& error) { return Declared(opened, error); },
      [&](const absl::Status& error) {
        if (!options_.log) return;
        options_.log(LogLevel::kError,
                     fmt::format("the answer of '{}' to pod '{}' is not kept for a repeat: {}",
                                 call.command, call.caller, ForLog(error.ToString(), 4096)));
      });
}

RunCall Responders::RunNow(const Opened& opened, const KeyedCall* keyed) const {
  const RequestHead& head = opened.head_;
  std::string payload;
  const absl::Time deadline = opened.received_ + head.timeout;
  const CallContext context{
      .caller = opened.caller_,
      .actor = std::string(head.actor),
      .deadline = std::min(deadline, opened.batch_deadline_.value_or(deadline)),
      .stop = opened.stop_,
      .key = std::string(head.key),
      .keyed = keyed,
      .trace = std::string(head.trace),
      .store_token = head.store_token,
      .payload = opened.payload_,
      .reply_payload = &payload};
  const Answer answer = AnswerCommand(opened, context);
  if (!answer.ok()) {
    const absl::Status error = Declared(opened, answer.status());
    return {.reply = ExceptionReply(error), .keep = HoldsForRepeats(error)};
  }
  return {.reply = OkReply(*answer, payload), .ok = true, .keep = true};
}

absl::Status Responders::TooLarge(std::string_view action, size_t size) const {
  const auto limit = static_cast<int64_t>(options_.max_body_bytes);
  return conduit::MakeError(
      BodyTooLarge{limit},
      fmt::format("'{}' was executed, but its answer of {} bytes is larger than the limit of {}",
                  action, size, limit));
}

absl::Status Responders::NoRoom(std::string_view action, const RunCall& done, size_t room) {
  return conduit::MakeError(
      BodyTooLarge{static_cast<int64_t>(room)},
      fmt::format(
          "'{}' {}, but the {} bytes of its answer do not fit into the {} that are left for "
          "it in its batch: call it by itself",
          action, done.ok ? "was executed" : "failed", done.reply.body.size(), room));
}

Responders::Answer Responders::AnswerCommand(const Opened& opened,
                                             const CallContext& context) const {
  if (now_() >= context.deadline || context.stop.stop_requested()) {
    return conduit::MakeError(TooLate{}, fmt::format("the time of '{}' was over before pod '{}' "
                                                     "began with it",
                                                     opened.head_.action, own_pod_));
  }
  Answer answer = CallResponder(*opened.command_, context, opened.document_.root());
  // Who decodes a call says where in it the fault is; of which call is known here.
  const std::string message(answer.status().message());
  if (GetError<InvalidArguments>(answer.status()) && message.starts_with('$')) {
    return WithMessage(answer.status(), fmt::format("the call of '{}' does not fit: {}",
                                                    opened.head_.action, message));
  }
  if (answer.ok() && !IsUtf8(*answer)) {
    return absl::InternalError("a text in the answer is not UTF-8");
  }
  return answer;
}

absl::Status Responders::Declared(const Opened& opened, const absl::Status& error) const {
  const std::string error_class = ErrorClass(error);
  const auto& errors = opened.command_->errors;
  const bool declared = IsConduitError(error_class) ||
                        std::find(errors.begin(), errors.end(), error_class) != errors.end();
  return declared && IsUtf8(ErrorFieldsJson(error)) ? error : Conceal(opened, error);
}

Responders::Answer Responders::CallResponder(const Command& command, const CallContext& context,
                                             const JsonValue& request) const {
  try {
    return command.responder(context, request);
  } catch (const std::exception& exception) {
    return absl::InternalError(fmt::format("threw {}", exception.what()));
  } catch (...) {
    return absl::UnknownError("threw something that is not a std::exception");
  }
}

absl::Status Responders::Conceal(const Opened& opened, const absl::Status& cause) const {
  const std::string_view action = opened.head_.action;
  const std::string reference = fmt::format("{}-{}", own_pod_, RandomHex(8));
  if (options_.log) {
    options_.log(LogLevel::kError,
                 fmt::format("{}: '{}' called by pod '{}' for '{}' failed: {}", reference, action,
                             opened.caller_->id, ForLog(std::string(opened.head_.actor)),
                             ForLog(cause.ToString(), 4096)));
  }
  return conduit::MakeError(InternalError{reference},
                            fmt::format("pod '{}' failed to answer '{}'; its log has the cause "
                                        "under {}",
                                        own_pod_, action, reference));
}

KeyStats Responders::Keys() const {
  std::set<const AnswerStore*> stores;
  for (const auto& [name, command] : commands_) {
    if (command.options.answers != nullptr) stores.insert(command.options.answers);
  }
  KeyStats stats = keyed_calls_.Stats();
  for (const AnswerStore* const store : stores) {
    stats.held += static_cast<int64_t>(store->Keys());
  }
  return stats;
}

}  // namespace podkit::conduit::internal
