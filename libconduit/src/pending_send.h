// A request whose end comes from whoever is first: the reply, or the caller's stop.
//
// Thread-safe. Held by shared_ptr by whoever may end it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "absl/status/statusor.h"
#include "podkit/conduit/error.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::internal {

class PendingSend : public std::enable_shared_from_this<PendingSend> {
 public:
  static std::shared_ptr<PendingSend> Create(Sending sending) {
    auto pending = std::make_shared<PendingSend>(std::move(sending));
    pending->WatchStop();
    return pending;
  }

  explicit PendingSend(Sending sending) : sending_(std::move(sending)) {}
  // A request that everybody has forgotten was not sent.
  ~PendingSend() { Finish(TransportError(Outcome::kNotExecuted, "the transport has ended")); }
  PendingSend(const PendingSend&) = delete;
  PendingSend& operator=(const PendingSend&) = delete;

  const Sending& sending() const { return sending_; }
  bool ended() const { return ended_; }

  // False if it has ended already.
  bool Finish(absl::StatusOr<WireReply> result) {
    if (ended_.exchange(true)) return false;
    sending_.done(std::move(result));
    return true;
  }

 private:
  void WatchStop() {
    if (!sending_.stop.stop_possible()) return;
    on_stop_.emplace(sending_.stop, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->Finish(TransportError(Outcome::kCancelled, "the call was cancelled"));
    });
  }

  Sending sending_;
  std::atomic<bool> ended_ = false;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace podkit::conduit::internal
