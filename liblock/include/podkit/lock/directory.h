// Grants write locks: for each store to at most one session of one host at a time.
//
// The interface of every backend, and what a client of a remote directory implements. Hosts do not
// use it by themselves but through a Session (session.h), which renews, repeats and keeps the
// careful clock; operators and servers call it directly.
//
// Thread-safe. Calls block: Acquire, WaitForNotices and Watch for as long as they are told, the
// others for as long as the answer needs to become durable. What was answered survives a restart of
// the directory, except the place in a queue and notices.
//
// Errors are those of errors.h. Every method may return kDirectoryUnavailable; those that name a
// session kSessionLost; those that name a Holding kStaleToken, kLockLost, kAlreadyReleased or
// kNoSuchStore; all kInvalidRequest for names that are empty, too long (255 bytes) or have control
// characters in them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/lock/errors.h"
#include "podkit/lock/types.h"

namespace podkit::lock {

class WriteLockDirectory {
 public:
  virtual ~WriteLockDirectory() = default;

  // --- Sessions -------------------------------------------------------------------------------

  // Opens a session, or resumes the one with this id and host; kInvalidRequest if the id is another
  // host's. The session ends `term` after the last renewal that arrived, and with it all its
  // grants. A restart of the directory gives every session a full term.
  virtual absl::StatusOr<SessionGrant> OpenSession(const SessionRequest& request) = 0;
  // Keeps the session and all its grants for another term, which is returned. Never waits for a
  // disk. kSessionLost once it ended: it is never revived, even if nobody took its stores.
  virtual absl::StatusOr<absl::Duration> Renew(const std::string& session) = 0;
  // Ends the session now; its grants end as abandoned. OK if it ended before.
  virtual absl::Status CloseSession(const std::string& session) = 0;
  // What the session holds, by name: to start over after a restart of the host or the directory.
  virtual absl::StatusOr<std::vector<Grant>> GrantsOf(const std::string& session) = 0;
  // Waits until there are notices behind the cursor, `wait` at most; then the page is empty.
  // Notices up to the cursor are forgotten. One waiter for each session at a time.
  virtual absl::StatusOr<NoticePage> WaitForNotices(const std::string& session,
                                                    const NoticeCursor& cursor,
                                                    absl::Duration wait) = 0;

  // --- Locks ----------------------------------------------------------------------------------

  // kAlreadyAcquired if another session, or another request of this one, holds the store and the
  // request does not wait; kDeadlineExceeded with the same fields if it waited in vain;
  // kNoSuchStore; kCancelled; kFull if too many wait. kAlreadyReleased if a request with this id
  // was refused, taken back, or ended with its grant: a copy that comes late gets nothing. A
  // restart of the directory forgets those.
  virtual absl::StatusOr<Grant> Acquire(const AcquireRequest& request) = 0;
  // Takes an Acquire back that waits or whose answer was lost: what it got is released. OK if there
  // is nothing to take back.
  virtual absl::Status CancelAcquire(const std::string& session, const std::string& request_id,
                                     const std::string& store) = 0;
  // Makes `change.manifest` the head if the grant is valid and the head is `change.parent`, all in
  // one step; kParentMismatch otherwise. The chunks must be durable before.
  virtual absl::StatusOr<Head> MoveHead(const HeadChange& change) = 0;
  // Changes the next wake-up of a held store without saving it.
  virtual absl::Status SetWakeUp(const Holding& holding, absl::Time wake_at) = 0;
  virtual absl::Status Release(const ReleaseRequest& request) = 0;
  // Grants the store to the youngest session of a host, ahead of all who wait, and returns the new
  // token. kNoSuchHost if it has none, or only the holder's own.
  virtual absl::StatusOr<Token> HandOver(const HandOverRequest& request) = 0;

  // --- For operators and routers --------------------------------------------------------------

  // kStoreExists if it is there.
  virtual absl::Status CreateStore(const std::string& store) = 0;
  // Forgets a store and its head. kAlreadyAcquired while somebody holds it.
  virtual absl::Status DeleteStore(const std::string& store, const std::string& by,
                                   const std::string& reason) = 0;
  virtual absl::StatusOr<LockInfo> Find(const std::string& store) = 0;
  virtual absl::StatusOr<ListPage> List(const ListQuery& query) = 0;
  // Waits until something happens to stores of this prefix after the revision, `wait` at most; then
  // the page is empty. kTooOld if the events are not kept any more.
  virtual absl::StatusOr<WatchPage> Watch(const std::string& prefix, Revision after,
                                          absl::Duration wait) = 0;
  // Asks the holder to hand over or to release; OK if nobody holds the store.
  virtual absl::Status AskToHandOver(const std::string& store, const std::string& from,
                                     const std::string& reason) = 0;
  // Ends the grant against the holder's will and leaves a line in the audit log. Returns the new
  // token, below which no storage accepts a write once it has seen it. kAlreadyReleased if nobody
  // holds the store.
  virtual absl::StatusOr<Token> Break(const std::string& store, const std::string& by,
                                      const std::string& reason) = 0;
  // Lines behind number `after`, 1000 at most.
  virtual absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) = 0;

  // Moving to another backend: stop the old one for holders, export, import into an empty one.
  // Tokens go on growing there. Import: kStoreExists (and no change) if it has one of the stores.
  virtual absl::StatusOr<DirectoryImage> Export() = 0;
  virtual absl::Status Import(const DirectoryImage& image) = 0;
};

}  // namespace podkit::lock
