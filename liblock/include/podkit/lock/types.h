// What a lock directory says about a store, and what a holder asks of it.
//
// Plain values. Durations in them are relative: no clock reading of one machine is ever compared
// with one of another. The only calendar time is that of a wake-up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace podkit::lock {

// Grows with every grant in the whole directory and never repeats, whatever is released, deleted or
// restarted. Greater than 0; 0 means none.
using Token = int64_t;

// Changes of the directory are numbered; a token is the revision of its grant.
using Revision = int64_t;

// The newest saved state of a store.
struct Head {
  std::string manifest;  // Names the saved state, by its hash for instance. Empty: never saved.
  int64_t position = 0;  // The number of the last transaction that is in it, as the holder counts.
  Token token = 0;       // Of the holder that saved it.

  bool operator==(const Head&) const = default;
};

// Who may get a store first when several wait for it. Equals are served in the order they came.
enum class Priority { kBackground = 0, kInteractive = 1 };

enum class GrantReason { kAcquired, kHandedOver, kWokenUp };

// The right to write a store.
struct Grant {
  std::string store;
  Token token = 0;
  GrantReason reason = GrantReason::kAcquired;
  Head head;
  // The last transaction that the store has, as the host before said when it handed over; it may be
  // newer than the head. 0: unknown, start from the head.
  int64_t position = 0;
  absl::Time wake_at = absl::InfiniteFuture();  // See HeadChange.

  bool operator==(const Grant&) const = default;
};

struct SessionRequest {
  // Chosen by the host, hard to guess: whoever knows it acts for the session. Opening one that is
  // alive resumes it, so a repeated request does no harm.
  std::string id;
  std::string host;  // The name by which others route calls and hand over.
  absl::Duration term = absl::Seconds(30);
  bool runs_wakeups = false;  // May be granted stores whose time has come.
};

struct SessionGrant {
  absl::Duration term;   // What the directory made of the wish.
  bool resumed = false;  // It was alive already, with its grants.
};

// A grant as its holder names it.
struct Holding {
  std::string session;
  std::string store;
  Token token = 0;
};

// The `request_id` of each request that changes something names it within its session: whoever got
// no answer repeats the request with the same id, and the change happens once. A new request needs
// a new id: a late copy of one that was answered must change nothing.
struct AcquireRequest {
  std::string session;
  std::string request_id;
  std::string store;
  absl::Duration wait;  // How long to stand in the queue; zero: only try.
  Priority priority = Priority::kInteractive;
  bool ask_holder = false;  // While waiting, politely ask the holder to hand over.
  bool create = false;      // A store that is not there is made.
  // Take over what another request of this session got, under a new token: after a restart of the
  // host. The token of that grant; 0: do not. What was handed over to the session, or woken, is
  // taken over in any case.
  Token take_over = 0;
};

// Moves the head of a held store.
struct HeadChange {
  Holding holding;
  std::string request_id;
  std::string parent;  // The manifest that the new state was made from.
  std::string
      manifest;  // Never used before in this store: a late copy of an old request must fail.
  int64_t position = 0;
  // When the store must be open next, to run what is scheduled in it: kept with the head. If nobody
  // holds the store then, it is granted to a host that runs wake-ups. InfiniteFuture: never.
  absl::Time wake_at = absl::InfiniteFuture();
};

enum class ReleaseKind {
  kSaved,      // All work is in the head.
  kAbandoned,  // Work after the head is given up; the audit log says from where on.
};

struct ReleaseRequest {
  Holding holding;
  std::string request_id;
  ReleaseKind kind = ReleaseKind::kSaved;
  std::string reason;  // For the audit log, when abandoned.
};

struct HandOverRequest {
  Holding holding;
  std::string request_id;
  std::string to_host;
  int64_t position = 0;  // See Grant.
  // Counts the hand-overs that are tried under one grant, from 1: when one was refused, copies of
  // it and of those before are refused too, however late they arrive. 0: not counted.
  int64_t attempt = 0;
};

// What a session is told. Notices of one incarnation of the directory are numbered.
struct Notice {
  enum class Kind {
    kGranted,          // A store was handed over to the session, or has to be woken: `grant`.
    kAskedToHandOver,  // Somebody waits for `grant.store`, or asks for it: `from`, `reason`.
    kLost,             // The grant was broken: `from`, `reason`.
  };
  int64_t number = 0;
  Kind kind = Kind::kGranted;
  Grant grant;
  std::string from;
  std::string reason;
};

struct NoticeCursor {
  std::string
      incarnation;  // Empty at first. Another one than the directory's means "from the start".
  int64_t after = 0;
};

struct NoticePage {
  NoticeCursor next;
  std::vector<Notice> notices;

  bool empty() const { return notices.empty(); }
};

// What the directory knows of a store.
struct LockInfo {
  std::string store;
  Token token = 0;           // Of the last grant, or of its forced end.
  std::string host;          // That holds it; empty: nobody.
  absl::Duration remaining;  // Until its session ends unless renewed.
  absl::Duration since;      // For how long it has been held; since the restart at most.
  Head head;
  absl::Time wake_at = absl::InfiniteFuture();
  int64_t waiting = 0;  // In the queue.
};

struct ListQuery {
  std::string prefix;  // Of the store's name.
  std::string host;    // Only what it holds; empty: all.
  std::string after;   // Start behind this name.
  int64_t limit = 1000;
};

struct ListPage {
  std::vector<LockInfo> locks;  // By name.
  Revision revision = 0;        // Of the directory at that moment: watch from here.
  bool more = false;
};

struct LockEvent {
  enum class Kind { kCreated, kDeleted, kGranted, kReleased, kExpired, kBroken, kHeadMoved };
  Revision revision = 0;
  Kind kind = Kind::kCreated;
  std::string store;
  Token token = 0;
  std::string host;  // That got it, or had it.
};

struct WatchPage {
  std::vector<LockEvent> events;  // In the order of their revisions.
  Revision revision = 0;          // Watch on from here.

  bool empty() const { return events.empty(); }
};

// A line of the audit log: what ended otherwise than by a release after saving.
struct AuditEntry {
  enum class Kind { kBroken, kAbandoned, kExpired, kDeleted, kImported, kHandedOver };
  int64_t number = 0;  // From 1.
  absl::Time at;       // By the directory's calendar clock, for people.
  Kind kind = Kind::kBroken;
  std::string store;
  Token token = 0;   // That ended.
  std::string host;  // That held it.
  std::string by;
  std::string reason;
  Head head;  // The last state that is kept; what came after it is on that host only.
};

// Everything that outlives the directory's process except who holds what: to change the backend.
struct DirectoryImage {
  struct Store {
    std::string store;
    Token token = 0;
    Head head;
    absl::Time wake_at = absl::InfiniteFuture();
  };
  Revision revision = 0;  // No token beyond it was given.
  std::vector<Store> stores;
};

}  // namespace podkit::lock
