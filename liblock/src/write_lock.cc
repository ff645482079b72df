#include "podkit/lock/write_lock.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "session_core.h"

namespace podkit::lock {
namespace {

bool MeansLoss(LockError error) {
  return error == LockError::kLockLost || error == LockError::kStaleToken ||
         error == LockError::kSessionLost;
}

}  // namespace

absl::Status WriteLock::Core::Error(LockError error) const {
  return MakeLockError({.error = error, .store = grant.store, .token = grant.token});
}

absl::Status WriteLock::Core::CheckHeld() {
  {
    MutexLock lock(&mutex);
    if (phase == Phase::kReleased) return Error(LockError::kAlreadyReleased);
    if (phase == Phase::kLost) return Error(LockError::kLockLost);
  }
  if (session->StateNow() != Session::State::kLost) return absl::OkStatus();
  Lose();
  return Error(LockError::kLockLost);
}

absl::Status WriteLock::Core::CheckWritable() {
  PODKIT_RETURN_IF_ERROR(CheckHeld());
  bool in_jeopardy = false;
  {
    MutexLock lock(&mutex);
    in_jeopardy = ending > 0 || unsure_release || unsure_hand_over;
  }
  // Not under `mutex`: a session has its own when it takes a lock away.
  return in_jeopardy ? InJeopardy() : absl::OkStatus();
}

absl::Status WriteLock::Core::InJeopardy() const {
  return MakeLockError({.error = LockError::kInJeopardy,
                        .store = grant.store,
                        .token = grant.token,
                        .remaining = session->Left()});
}

void WriteLock::Core::Lose() {
  MutexLock lock(&mutex);
  if (phase == Phase::kHeld) phase = Phase::kLost;
}

absl::Status WriteLock::Core::Heed(absl::Status status) {
  if (MeansLoss(GetLockError(status).error)) {
    Lose();
    session->Forget(grant.store, grant.token);
  }
  return status;
}

// What a request to end the grant came to; the flag is the one for its kind. Of two threads
// only one ends it.
absl::Status WriteLock::Core::End(const absl::Status& status,
                                  bool WriteLock::Core::*unanswered_flag) {
  const LockError error = GetLockError(status).error;
  const bool released = error == LockError::kAlreadyReleased;
  if (!status.ok() && !released) {
    MutexLock lock(&mutex);
    if (error == LockError::kDirectoryUnavailable) this->*unanswered_flag = true;
    if (error == LockError::kNoSuchHost) {
      unsure_hand_over = false;
      hand_over_request.clear();
    }
    --ending;
  }
  if (!status.ok() && !released) return Heed(status);
  bool first = false;
  {
    MutexLock lock(&mutex);
    first = phase != Phase::kReleased;
    phase = Phase::kReleased;
  }
  session->Forget(grant.store, grant.token);
  return first && !released ? absl::OkStatus() : Error(LockError::kAlreadyReleased);
}

WriteLock::WriteLock(std::shared_ptr<Core> core) : core_(std::move(core)) {}

WriteLock::~WriteLock() { Abandon("the lock was dropped by its owner").IgnoreError(); }

const std::string& WriteLock::store() const { return core_->grant.store; }
Token WriteLock::token() const { return core_->grant.token; }
const Grant& WriteLock::grant() const { return core_->grant; }

Head WriteLock::head() const {
  MutexLock lock(&core_->mutex);
  return core_->head;
}

absl::Status WriteLock::Check() const {
  PODKIT_RETURN_IF_ERROR(core_->CheckWritable());
  if (core_->session->StateNow() == Session::State::kSafe) return absl::OkStatus();
  return core_->InJeopardy();
}

void WriteLock::Changed(int64_t position) {
  MutexLock lock(&core_->mutex);
  core_->position = std::max(core_->position, position);
}

bool WriteLock::saved() const {
  MutexLock lock(&core_->mutex);
  return core_->position <= core_->head.position;
}

absl::StatusOr<Head> WriteLock::Write(const SaveFunction& save, ChunkSink& sink) {
  PODKIT_RETURN_IF_ERROR(core_->CheckWritable());
  {
    MutexLock lock(&core_->mutex);
    if (core_->saving) {
      return MakeLockError({.error = LockError::kInvalidRequest, .store = store()},
                           "it is being saved by another thread");
    }
    core_->saving = true;
  }
  absl::StatusOr<Head> head = core_->Save(save, sink);
  MutexLock lock(&core_->mutex);
  core_->saving = false;
  return head;
}

absl::StatusOr<Head> WriteLock::Core::Save(const SaveFunction& save, ChunkSink& sink) {
  std::optional<HeadChange> before;
  {
    MutexLock lock(&mutex);
    before = unanswered;
  }
  if (before) PODKIT_RETURN_IF_ERROR(Move(*before).status());
  Head parent;
  {
    MutexLock lock(&mutex);
    parent = head;
  }
  PODKIT_ASSIGN_OR_RETURN(const SavedState saved, save(parent, sink));
  // Without this the directory would refuse as well; it saves asking it.
  PODKIT_RETURN_IF_ERROR(CheckWritable());
  return Move({.holding = holding(),
               .request_id = session->NewRequestId(),
               .parent = parent.manifest,
               .manifest = saved.manifest,
               .position = saved.position,
               .wake_at = saved.wake_at});
}

// Remembers the change until the directory has said what became of it: after it, another one with
// the old parent would be refused for ever.
absl::StatusOr<Head> WriteLock::Core::Move(const HeadChange& change) {
  auto moved = session->Retry([&] { return session->directory().MoveHead(change); });
  Heed(moved.status()).IgnoreError();
  MutexLock lock(&mutex);
  unanswered.reset();
  if (GetLockError(moved.status()).error == LockError::kDirectoryUnavailable) unanswered = change;
  if (moved.ok()) head = *moved;
  return moved;
}

absl::Status WriteLock::SetWakeUp(absl::Time wake_at) {
  PODKIT_RETURN_IF_ERROR(core_->CheckWritable());
  return core_->Heed(core_->session->Retry(
      [&] { return core_->session->directory().SetWakeUp(core_->holding(), wake_at); }));
}

absl::Status WriteLock::Release() {
  PODKIT_RETURN_IF_ERROR(core_->CheckHeld());
  if (!saved()) return core_->Error(LockError::kNotSaved);
  return core_->GiveBack(ReleaseKind::kSaved, "");
}

absl::Status WriteLock::Abandon(const std::string& reason) {
  PODKIT_RETURN_IF_ERROR(core_->CheckHeld());
  return core_->GiveBack(ReleaseKind::kAbandoned, reason);
}

absl::Status WriteLock::Core::GiveBack(ReleaseKind kind, const std::string& reason) {
  const std::string new_id = session->NewRequestId();
  std::string request_id;
  {
    MutexLock lock(&mutex);
    ++ending;
    if (release_request.empty()) release_request = new_id;
    request_id = release_request;
  }
  return End(session->Retry([&] {
    return session->directory().Release(
        {.holding = holding(), .request_id = request_id, .kind = kind, .reason = reason});
  }),
             &Core::unsure_release);
}

absl::StatusOr<Token> WriteLock::HandOver(const std::string& host) {
  PODKIT_RETURN_IF_ERROR(core_->CheckHeld());
  HandOverRequest request = {.holding = core_->holding(), .to_host = host};
  const std::string new_id = core_->session->NewRequestId();
  {
    MutexLock lock(&core_->mutex);
    ++core_->ending;
    if (core_->hand_over_request.empty()) {
      core_->hand_over_request = new_id;
      ++core_->hand_over_attempt;
    }
    request.request_id = core_->hand_over_request;
    request.attempt = core_->hand_over_attempt;
    request.position = std::max(core_->position, core_->head.position);
  }
  const auto token =
      core_->session->Retry([&] { return core_->session->directory().HandOver(request); });
  PODKIT_RETURN_IF_ERROR(core_->End(token.status(), &Core::unsure_hand_over));
  return token;
}

}  // namespace podkit::lock
