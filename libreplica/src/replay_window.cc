#include "replay_window.h"

#include "fmt/format.h"

namespace podkit::replica {

ReplayWindow::ReplayWindow(absl::Duration max_clock_skew, absl::Time start, size_t max_requests)
    : max_clock_skew_(max_clock_skew),
      // Times on the wire are whole milliseconds.
      start_(absl::FromUnixMillis(absl::ToUnixMillis(start))),
      max_requests_(max_requests) {}

absl::Status ReplayWindow::Take(const ChunkHash& request, absl::Time sent, absl::Time now) {
  if (sent < now - max_clock_skew_ || sent > now + max_clock_skew_) {
    return absl::UnauthenticatedError(
        fmt::format("the request was sent {} away from this gateway's clock: check the clocks",
                    absl::FormatDuration(absl::AbsDuration(sent - now))));
  }
  if (sent < start_) {
    return absl::UnauthenticatedError(
        "the request was sent before this gateway started: sign it anew");
  }
  MutexLock lock(&mutex_);
  Forget(now);
  if (taken_.contains({sent, request})) {
    return absl::UnauthenticatedError("the request was already received: sign it anew");
  }
  if (taken_.size() >= max_requests_) {
    return absl::UnavailableError("too many requests in a short time: try again later");
  }
  taken_.emplace(sent, request);
  return absl::OkStatus();
}

void ReplayWindow::Forget(absl::Time now) {
  // Twice the skew: a clock that goes back a little must not make a forgotten request new.
  const absl::Time before = now - 2 * max_clock_skew_;
  while (!taken_.empty() && taken_.begin()->first < before) taken_.erase(taken_.begin());
}

}  // namespace podkit::replica
