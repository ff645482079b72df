// The rules of a lock directory: a plain object that is told what happens and when, and says what
// to answer.
//
// It does no I/O, has no clock and no thread. Whoever drives it must make the changes of
// TakeEffects() durable, in their order, before any answer that was computed after them is given
// away; Renew alone reveals nothing that is not durable yet. After changes that could not be made
// durable, throw the object away and start from what is durable.
//
// Owner-thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "durable_state.h"
#include "podkit/lock/errors.h"
#include "podkit/lock/local_directory.h"
#include "podkit/lock/types.h"

namespace podkit::lock {

struct Moment {
  absl::Duration steady;  // Of a clock that only goes forward; leases and deadlines go by it.
  absl::Time wall;        // For wake-ups and the audit log.
};

using WaiterId = int64_t;

class DirectoryState {
 public:
  // `incarnation` tells this object from every other that continues the same durable state.
  DirectoryState(DirectoryLimits limits, std::string incarnation, DurableState&& durable,
                 Moment now);

  // Each method first does what became due: sessions end, waits end, stores are woken.

  void Tick(Moment now);
  // When, by the steady clock, something becomes due next, as it was known at the last call;
  // calendar time counts as if it ran evenly. InfiniteDuration: never.
  absl::Duration NextTick() const;

  absl::StatusOr<SessionGrant> OpenSession(Moment now, const SessionRequest& request);
  absl::StatusOr<absl::Duration> Renew(Moment now, const std::string& session);
  absl::Status CloseSession(Moment now, const std::string& session);
  absl::StatusOr<std::vector<Grant>> GrantsOf(Moment now, const std::string& session);
  absl::StatusOr<NoticePage> ReadNotices(Moment now, const std::string& session,
                                         const NoticeCursor& cursor);

  // The grant, or the number under which TakeEffects() will give the answer.
  struct AcquireAnswer {
    std::optional<Grant> grant;
    WaiterId waiter = 0;
  };
  absl::StatusOr<AcquireAnswer> Acquire(Moment now, const AcquireRequest& request);
  absl::Status CancelAcquire(Moment now, const std::string& session, const std::string& request_id,
                             const std::string& store);
  absl::StatusOr<Head> MoveHead(Moment now, const HeadChange& change);
  absl::Status SetWakeUp(Moment now, const Holding& holding, absl::Time wake_at);
  absl::Status Release(Moment now, const ReleaseRequest& request);
  absl::StatusOr<Token> HandOver(Moment now, const HandOverRequest& request);

  absl::Status CreateStore(Moment now, const std::string& store);
  absl::Status DeleteStore(Moment now, const std::string& store, const std::string& by,
                           const std::string& reason);
  absl::StatusOr<LockInfo> Find(Moment now, const std::string& store);
  absl::StatusOr<ListPage> List(Moment now, const ListQuery& query);
  absl::StatusOr<WatchPage> ReadEvents(Moment now, const std::string& prefix, Revision after);
  absl::Status AskToHandOver(Moment now, const std::string& store, const std::string& from,
                             const std::string& reason);
  absl::StatusOr<Token> Break(Moment now, const std::string& store, const std::string& by,
                              const std::string& reason);
  absl::StatusOr<DirectoryImage> Export(Moment now);
  absl::Status Import(Moment now, const DirectoryImage& image);

  struct FinishedWait {
    WaiterId waiter = 0;
    absl::StatusOr<Grant> answer;
  };
  struct Effects {
    Changes changes;
    std::vector<FinishedWait> finished;
    bool notices = false;  // Some session has a new notice.
    bool events = false;   // There is something new to watch.
  };
  // What happened since the last call.
  Effects TakeEffects();

  Revision revision() const { return revision_; }
  // Fills in what it knows.
  void Count(LocalDirectory::Counters* counters) const;

