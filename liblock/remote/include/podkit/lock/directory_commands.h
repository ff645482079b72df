// The conduit commands of a lock directory: one for each method of WriteLockDirectory, with the
// same values and errors.
//
// docs/lock-directory.md lists them. Repeating a command with its request id does no harm, so the
// conduit may do it; those without an id are marked as writes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/error.h"
#include "podkit/conduit/message.h"
#include "podkit/lock/errors.h"
#include "podkit/lock/types.h"
#include "podkit/lock/wire_types.h"

namespace podkit::lock::internal {

template <size_t kSize>
struct ClassName {
  constexpr ClassName(const char (&from)[kSize]) {  // NOLINT(google-explicit-constructor)
    std::copy_n(from, kSize, text);
  }
  char text[kSize] = {};
};

}  // namespace podkit::lock::internal

namespace podkit::lock {

using conduit::CommandInfo;
using conduit::Effect;

// A LockError as a named error of the conduit; its fields are those of LockErrorDetails.
template <LockError kLockError, internal::ClassName kName, absl::StatusCode kStatusCode>
struct NamedLockError {
  static constexpr LockError kError = kLockError;
  static constexpr std::string_view kClass = kName.text;
  static constexpr absl::StatusCode kCode = kStatusCode;
  std::string store;
  std::string holder;
  Token token = 0;
  absl::Duration remaining;
  std::string manifest;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("store", &NamedLockError::store),
                           conduit::Optional("holder", &NamedLockError::holder),
                           conduit::Optional("token", &NamedLockError::token),
                           conduit::Optional("remaining_ms", &NamedLockError::remaining),
                           conduit::Optional("manifest", &NamedLockError::manifest));
  }
};

using AlreadyAcquiredError = NamedLockError<LockError::kAlreadyAcquired, "LockAlreadyAcquired",
                                            absl::StatusCode::kFailedPrecondition>;
using NoSuchStoreError =
    NamedLockError<LockError::kNoSuchStore, "LockNoSuchStore", absl::StatusCode::kNotFound>;
using StoreExistsError =
    NamedLockError<LockError::kStoreExists, "LockStoreExists", absl::StatusCode::kAlreadyExists>;
using AlreadyReleasedError = NamedLockError<LockError::kAlreadyReleased, "LockAlreadyReleased",
                                            absl::StatusCode::kFailedPrecondition>;
using StaleTokenError =
    NamedLockError<LockError::kStaleToken, "LockStaleToken", absl::StatusCode::kAborted>;
using LockLostError =
    NamedLockError<LockError::kLockLost, "LockLockLost", absl::StatusCode::kAborted>;
using SessionLostError =
    NamedLockError<LockError::kSessionLost, "LockSessionLost", absl::StatusCode::kAborted>;
using ParentMismatchError = NamedLockError<LockError::kParentMismatch, "LockParentMismatch",
                                           absl::StatusCode::kFailedPrecondition>;
using NoSuchHostError =
    NamedLockError<LockError::kNoSuchHost, "LockNoSuchHost", absl::StatusCode::kNotFound>;
using DirectoryUnavailableError =
    NamedLockError<LockError::kDirectoryUnavailable, "LockDirectoryUnavailable",
                   absl::StatusCode::kUnavailable>;
using DeadlineExceededError = NamedLockError<LockError::kDeadlineExceeded, "LockDeadlineExceeded",
                                             absl::StatusCode::kDeadlineExceeded>;
using CancelledError =
    NamedLockError<LockError::kCancelled, "LockCancelled", absl::StatusCode::kCancelled>;
using TooOldError = NamedLockError<LockError::kTooOld, "LockTooOld", absl::StatusCode::kOutOfRange>;
using FullError =
    NamedLockError<LockError::kFull, "LockFull", absl::StatusCode::kResourceExhausted>;
using DamagedError =
    NamedLockError<LockError::kDamaged, "LockDamaged", absl::StatusCode::kDataLoss>;
using InvalidRequestError = NamedLockError<LockError::kInvalidRequest, "LockInvalidRequest",
                                           absl::StatusCode::kInvalidArgument>;
using LockErrors =
    conduit::ErrorList<AlreadyAcquiredError, NoSuchStoreError, StoreExistsError,
                       AlreadyReleasedError, StaleTokenError, LockLostError, SessionLostError,
                       ParentMismatchError, NoSuchHostError, DirectoryUnavailableError,
                       DeadlineExceededError, CancelledError, TooOldError, FullError, DamagedError,
                       InvalidRequestError>;

struct LockSession {
  std::string session;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("session", &LockSession::session));
  }
};

struct RenewedTerm {
  absl::Duration term;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("term_ms", &RenewedTerm::term));
  }
};

struct Grants {
  std::vector<Grant> grants;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("grants", &Grants::grants));
  }
};

struct NoticeQuery {
  std::string session;
  NoticeCursor cursor;
  absl::Duration wait;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("session", &NoticeQuery::session),
                           conduit::Optional("cursor", &NoticeQuery::cursor),
                           conduit::Optional("wait_ms", &NoticeQuery::wait));
  }
};

struct AcquireName {
  std::string session;
  std::string request_id;
  std::string store;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("session", &AcquireName::session),
                           conduit::Required("request_id", &AcquireName::request_id),
                           conduit::Required("store", &AcquireName::store));
  }
};

struct WakeUp {
  Holding holding;
  absl::Time wake_at = absl::InfiniteFuture();
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("holding", &WakeUp::holding),
                           conduit::Optional("wake_at", &WakeUp::wake_at));
  }
};

struct TokenAnswer {
  Token token = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("token", &TokenAnswer::token));
  }
};

struct StoreName {
  std::string store;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("store", &StoreName::store));
  }
};

