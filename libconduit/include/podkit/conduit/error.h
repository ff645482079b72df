// Named errors: what a command declares it may answer, rebuilt at the caller as the same C++ type;
// and what a caller may conclude when a call fails.
//
//   struct NoSuchCheese {
//     static constexpr std::string_view kClass = "NoSuchCheese";
//     static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
//     std::string name;
//     static constexpr auto Fields() {
//       return std::make_tuple(Required("name", &NoSuchCheese::name));
//     }
//   };
//
//   return MakeError(NoSuchCheese{.name = "brie"}, "no cheese 'brie': ask for another");
//   ...
//   if (auto error = GetError<NoSuchCheese>(status)) Use(error->name);
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit {

template <typename E>
concept NamedError = Message<E> && requires {
  { E::kClass } -> std::convertible_to<std::string_view>;
  { E::kCode } -> std::convertible_to<absl::StatusCode>;
};

// The errors that a command declares.
template <NamedError... E>
struct ErrorList {
  static std::vector<std::string_view> Classes() { return {std::string_view(E::kClass)...}; }
};

namespace internal {
absl::Status MakeError(absl::StatusCode code, std::string_view error_class, std::string fields,
                       std::string_view details);
std::optional<std::string> ErrorFields(const absl::Status& status, std::string_view error_class);
}  // namespace internal

// A status of code E::kCode that carries `error`. `details` names the object and what to do.
template <NamedError E>
absl::Status MakeError(const E& error, std::string_view details) {
  static_assert(E::kCode != absl::StatusCode::kOk, "an error has a code");
  return internal::MakeError(E::kCode, E::kClass, ToJson(error), details);
}

// The error of type E that `status` carries, if it does.
template <NamedError E>
std::optional<E> GetError(const absl::Status& status) {
  auto fields = internal::ErrorFields(status, E::kClass);
  if (!fields) return std::nullopt;
  auto error = FromJson<E>(*std::move(fields));
  if (!error.ok()) return std::nullopt;
  return *std::move(error);
}

// The class of the named error that `status` carries; "" if it carries none.
std::string ErrorClass(const absl::Status& status);

// The fields of that error as a JSON object; "{}" if there are none.
std::string ErrorFieldsJson(const absl::Status& status);

// How a call ended, and so what its caller may do next.
enum class Outcome {
  kOk,
  kDeclaredError,   // A named error: the call had no effect beyond what that says.
  kInternalError,   // The responder failed; the message carries the reference that its log has.
  kNotExecuted,     // Nothing happened there: safe to repeat.
  kUnknown,         // It may have been executed: repeat only what is idempotent.
  kTimedOut,        // As kUnknown, and the deadline has passed.
  kCancelled,       // As kUnknown, and the caller wanted it no more.
  kNotImplemented,  // The other pod does not know the command; the message says since which
                    // version it exists.
};

// kUnknown for a status that no call returned.
Outcome OutcomeOf(const absl::Status& status);
std::string_view OutcomeName(Outcome outcome);

// `status` with an outcome that OutcomeOf reports before it looks at anything else: for who answers
// with an error of his own where a call failed.
absl::Status WithOutcome(absl::Status status, Outcome outcome);

// A transport's failure: `outcome` is kNotExecuted, kUnknown, kTimedOut or kCancelled.
absl::Status TransportError(Outcome outcome, std::string_view details);

// The conduit's own errors, declared for every command.

// No command of that name is known here.
struct UnknownAction {
  static constexpr std::string_view kClass = "UnknownAction";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnimplemented;
  std::string action;
  std::string version;  // Of the pod that does not know it.
  static constexpr auto Fields() {
    return std::make_tuple(Optional("action", &UnknownAction::action),
                           Optional("version", &UnknownAction::version));
  }
};

// The request has no member "action", or it is not a string.
struct MissingAction {
  static constexpr std::string_view kClass = "MissingAction";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// The body is not a JSON object.
struct BadJson {
  static constexpr std::string_view kClass = "BadJson";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// The body is declared neither as application/json nor as application/vnd.podkit.call.
struct WrongMediaType {
  static constexpr std::string_view kClass = "WrongMediaType";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// A body is larger than one side takes. OutcomeOf tells a request that was not sent (kNotExecuted)
// from an answer that cannot be had (kUnknown: the command was executed).
struct BodyTooLarge {
  static constexpr std::string_view kClass = "BodyTooLarge";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  int64_t limit = 0;  // Bytes; 0 if not known.
  static constexpr auto Fields() {
    return std::make_tuple(Optional("limit", &BodyTooLarge::limit));
  }
};

// The arguments do not fit the declaration of the command.
struct InvalidArguments {
  static constexpr std::string_view kClass = "InvalidArguments";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// The responder failed with something that the command does not declare. Its log has the cause
// under `reference`.
struct InternalError {
  static constexpr std::string_view kClass = "InternalError";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInternal;
  std::string reference;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("reference", &InternalError::reference));
  }
};

// The responder has too much to do and did nothing for this call: try again after that time.
// OutcomeOf says kNotExecuted.
struct Overloaded {
  static constexpr std::string_view kClass = "Overloaded";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  absl::Duration retry_after;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("retry_after_ms", &Overloaded::retry_after));
  }
};

// Another host of this pod holds what the call is for, and this one did nothing. Any responder may
// answer it. The conduit of the caller goes to that host, and remembers it for the balance key of
// the call; a caller sees this only if hosts send it in circles. OutcomeOf says kNotExecuted.
struct HeldElsewhere {
  static constexpr std::string_view kClass = "HeldElsewhere";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
  std::string host;  // As the pods file names it; empty if it is not known.
  static constexpr auto Fields() { return std::make_tuple(Optional("host", &HeldElsewhere::host)); }
};

// The caller's deadline had passed before the responder began: nothing was done. OutcomeOf says
// kNotExecuted.
struct TooLate {
  static constexpr std::string_view kClass = "TooLate";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kDeadlineExceeded;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// The same key was used for another call of the same pod: nothing was done. Use one key for one
// call and its repeats.
struct KeyReused {
  static constexpr std::string_view kClass = "KeyReused";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  std::string key;
  std::string command;        // Of the call that was refused.
  std::string first_command;  // Of the call that has the key; the same if it had other arguments.
  static constexpr auto Fields() {
    return std::make_tuple(Optional("key", &KeyReused::key),
                           Optional("command", &KeyReused::command),
                           Optional("first_command", &KeyReused::first_command));
  }
};

// The first call with this key is being executed: repeat it after that time, with the key. The
// conduit does that while there is time; OutcomeOf says kUnknown.
struct StillRunning {
  static constexpr std::string_view kClass = "StillRunning";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
  absl::Duration retry_after;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("retry_after_ms", &StillRunning::retry_after));
  }
};