 private:
  struct Waiter {
    AcquireRequest request;
    absl::Duration deadline;
  };
  struct Session {
    SessionRow row;
    absl::Duration deadline;
    int64_t opened = 0;  // Counts up.
    std::set<std::string> held;
    std::set<WaiterId> waits;
    std::deque<Notice> notices;
    int64_t last_notice = 0;
    // Acquires that ended, as store, line feed, request id; the oldest first.
    std::deque<std::string> ended;
    absl::flat_hash_set<std::string> ended_keys;
  };
  struct Store {
    StoreRow row;
    absl::Duration since;          // When it was granted.
    absl::Time wake_due;           // When to wake it; later than row.wake_at after a vain try.
    std::deque<WaiterId> waiting;  // Best first.
  };
  using Sessions = absl::flat_hash_map<std::string, Session>;
  using Stores = std::map<std::string, Store, std::less<>>;

  // directory_state.cc: time and grants.
  void Advance(Moment now);
  void ForgiveStall(absl::Duration gap);
  void EndSession(const std::string& id, GrantEnd end, AuditEntry::Kind kind,
                  const std::string& reason);
  void WakeStores();
  Session* WakeHost();
  Revision NextRevision() { return ++revision_; }
  Grant GrantTo(Store& store, Session& session, const std::string& request, GrantReason reason,
                int64_t position);
  void EndGrant(Store& store, GrantEnd end, LockEvent::Kind event);
  void GrantNext(Store& store);
  void FinishWait(WaiterId id, absl::StatusOr<Grant> answer);
  void AddNotice(Session& session, Notice notice);
  void AddEvent(LockEvent::Kind kind, const StoreRow& row, const std::string& host);
  void AddAudit(AuditEntry::Kind kind, const StoreRow& row, const std::string& host,
                const std::string& by, const std::string& reason);
  void Keep(const Store& store);
  void PlanWake(Store& store);
  void UnplanWake(const Store& store);
  void ChangeWake(Store& store, absl::Time wake_at);

  // directory_sessions.cc and directory_stores.cc: what is asked.
  absl::StatusOr<Session*> FindSession(const std::string& id, const std::string& store = "");
  absl::StatusOr<Store*> FindStore(const std::string& name);
  absl::StatusOr<Store*> AddStore(const std::string& name);
  absl::StatusOr<Store*> FindHeld(const Holding& holding);
  absl::StatusOr<AcquireAnswer> Answer(Session& session, const AcquireRequest& request);
  static std::string EndedKey(const std::string& store, const std::string& request_id);
  void RememberEnd(Session& session, const std::string& store, const std::string& request_id);
  absl::StatusOr<AcquireAnswer> Enqueue(Store& store, Session& session,
                                        const AcquireRequest& request);
  WaiterId FindWait(const Store& store, const std::string& session, const std::string& request_id);
  Session* HandOverTarget(const Store& store, const std::string& host, WaiterId* wait);
  void AskHolder(Store& store, const std::string& from, const std::string& reason);
  std::string HostOf(const Store& store) const;
  LockErrorDetails DetailsOf(LockError error, const Store& store) const;
  LockInfo InfoOf(const Store& store) const;

  const DirectoryLimits limits_;
  const std::string incarnation_;
  Moment now_;
  Revision revision_ = 0;
  int64_t audit_entries_ = 0;
  int64_t sessions_opened_ = 0;
  WaiterId last_waiter_ = 0;
  Sessions sessions_;
  Stores stores_;
  absl::flat_hash_map<WaiterId, Waiter> waiters_;
  std::set<std::pair<absl::Duration, std::string>> session_deadlines_;
  std::set<std::pair<absl::Duration, WaiterId>> waiter_deadlines_;
  std::set<std::pair<absl::Time, std::string>> wakes_;  // Of stores that nobody holds.
  std::deque<LockEvent> events_;
  Revision events_from_ = 0;  // Events after this revision are kept.
  Effects effects_;
};

// OK if `text` may be the name of a store, host, session, request or manifest; `what` says which.
absl::Status CheckName(std::string_view what, std::string_view text);

// What the state stores of a grant, as its holder sees it.
Grant GrantOf(const StoreRow& row);

}  // namespace podkit::lock
