// The named errors of liblock. Each is an absl::Status whose code says what the caller does next,
// and whose fields can be read back.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/lock/types.h"

namespace podkit::lock {

enum class LockError {
  kNone,  // OK, or not an error of liblock.
  // kFailedPrecondition: `holder` has the store with `token`, for `remaining` unless it renews.
  // Wait, ask it to hand over, or send the call there.
  kAlreadyAcquired,
  // kNotFound: the directory has no such store.
  kNoSuchStore,
  // kAlreadyExists: it has one already.
  kStoreExists,
  // kFailedPrecondition: this grant was released before.
  kAlreadyReleased,
  // kAborted: another grant came since, with `token`. Stop writing; keep what is unsaved aside.
  kStaleToken,
  // kAborted: the grant ended without the holder's doing. Stop writing; keep what is unsaved aside.
  kLockLost,
  // kAborted: the session ended; all its grants are lost. Open a new one.
  kSessionLost,
  // kFailedPrecondition: the head is `manifest`, not the parent that the caller named.
  kParentMismatch,
  // kFailedPrecondition: work after the head is not saved. Save it, or abandon it.
  kNotSaved,
  // kNotFound: no session of that host is alive. The store is still the caller's.
  kNoSuchHost,
  // kUnavailable: the directory did not answer, or could not write. Unless the message says
  // otherwise the request may have been carried out: repeat it with the same request id.
  kDirectoryUnavailable,
  // kUnavailable: the lease was not renewed in time. Do not acknowledge writes until it is.
  kInJeopardy,
  // kDeadlineExceeded: the time to wait is over; nothing happened.
  kDeadlineExceeded,
  // kCancelled: the caller took the request back; nothing happened.
  kCancelled,
  // kOutOfRange: the events are not kept any more. List, and watch from there.
  kTooOld,
  // kResourceExhausted: a limit is reached, or the disk is full; nothing happened.
  kFull,
  // kDataLoss: what is kept cannot be read. Restore it from a backup.
  kDamaged,
  // kInvalidArgument: a parameter makes no sense; the message says which.
  kInvalidRequest,
};

// The fields that an error carries beside its text. What does not apply is empty.
struct LockErrorDetails {
  LockError error = LockError::kNone;
  std::string store;
  std::string holder;
  Token token = 0;
  absl::Duration remaining;
  std::string manifest;
};

// The details of `status`; kNone if it is OK or does not come from liblock.
LockErrorDetails GetLockError(const absl::Status& status);

// The status of an error. Its message names store, holder and remaining time as far as they are
// there, says what to do, and adds `more`. Line feeds in the fields become spaces.
absl::Status MakeLockError(const LockErrorDetails& details, std::string_view more = "");

// The same with the message that it had where it came from: for errors that travelled.
absl::Status RebuildLockError(const LockErrorDetails& details, std::string_view message);

// "AlreadyAcquired" for kAlreadyAcquired.
std::string_view LockErrorName(LockError error);

}  // namespace podkit::lock
