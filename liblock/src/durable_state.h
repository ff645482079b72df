// What of a lock directory outlives its process, and the changes that it is made by.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "podkit/lock/types.h"

namespace podkit::lock {

struct SessionRow {
  std::string id;
  std::string host;
  absl::Duration term;
  bool runs_wakeups = false;

  bool operator==(const SessionRow&) const = default;
};

// How the last grant of a store ended.
enum class GrantEnd { kNone = 0, kReleased = 1, kExpired = 2, kBroken = 3 };

struct StoreRow {
  std::string store;
  Token token = 0;      // Of the last grant, of a break after it, or of the creation.
  std::string session;  // That holds it; empty: nobody.
  std::string request;  // Of the Acquire that got it; empty: handed over, or woken up.
  GrantReason reason = GrantReason::kAcquired;
  int64_t position = 0;     // Grant::position.
  std::string end_request;  // Of the last release or hand-over,
  Token end_token = 0;      // and the grant that it ended.
  int64_t refused = 0;      // HandOverRequest::attempt, the greatest refused under this grant.
  GrantEnd end = GrantEnd::kNone;
  Head head;
  std::string head_request;  // Of the last MoveHead.
  absl::Time wake_at = absl::InfiniteFuture();

  bool operator==(const StoreRow&) const = default;
};

struct SessionGone {
  std::string id;
};

struct StoreGone {
  std::string store;
};

// A row takes the place of the one before.
using Change = std::variant<SessionRow, SessionGone, StoreRow, StoreGone, AuditEntry>;

// Changes that become durable together or not at all.
struct Changes {
  Revision revision = 0;  // After them.
  std::vector<Change> list;
};

struct DurableState {
  Revision revision = 0;
  std::map<std::string, SessionRow> sessions;  // By id.
  std::map<std::string, StoreRow> stores;      // By name.
  int64_t audit_entries = 0;                   // The number of the last.
};

void ApplyChanges(const Changes& changes, DurableState& state);

}  // namespace podkit::lock