// The caller counts on answers that are not kept here: another host has them, or a restart has
// forgotten them. Nothing was done for this request. OutcomeOf says kNotExecuted.
struct AnswersForgotten {
  static constexpr std::string_view kClass = "AnswersForgotten";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kAborted;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// The call was made for a store whose write lock has gone to somebody else: nothing was done.
struct StaleToken {
  static constexpr std::string_view kClass = "StaleToken";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kFailedPrecondition;
  std::string store;
  int64_t token = 0;  // Of the call.
  int64_t seen = 0;   // The greatest that this pod saw for the store.
  static constexpr auto Fields() {
    return std::make_tuple(Optional("store", &StaleToken::store),
                           Optional("token", &StaleToken::token),
                           Optional("seen", &StaleToken::seen));
  }
};

// Of a call in a batch that takes something from the answer of an earlier one: that one failed or
// was not made, so that nothing was done for this one. OutcomeOf says kNotExecuted.
struct EarlierCallFailed {
  static constexpr std::string_view kClass = "EarlierCallFailed";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kFailedPrecondition;
  int64_t call = 0;    // The earlier one, counted from 0 in the batch.
  std::string action;  // Its command.
  std::string error;   // The class of its error; empty if it was not made.
  static constexpr auto Fields() {
    return std::make_tuple(Optional("call", &EarlierCallFailed::call),
                           Optional("action", &EarlierCallFailed::action),
                           Optional("error", &EarlierCallFailed::error));
  }
};

// Of a call in a batch: what it takes from an earlier answer is not there, or does not fit where it
// should go. Nothing was done for it; OutcomeOf says kNotExecuted.
struct BadReference {
  static constexpr std::string_view kClass = "BadReference";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  std::string at;    // Where it should go; empty if that is too long to say.
  int64_t call = 0;  // The earlier one, counted from 0 in the batch.
  std::string path;  // What of its answer; as `at`.
  static constexpr auto Fields() {
    return std::make_tuple(Optional("at", &BadReference::at), Optional("call", &BadReference::call),
                           Optional("path", &BadReference::path));
  }
};

}  // namespace podkit::conduit
