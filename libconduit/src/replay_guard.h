// Remembers which requests were already taken, so that a copy of one is refused.
//
// Every calling process numbers its requests: a session that it makes up when it starts, and a
// counter. For each session of each caller the guard keeps a window over the newest numbers, so
// that requests may overtake each other and memory stays bounded.
//
// What it forgets, it refuses by time: nothing older than the guard itself, and nothing as old as
// the newest request of a session that was dropped.
//
// Thread-safe.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

class ReplayGuard {
 public:
  static constexpr uint64_t kWindow = 65'536;  // Numbers of one session that may be overtaken.
  static constexpr size_t kMaxSessions = 256;  // Of one caller, within twice the clock skew.

  ReplayGuard(absl::Duration max_clock_skew, absl::Time start);

  // Refuses, with kUnauthenticated and a reason for the log, a request that was already taken, or
  // may have been. Only for requests whose signature is good: what is taken here cannot be taken
  // again.
  absl::Status Take(std::string_view caller, uint64_t session, uint64_t counter, absl::Time sent,
                    absl::Time now);

 private:
  struct Session {
    uint64_t newest = 0;
    std::bitset<kWindow> taken;  // Bit n % kWindow, for the kWindow numbers up to the newest.
    absl::Time last_used;
    absl::Time last_sent = absl::InfinitePast();
  };
  using Sessions = std::map<uint64_t, std::unique_ptr<Session>>;

  static absl::Status TakeNumber(Session& session, uint64_t counter);
  void DropIdle(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration max_clock_skew_;
  Mutex mutex_;
  absl::Time earliest_ ABSL_GUARDED_BY(mutex_);  // What was sent before is refused.
  absl::Time next_drop_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Sessions, std::less<>> callers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