struct OperatorRequest {
  std::string store;
  std::string by;
  std::string reason;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("store", &OperatorRequest::store),
                           conduit::Optional("by", &OperatorRequest::by),
                           conduit::Optional("reason", &OperatorRequest::reason));
  }
};

struct WatchQuery {
  std::string prefix;
  Revision after = 0;
  absl::Duration wait;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("prefix", &WatchQuery::prefix),
                           conduit::Required("after", &WatchQuery::after),
                           conduit::Optional("wait_ms", &WatchQuery::wait));
  }
};

struct AuditQuery {
  int64_t after = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("after", &AuditQuery::after));
  }
};

struct AuditPage {
  std::vector<AuditEntry> entries;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("entries", &AuditPage::entries));
  }
};

struct OpenLockSession {
  static constexpr CommandInfo kInfo = {
      .name = "lock-open-session", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = internal::WireSessionRequest;
  using Response = SessionGrant;
  using Errors = LockErrors;
};

struct RenewLockSession {
  static constexpr CommandInfo kInfo = {
      .name = "lock-renew-session", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = LockSession;
  using Response = RenewedTerm;
  using Errors = LockErrors;
};

struct CloseLockSession {
  static constexpr CommandInfo kInfo = {
      .name = "lock-close-session", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = LockSession;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

struct ListSessionGrants {
  static constexpr CommandInfo kInfo = {
      .name = "lock-session-grants", .since = 1, .effect = Effect::kRead};
  using Arguments = LockSession;
  using Response = Grants;
  using Errors = LockErrors;
};

struct WaitForLockNotices {
  static constexpr CommandInfo kInfo = {
      .name = "lock-wait-for-notices", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = NoticeQuery;
  using Response = NoticePage;
  using Errors = LockErrors;
};

struct AcquireLock {
  static constexpr CommandInfo kInfo = {
      .name = "lock-acquire", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = internal::WireAcquireRequest;
  using Response = Grant;
  using Errors = LockErrors;
};

struct CancelAcquireLock {
  static constexpr CommandInfo kInfo = {
      .name = "lock-cancel-acquire", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = AcquireName;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

struct MoveLockHead {
  static constexpr CommandInfo kInfo = {
      .name = "lock-move-head", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = internal::WireHeadChange;
  using Response = Head;
  using Errors = LockErrors;
};

struct SetLockWakeUp {
  static constexpr CommandInfo kInfo = {
      .name = "lock-set-wake-up", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = WakeUp;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

struct ReleaseLock {
  static constexpr CommandInfo kInfo = {
      .name = "lock-release", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = internal::WireReleaseRequest;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

struct HandOverLock {
  static constexpr CommandInfo kInfo = {
      .name = "lock-hand-over", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = internal::WireHandOverRequest;
  using Response = TokenAnswer;
  using Errors = LockErrors;
};

struct CreateLockStore {
  static constexpr CommandInfo kInfo = {
      .name = "lock-create-store", .since = 1, .effect = Effect::kWrite};
  using Arguments = StoreName;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

struct DeleteLockStore {
  static constexpr CommandInfo kInfo = {
      .name = "lock-delete-store", .since = 1, .effect = Effect::kWrite};
  using Arguments = OperatorRequest;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

struct FindLock {
  static constexpr CommandInfo kInfo = {.name = "lock-find", .since = 1, .effect = Effect::kRead};
  using Arguments = StoreName;
  using Response = LockInfo;
  using Errors = LockErrors;
};

struct ListLocks {
  static constexpr CommandInfo kInfo = {.name = "lock-list", .since = 1, .effect = Effect::kRead};
  using Arguments = internal::WireListQuery;
  using Response = ListPage;
  using Errors = LockErrors;
};

struct WatchLocks {
  static constexpr CommandInfo kInfo = {.name = "lock-watch", .since = 1, .effect = Effect::kRead};
  using Arguments = WatchQuery;
  using Response = WatchPage;
  using Errors = LockErrors;
};

struct AskToHandOverLock {
  static constexpr CommandInfo kInfo = {
      .name = "lock-ask-to-hand-over", .since = 1, .effect = Effect::kIdempotent};
  using Arguments = OperatorRequest;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

struct BreakLock {
  static constexpr CommandInfo kInfo = {.name = "lock-break", .since = 1, .effect = Effect::kWrite};
  using Arguments = OperatorRequest;
  using Response = TokenAnswer;
  using Errors = LockErrors;
};

struct ReadLockAudit {
  static constexpr CommandInfo kInfo = {
      .name = "lock-read-audit", .since = 1, .effect = Effect::kRead};
  using Arguments = AuditQuery;
  using Response = AuditPage;
  using Errors = LockErrors;
};

struct ExportLocks {
  static constexpr CommandInfo kInfo = {.name = "lock-export", .since = 1, .effect = Effect::kRead};
  using Arguments = conduit::Nothing;
  using Response = DirectoryImage;
  using Errors = LockErrors;
};

struct ImportLocks {
  static constexpr CommandInfo kInfo = {
      .name = "lock-import", .since = 1, .effect = Effect::kWrite};
  using Arguments = internal::WireDirectoryImage;
  using Response = conduit::Nothing;
  using Errors = LockErrors;
};

// All of them.
template <typename... Commands>
struct CommandList {};
using LockCommands =
    CommandList<OpenLockSession, RenewLockSession, CloseLockSession, ListSessionGrants,
                WaitForLockNotices, AcquireLock, CancelAcquireLock, MoveLockHead, SetLockWakeUp,
                ReleaseLock, HandOverLock, CreateLockStore, DeleteLockStore, FindLock, ListLocks,
                WatchLocks, AskToHandOverLock, BreakLock, ReadLockAudit, ExportLocks, ImportLocks>;

}  // namespace podkit::lock
