// A call on its way to another host: waits for a link, then for the answer, and ends once by the
// answer, its deadline or its caller's stop.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "mux/link.h"
#include "podkit/conduit/pods.h"
#include "podkit/conduit/scheduler.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::internal {

struct LinkCall {
  std::shared_ptr<const Pod> pod;
  std::string host;     // See LinkPool::HostsOf.
  WireRequest request;  // Its authorization does not travel: the link is authenticated.
  absl::Time deadline = absl::InfiniteFuture();
  std::stop_token stop = {};
  // Once, from any thread: the answer, or a TransportError.
  std::function<void(absl::StatusOr<WireReply>)> done;
};

class PendingCall : public std::enable_shared_from_this<PendingCall> {
 public:
  static std::shared_ptr<PendingCall> Begin(LinkCall call, std::shared_ptr<Scheduler> scheduler);

  // Once.
  void SendOn(const std::shared_ptr<MuxLink>& link);
  // If it has not ended yet.
  void Finish(absl::StatusOr<WireReply> result);

  const std::string& host() const { return call_.host; }

 private:
  PendingCall(LinkCall call, std::shared_ptr<Scheduler> scheduler)
      : call_(std::move(call)), scheduler_(std::move(scheduler)) {}

  void Watch();
  // The deadline has passed, or the caller wants the answer no more.
  void GiveUp(Outcome outcome);

  LinkCall call_;
  const std::shared_ptr<Scheduler> scheduler_;

  Mutex mutex_;
  std::shared_ptr<MuxLink> link_ ABSL_GUARDED_BY(mutex_);  // Once it is sent, until it ends.
  uint64_t id_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool sent_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;  // Set by Begin.
};

}  // namespace podkit::conduit::internal
