#include "replay_guard.h"

#include <algorithm>

#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

// Times on the wire are whole milliseconds.
absl::Time WholeMilliseconds(absl::Time time) {
  return absl::FromUnixMillis(absl::ToUnixMillis(time));
}

}  // namespace

ReplayGuard::ReplayGuard(absl::Duration max_clock_skew, absl::Time start)
    : max_clock_skew_(max_clock_skew),
      earliest_(WholeMilliseconds(start)),
      next_drop_(start + max_clock_skew) {}

absl::Status ReplayGuard::Take(std::string_view caller, uint64_t session_id, uint64_t counter,
                               absl::Time sent, absl::Time now) {
  if (sent < now - max_clock_skew_ || sent > now + max_clock_skew_) {
    return absl::UnauthenticatedError(
        fmt::format("was sent {} away from this pod's clock: check the clocks of both",
                    absl::FormatDuration(absl::AbsDuration(sent - now))));
  }
  MutexLock lock(&mutex_);
  DropIdle(now);
  if (sent < earliest_) {
    return absl::UnauthenticatedError("was sent before what this pod remembers");
  }
  auto caller_entry = callers_.find(caller);
  if (caller_entry == callers_.end()) {
    caller_entry = callers_.emplace(std::string(caller), Sessions()).first;
  }
  Sessions& sessions = caller_entry->second;
  auto entry = sessions.find(session_id);
  if (entry == sessions.end()) {
    if (sessions.size() >= kMaxSessions) {
      return absl::UnauthenticatedError("comes from one process too many");
    }
    entry = sessions.emplace(session_id, std::make_unique<Session>()).first;
  }
  Session& session = *entry->second;
  const absl::Status taken = TakeNumber(session, counter);
  if (!taken.ok()) return taken;
  session.last_used = now;
  session.last_sent = std::max(session.last_sent, sent);
  return absl::OkStatus();
}

absl::Status ReplayGuard::TakeNumber(Session& session, uint64_t counter) {
  if (counter == 0) return absl::UnauthenticatedError("has the counter 0");
  if (counter > session.newest) {
    if (counter - session.newest >= kWindow) {
      session.taken.reset();
    } else {
      for (uint64_t n = session.newest + 1; n < counter; ++n) session.taken.reset(n % kWindow);
    }
    session.newest = counter;
  } else if (session.newest - counter >= kWindow || session.taken.test(counter % kWindow)) {
    return absl::UnauthenticatedError("was already received");
  }
  session.taken.set(counter % kWindow);
  return absl::OkStatus();
}

void ReplayGuard::DropIdle(absl::Time now) {
  const bool clock_went_back = now < next_drop_ - max_clock_skew_;
  if (now < next_drop_ && !clock_went_back) return;
  next_drop_ = now + max_clock_skew_;
  for (auto& [caller, sessions] : callers_) {
    for (auto session = sessions.begin(); session != sessions.end();) {
      if (session->second->last_used >= now - 2 * max_clock_skew_) {
        ++session;
        continue;
      }
      earliest_ = std::max(earliest_, session->second->last_sent + absl::Milliseconds(1));
      session = sessions.erase(session);
    }
  }
  std::erase_if(callers_, [](const auto& caller) { return caller.second.empty(); });
}

}  // namespace podkit::conduit::internal
