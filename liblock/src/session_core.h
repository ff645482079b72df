// What a session and its locks share.
//
// Thread-safe. No lock is held while the directory or on_event is called.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "podkit/lock/session.h"
#include "session_clock.h"

namespace podkit::lock {

struct Session::Core : std::enable_shared_from_this<Session::Core> {
  Core(std::shared_ptr<WriteLockDirectory> directory, SessionOptions options);

  absl::Status Open();
  absl::Status Close();
  void StartThreads();
  void StopThreads();
  void Step();

  WriteLockDirectory& directory() { return *directory_; }
  const std::string& id() const { return options_.id; }
  Session::State StateNow();
  absl::Duration Left();
  std::string NewRequestId();

  absl::StatusOr<std::unique_ptr<WriteLock>> Acquire(const std::string& store,
                                                     const AcquireOptions& options);
  absl::Status Cancel(const std::string& store, const std::string& cancel_name);
  absl::StatusOr<std::unique_ptr<WriteLock>> Claim(const std::string& store);
  // Of a lock that ended.
  void Forget(const std::string& store, Token token);

  // Repeats `call` while the directory does not answer.
  template <typename Call>
  auto Retry(const Call& call) -> decltype(call());
  // Waits for the n-th repetition. False if there should be none.
  bool AwaitRetry(int attempt, absl::Duration* waited);
  // Looks for errors that end the session, and returns `status`.
  absl::Status Heed(absl::Status status);

 private:
  absl::StatusOr<std::unique_ptr<WriteLock>> Acquire(const AcquireRequest& request);
  std::unique_ptr<WriteLock> MakeLock(const Grant& grant);
  void FinishAcquire(const std::string& store);
  void RenewOnce();
  void CancelLeftovers();
  // Returns false if the directory did not answer.
  bool ReadNotices(absl::Duration wait);
  void Take(const Notice& notice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Offer(const Grant& grant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True if this host had a lock of that grant.
  bool LoseLock(const std::string& store, Token token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reconcile();
  void AnnounceState();
  void Deliver();
  void RenewLoop();
  void ListenLoop();
  void WatchLoop();

  const std::shared_ptr<WriteLockDirectory> directory_;
  SessionOptions options_;  // Not changed after the constructor.
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar changed_;  // The clock was set, or the session closes.
  SessionClock clock_ ABSL_GUARDED_BY(mutex_);
  Session::State told_ ABSL_GUARDED_BY(mutex_) = Session::State::kSafe;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool delivering_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<SessionEvent> events_ ABSL_GUARDED_BY(mutex_);
  NoticeCursor cursor_ ABSL_GUARDED_BY(mutex_);
  std::string request_prefix_;
  int64_t requests_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::weak_ptr<WriteLock::Core>> locks_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Grant> granted_ ABSL_GUARDED_BY(mutex_);  // To be claimed.
  std::multiset<std::string> acquiring_ ABSL_GUARDED_BY(mutex_);
  // Request ids of acquires that can be taken back, by store and cancel name.
  std::map<std::pair<std::string, std::string>, std::string> cancellable_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Token> broken_ ABSL_GUARDED_BY(mutex_);  // While being acquired.
  // Requests without an answer, as (store, request id): what they may have got is given back.
  std::vector<std::pair<std::string, std::string>> leftovers_ ABSL_GUARDED_BY(mutex_);
};

struct WriteLock::Core {
  enum class Phase { kHeld, kReleased, kLost };

  Core(std::shared_ptr<Session::Core> of, Grant got)
      : session(std::move(of)), grant(std::move(got)), head(grant.head), position(grant.position) {}

  Holding holding() const { return {session->id(), grant.store, grant.token}; }
  absl::Status Error(LockError error) const;
  // OK if the lock is held as far as this host knows.
  absl::Status CheckHeld();
  // The same for a holder that has not begun to give the store back.
  absl::Status CheckWritable();
  absl::Status InJeopardy() const;
  // Takes an answer of the directory that may mean the end of the lock.
  absl::Status Heed(absl::Status status);
  absl::Status End(const absl::Status& status, bool Core::*unanswered_flag);
  absl::StatusOr<Head> Save(const SaveFunction& save_function, ChunkSink& sink);
  absl::StatusOr<Head> Move(const HeadChange& change);
  absl::Status GiveBack(ReleaseKind kind, const std::string& reason);
  void Lose();

  const std::shared_ptr<Session::Core> session;
  const Grant grant;
  mutable Mutex mutex;
  Phase phase ABSL_GUARDED_BY(mutex) = Phase::kHeld;
  bool saving ABSL_GUARDED_BY(mutex) = false;
  // Requests to end the grant that run: perhaps others have it now.
  int ending ABSL_GUARDED_BY(mutex) = 0;
  // Such a request was not answered: it may still arrive, whatever was said to a later one. A
  // refused hand-over does not, for the directory remembers those.
  bool unsure_release ABSL_GUARDED_BY(mutex) = false;
  bool unsure_hand_over ABSL_GUARDED_BY(mutex) = false;
  // A change of the head that was not answered: perhaps it happened.
  std::optional<HeadChange> unanswered ABSL_GUARDED_BY(mutex);
  Head head ABSL_GUARDED_BY(mutex);
  int64_t position ABSL_GUARDED_BY(mutex);
  std::string release_request ABSL_GUARDED_BY(mutex);
  // Empty: the last one was refused, and the next is another attempt.
  std::string hand_over_request ABSL_GUARDED_BY(mutex);
  int64_t hand_over_attempt ABSL_GUARDED_BY(mutex) = 0;
};

template <typename Call>
auto Session::Core::Retry(const Call& call) -> decltype(call()) {
  absl::Duration waited;
  for (int attempt = 0;; ++attempt) {
    auto result = call();
    absl::Status status;
    if constexpr (std::is_same_v<decltype(result), absl::Status>) {
      status = result;
    } else {
      status = result.status();
    }
    if (GetLockError(status).error != LockError::kDirectoryUnavailable ||
        !AwaitRetry(attempt, &waited)) {
      Heed(status).IgnoreError();
      return result;
    }
  }
}

}  // namespace podkit::lock
