#include "podkit/conduit/error.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/cord.h"
#include "common/text.h"
#include "fmt/format.h"
#include "outcome.h"

namespace podkit::conduit {
namespace {

constexpr char kErrorPayload[] = "podkit/conduit/error";  // The class, a line feed, the fields.
constexpr char kOutcomePayload[] = "podkit/conduit/outcome";

constexpr std::array kOutcomes = {
    std::pair{Outcome::kOk, std::string_view("ok")},
    std::pair{Outcome::kDeclaredError, std::string_view("declared_error")},
    std::pair{Outcome::kInternalError, std::string_view("internal_error")},
    std::pair{Outcome::kNotExecuted, std::string_view("not_executed")},
    std::pair{Outcome::kUnknown, std::string_view("unknown")},
    std::pair{Outcome::kTimedOut, std::string_view("timed_out")},
    std::pair{Outcome::kCancelled, std::string_view("cancelled")},
    std::pair{Outcome::kNotImplemented, std::string_view("not_implemented")},
};

std::optional<std::string> Payload(const absl::Status& status, const char* type) {
  const auto payload = status.GetPayload(type);
  if (!payload) return std::nullopt;
  return std::string(*payload);
}

}  // namespace

namespace internal {

absl::Status MakeError(absl::StatusCode code, std::string_view error_class, std::string fields,
                       std::string_view details) {
  if (code == absl::StatusCode::kOk) code = absl::StatusCode::kUnknown;
  absl::Status status(code, std::string(details));
  status.SetPayload(kErrorPayload, absl::Cord(fmt::format("{}\n{}", error_class, fields)));
  return status;
}

std::optional<std::string> ErrorFields(const absl::Status& status, std::string_view error_class) {
  if (ErrorClass(status) != error_class) return std::nullopt;
  return ErrorFieldsJson(status);
}

std::string CodeName(absl::StatusCode code) {
  std::string name = absl::StatusCodeToString(code);
  std::transform(name.begin(), name.end(), name.begin(), AsciiLower);
  return name;
}

absl::StatusCode CodeFromName(std::string_view name) {
  constexpr auto kLast = static_cast<int>(absl::StatusCode::kUnauthenticated);
  for (int i = 1; i <= kLast; ++i) {
    const auto code = static_cast<absl::StatusCode>(i);
    if (CodeName(code) == name) return code;
  }
  return absl::StatusCode::kUnknown;
}

bool IsConduitError(std::string_view error_class) {
  constexpr std::array kClasses = {
      UnknownAction::kClass,  MissingAction::kClass,    BadJson::kClass,
      WrongMediaType::kClass, BodyTooLarge::kClass,     InvalidArguments::kClass,
      InternalError::kClass,  Overloaded::kClass,       TooLate::kClass,
      StaleToken::kClass,     HeldElsewhere::kClass,    KeyReused::kClass,
      StillRunning::kClass,   AnswersForgotten::kClass, EarlierCallFailed::kClass,
      BadReference::kClass};
  return std::find(kClasses.begin(), kClasses.end(), error_class) != kClasses.end();
}

}  // namespace internal

std::string ErrorClass(const absl::Status& status) {
  const auto payload = Payload(status, kErrorPayload);
  return payload ? payload->substr(0, payload->find('\n')) : "";
}

std::string ErrorFieldsJson(const absl::Status& status) {
  const auto payload = Payload(status, kErrorPayload);
  return payload ? payload->substr(payload->find('\n') + 1) : "{}";
}

absl::Status WithOutcome(absl::Status status, Outcome outcome) {
  status.SetPayload(kOutcomePayload, absl::Cord(std::string(OutcomeName(outcome))));
  return status;
}

Outcome OutcomeOf(const absl::Status& status) {
  if (status.ok()) return Outcome::kOk;
  if (const auto name = Payload(status, kOutcomePayload)) {
    for (const auto& [outcome, known] : kOutcomes) {
      if (known == *name) return outcome;
    }
  }
  const std::string error_class = ErrorClass(status);
  if (error_class.empty()) return Outcome::kUnknown;
  if (error_class == InternalError::kClass) return Outcome::kInternalError;
  if (error_class == UnknownAction::kClass) return Outcome::kNotImplemented;
  if (error_class == Overloaded::kClass || error_class == TooLate::kClass ||
      error_class == HeldElsewhere::kClass || error_class == AnswersForgotten::kClass ||
      error_class == EarlierCallFailed::kClass || error_class == BadReference::kClass) {
    return Outcome::kNotExecuted;
  }
  if (error_class == StillRunning::kClass) return Outcome::kUnknown;
  return Outcome::kDeclaredError;
}

std::string_view OutcomeName(Outcome outcome) {
  for (const auto& [known, name] : kOutcomes) {
    if (known == outcome) return name;
  }
  return "unknown";
}

absl::Status TransportError(Outcome outcome, std::string_view details) {
  const auto code = outcome == Outcome::kTimedOut    ? absl::StatusCode::kDeadlineExceeded
                    : outcome == Outcome::kCancelled ? absl::StatusCode::kCancelled
                                                     : absl::StatusCode::kUnavailable;
  return WithOutcome(absl::Status(code, std::string(details)), outcome);
}

}  // namespace podkit::conduit
