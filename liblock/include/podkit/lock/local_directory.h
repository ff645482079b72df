// A lock directory in this process: in memory, or in one SQLite file.
//
// Both are the same directory; they differ in what a restart leaves. Thread-safe, as
// WriteLockDirectory says. Requests that wait become durable together: one sync of the disk carries
// all of them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/lock/directory.h"

namespace podkit::lock {

struct DirectoryLimits {
  absl::Duration min_term = absl::Seconds(1);  // Wishes of sessions are brought into these bounds.
  absl::Duration max_term = absl::Hours(1);
  size_t max_sessions = 100'000;
  size_t max_stores = 10'000'000;
  size_t max_waiting = 1024;  // For one store.
  size_t kept_events = 16'384;
  size_t kept_notices = 100'000;  // For one session; the oldest are dropped.
  size_t kept_requests = 4096;    // For one session: ids of acquires that ended.
  // When a store was woken and its holder left it with the same wake-up, it is woken again only
  // after this time.
  absl::Duration wake_retry = absl::Minutes(1);
  // If nothing ran for longer than this, the directory itself stood still (suspended, stopped), and
  // the time is given back to every session.
  absl::Duration stall = absl::Seconds(5);
};

struct LocalDirectoryOptions {
  DirectoryLimits limits;
  // A reading of a clock that only goes forward. Empty: CLOCK_BOOTTIME.
  std::function<absl::Duration()> steady_clock;
  // For wake-ups and the audit log. Empty: absl::Now.
  std::function<absl::Time()> wall_clock;
  // 16 random bytes, unique for each start. Empty: from the system.
  std::function<std::string()> random;
  // With a thread of its own for what becomes due. Without, only Tick and other calls do it: for
  // tests that turn the clock.
  bool timer = true;
};

class LocalDirectory : public WriteLockDirectory {
 public:
  // Does what became due: sessions end, waits end, stores are woken.
  virtual void Tick() = 0;

  // Ends waiting calls with kDirectoryUnavailable, as destroying it does, and refuses all that
  // come: before a server waits for its calls to end.
  virtual void Close() = 0;

  struct Counters {
    int64_t requests = 0;  // That changed something.
    int64_t commits = 0;   // That carried them.
    Revision revision = 0;
    int64_t sessions = 0;
    int64_t stores = 0;
    int64_t held = 0;     // Of the stores.
    int64_t waiting = 0;  // Acquires in queues.
  };
  virtual Counters counters() const = 0;
};

// Keeps nothing beyond its life.
absl::StatusOr<std::unique_ptr<LocalDirectory>> OpenMemoryDirectory(
    LocalDirectoryOptions options = {});

// Keeps everything in the file `path`, which is created if missing; docs/lock-directory.md
// describes it. kFailedPrecondition if another process has it open, if it is something else, or if
// a newer version wrote it; kDamaged if it cannot be read. Destroying the directory ends waiting
// calls with kDirectoryUnavailable.
absl::StatusOr<std::unique_ptr<LocalDirectory>> OpenSqliteDirectory(
    const std::string& path, LocalDirectoryOptions options = {});

}  // namespace podkit::lock
