// What keeps the locks of one host: a single renewal for all of them, and the careful clock.
//
// The clock starts when a renewal is sent, and the directory's when it arrives; so the host stops
// first. After two thirds of the term without an answered renewal its locks are in jeopardy, after
// nine tenths they are lost, whatever the directory says later. Clocks may run at rates that differ
// by a tenth; beyond that, and after a pause between the check and the write, the token at the
// storage still refuses what comes too late.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/lock/directory.h"
#include "podkit/lock/write_lock.h"

namespace podkit::lock {

struct SessionEvent {
  enum class Kind {
    kJeopardy,     // Of all locks: acknowledge no write.
    kSafe,         // Again.
    kSessionLost,  // All locks are lost; open a new session.
    kLockLost,     // `grant` was broken by `from`.
    kGranted,      // `grant` was handed over, has to be woken, or is left from before: Claim it.
    kAskedToHandOver,  // `from` would like to have `grant.store`.
  };
  Kind kind = Kind::kJeopardy;
  Grant grant;
  std::string from;
  std::string reason;
};

struct SessionOptions {
  std::string host;  // Required.
  // Of a session to resume after a restart of the host, if it still lives. Empty: a new one.
  std::string id;
  absl::Duration term = absl::Seconds(30);
  bool runs_wakeups = false;
  // For how long requests are repeated while the directory does not answer.
  absl::Duration retry_for = absl::Seconds(10);
  // Called on a thread of the session, one at a time and without any lock held. It may use the
  // session and its locks, but must neither close nor destroy the session.
  std::function<void(const SessionEvent&)> on_event;
  // A reading of a clock that only goes forward. Empty: CLOCK_BOOTTIME, which counts a suspension
  // too.
  std::function<absl::Duration()> steady_clock;
  // 16 random bytes. Empty: from the system.
  std::function<std::string()> random;
  // With threads that renew, listen and watch the clock. Without, somebody must call Step().
  bool threads = true;
};

struct AcquireOptions {
  absl::Duration wait;  // Zero: only try.
  Priority priority = Priority::kInteractive;
  bool ask_holder = false;
  bool create = false;
  // Names the request while it runs, so that Cancel can take it back; no other of that store may
  // run under the name meanwhile. Empty: it cannot be taken back.
  std::string cancel_name;
};

// Thread-safe. The directory must live as long as the session and its locks.
class Session {
 public:
  enum class State { kSafe, kJeopardy, kLost };
  struct Core;  // Of the implementation.

  // kInvalidRequest without a host; kDirectoryUnavailable.
  static absl::StatusOr<std::unique_ptr<Session>> Open(
      std::shared_ptr<WriteLockDirectory> directory, SessionOptions options);
  // Stops the threads and tells the directory nothing: to it, the host died. Close first. Waits for
  // answers of the directory that are on their way, 2 seconds for that about notices.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& id() const;  // Secret: whoever knows it acts for this host.
  State state() const;

  // See WriteLockDirectory::Acquire. Repeats itself while the directory does not answer; whatever
  // it returns as an error, the store is not held by this request afterwards, or the session ends.
  absl::StatusOr<std::unique_ptr<WriteLock>> Acquire(const std::string& store,
                                                     const AcquireOptions& options = {});
  // Ends the Acquire of this name with kCancelled. OK if none is running.
  absl::Status Cancel(const std::string& store, const std::string& cancel_name);
  // The lock of a store that was granted without an Acquire, or to this session before a restart;
  // see SessionEvent::kGranted. It has a new token. kLockLost if there is no such grant; if it was
  // broken a moment ago and the store is free, the lock is one of a new grant.
  absl::StatusOr<std::unique_ptr<WriteLock>> Claim(const std::string& store);

  // Ends the session: every lock that is still held is abandoned.
  absl::Status Close();

  // Does what is due: renews, reads notices without waiting, calls on_event. Only without threads.
  void Step();

 private:
  explicit Session(std::shared_ptr<Core> core);
  const std::shared_ptr<Core> core_;
};

}  // namespace podkit::lock
