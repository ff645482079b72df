#include "client_errors.h"

#include <algorithm>
#include <array>

#include "absl/strings/cord.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

constexpr std::array<std::string_view, 15> kErrorNames = {
    "Unreachable", "NoAnswer",   "Busy",         "NotAdmitted", "NotAllowed",
    "NoSuchChunk", "Conflict",   "AlreadyThere", "TooLarge",    "DriverRefused",
    "WrongBytes",  "NotTrusted", "Failed",       "OverQuota",   "Stopped"};
constexpr const char* kErrorPayload = "podkit.replica/error";
constexpr const char* kRetryPayload = "podkit.replica/retry-after-ms";

absl::StatusCode CodeOf(ClientError error) {
  switch (error) {
    case ClientError::kUnreachable:
    case ClientError::kBusy:
      return absl::StatusCode::kUnavailable;
    case ClientError::kNoAnswer:
      return absl::StatusCode::kDeadlineExceeded;
    case ClientError::kNotAdmitted:
    case ClientError::kNotTrusted:
      return absl::StatusCode::kUnauthenticated;
    case ClientError::kNotAllowed:
      return absl::StatusCode::kPermissionDenied;
    case ClientError::kNoSuchChunk:
      return absl::StatusCode::kNotFound;
    case ClientError::kConflict:
      return absl::StatusCode::kAborted;
    case ClientError::kAlreadyThere:
      return absl::StatusCode::kAlreadyExists;
    case ClientError::kTooLarge:
    case ClientError::kOverQuota:
      return absl::StatusCode::kResourceExhausted;
    case ClientError::kWrongBytes:
      return absl::StatusCode::kDataLoss;
    case ClientError::kStopped:
      return absl::StatusCode::kCancelled;
    case ClientError::kDriverRefused:
    case ClientError::kFailed:
      return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

absl::Status Named(ClientError error, absl::StatusCode code, const std::string& text) {
  absl::Status status(code, text);
  status.SetPayload(kErrorPayload, absl::Cord(std::string(NameOf(error))));
  return status;
}
absl::Status Named(ClientError error, const std::string& text) {
  return Named(error, CodeOf(error), text);
}

void SetRetryAfter(absl::Duration after, absl::Status* status) {
  status->SetPayload(kRetryPayload,
                     absl::Cord(fmt::format("{}", absl::ToInt64Milliseconds(after))));
}

std::string_view NameOf(ClientError error) { return kErrorNames[static_cast<size_t>(error)]; }

std::optional<ClientError> ErrorOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorPayload);
  if (!payload) return std::nullopt;
  const auto found = std::find(kErrorNames.begin(), kErrorNames.end(), std::string(*payload));
  if (found == kErrorNames.end()) return std::nullopt;
  return static_cast<ClientError>(found - kErrorNames.begin());
}

absl::Duration RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryPayload);
  if (!payload) return absl::ZeroDuration();
  return absl::Milliseconds(ParseNumber<int64_t>(std::string(*payload)).value_or(0));
}

}  // namespace podkit::replica
