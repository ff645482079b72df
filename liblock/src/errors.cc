#include "podkit/lock/errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "common/text.h"

namespace podkit::lock {
namespace {

constexpr char kPayload[] =
    "podkit/lock/error";  // The fields in their order, with line feeds between.
constexpr size_t kFields = 6;

struct ErrorKind {
  LockError error;
  absl::StatusCode code;
  std::string_view name;
  std::string_view text;  // Completes "store 'x' ".
};

using Code = absl::StatusCode;
constexpr std::array<ErrorKind, 19> kKinds = {{
    {LockError::kAlreadyAcquired, Code::kFailedPrecondition, "AlreadyAcquired",
     "is held: wait, ask the holder to hand over, or send the call to it"},
    {LockError::kNoSuchStore, Code::kNotFound, "NoSuchStore",
     "is not in the directory: create it, or look for a typing error"},
    {LockError::kStoreExists, Code::kAlreadyExists, "StoreExists", "is in the directory already"},
    {LockError::kAlreadyReleased, Code::kFailedPrecondition, "AlreadyReleased",
     "is not held under this grant any more: acquire it again"},
    {LockError::kStaleToken, Code::kAborted, "StaleToken",
     "was granted again since: stop writing and keep unsaved work aside"},
    {LockError::kLockLost, Code::kAborted, "LockLost",
     "is not held any more: stop writing and keep unsaved work aside"},
    {LockError::kSessionLost, Code::kAborted, "SessionLost",
     "the session ended, and with it its grants: open a new one"},
    {LockError::kParentMismatch, Code::kFailedPrecondition, "ParentMismatch",
     "has another head than the one that this state was made from"},
    {LockError::kNotSaved, Code::kFailedPrecondition, "NotSaved",
     "has work that is not saved: save it, or abandon it"},
    {LockError::kNoSuchHost, Code::kNotFound, "NoSuchHost",
     "cannot be handed over: the host has no session"},
    {LockError::kDirectoryUnavailable, Code::kUnavailable, "DirectoryUnavailable",
     "the lock directory does not answer: repeat the request with its id"},
    {LockError::kInJeopardy, Code::kUnavailable, "InJeopardy",
     "may be lost soon: acknowledge no write until the session is renewed"},
    {LockError::kDeadlineExceeded, Code::kDeadlineExceeded, "DeadlineExceeded",
     "is still held, and the time to wait is over"},
    {LockError::kCancelled, Code::kCancelled, "Cancelled", "the request was taken back"},
    {LockError::kTooOld, Code::kOutOfRange, "TooOld",
     "the events are not kept any more: list, and watch from there"},
    {LockError::kFull, Code::kResourceExhausted, "Full",
     "a limit of the lock directory is reached"},
    {LockError::kDamaged, Code::kDataLoss, "Damaged",
     "the lock directory cannot be read: restore it from a backup"},
    {LockError::kInvalidRequest, Code::kInvalidArgument, "InvalidRequest",
     "the request makes no sense"},
    {LockError::kNone, Code::kUnknown, "None", ""},
}};

const ErrorKind& KindOf(LockError error) {
  const auto* const found =
      std::find_if(kKinds.begin(), kKinds.end() - 1,
                   [error](const ErrorKind& kind) { return kind.error == error; });
  return *found;
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

std::string Message(const LockErrorDetails& details, const ErrorKind& kind, std::string_view more) {
  std::string message;
  if (!details.store.empty()) message = fmt::format("store '{}': ", details.store);
  message += kind.text;
  std::string facts;
  const auto add = [&facts](std::string_view fact) {
    if (!facts.empty()) facts += ", ";
    facts += fact;
  };
  if (!details.holder.empty()) add(fmt::format("host '{}'", details.holder));
  if (details.token != 0) add(fmt::format("token {}", details.token));
  if (details.remaining > absl::ZeroDuration()) {
    add(fmt::format("{:.1f} s left", absl::ToDoubleSeconds(details.remaining)));
  }
  if (!details.manifest.empty()) add(fmt::format("head '{}'", details.manifest));
  if (!facts.empty()) message += fmt::format(" ({})", facts);
  if (!more.empty()) message += fmt::format(": {}", more);
  return message;
}

}  // namespace

absl::Status MakeLockError(const LockErrorDetails& details, std::string_view more) {
  return RebuildLockError(details, Message(details, KindOf(details.error), more));
}

absl::Status RebuildLockError(const LockErrorDetails& details, std::string_view message) {
  const ErrorKind& kind = KindOf(details.error);
  const std::string text(message);
  absl::Status status(kind.code, absl::NullSafeStringView(text.c_str()));
  status.SetPayload(
      kPayload,
      absl::Cord(fmt::format(
          "{}\n{}\n{}\n{}\n{}\n{}", kind.name, OneLine(details.store), OneLine(details.holder),
          details.token, absl::ToInt64Microseconds(details.remaining), OneLine(details.manifest))));
  return status;
}

LockErrorDetails GetLockError(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload) return {};
  const std::string text(*payload);
  const std::vector<std::string_view> fields = SplitText(text, '\n');
  if (fields.size() != kFields) return {};
  const auto* const kind =
      std::find_if(kKinds.begin(), kKinds.end(),
                   [&fields](const ErrorKind& known) { return known.name == fields[0]; });
  if (kind == kKinds.end()) return {};
  return {.error = kind->error,
          .store = std::string(fields[1]),
          .holder = std::string(fields[2]),
          .token = ParseNumber(fields[3]).value_or(0),
          .remaining = absl::Microseconds(ParseNumber(fields[4]).value_or(0)),
          .manifest = std::string(fields[5])};
}

std::string_view LockErrorName(LockError error) { return KindOf(error).name; }

}  // namespace podkit::lock
