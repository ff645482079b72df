// A multiplexed connection to one host of another pod, for many threads: a MuxConnection with its
// stream, its timer, and what waits for its answers.
//
// Thread-safe. Every callback runs without locks held, on the thread that brought the bytes, moved
// the clock or (for what fails at once) called; so it must not block, for everything behind it
// waits. It may call the link.
// Ownership: the stream holds the link as its user until it is closed, and the link its stream;
// callbacks are let go of after `on_closed`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "mux/connection.h"
#include "podkit/conduit/byte_stream.h"
#include "podkit/conduit/pods.h"
#include "podkit/conduit/scheduler.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::internal {

class MuxLink;

// A call of the other pod. Answer it once, from any thread, now or later; one that is dropped
// without an answer is answered with status 500.
//
// Thread-safe.
class IncomingCall {
 public:
  IncomingCall(std::shared_ptr<MuxLink> link, uint64_t id, std::shared_ptr<const Pod> caller,
               WireRequest request);
  ~IncomingCall();
  IncomingCall(const IncomingCall&) = delete;
  IncomingCall& operator=(const IncomingCall&) = delete;

  // As authenticated.
  const std::shared_ptr<const Pod>& caller() const { return caller_; }
  // The owner's to move from; its authorization is empty.
  WireRequest& request() { return request_; }

  // Fires when the caller wants the answer no more, or is gone.
  std::stop_token stop_token();

  // Sends the answer; its authorization does not travel. After the first answer it does nothing.
  void Reply(WireReply reply);
  // Answers that nothing was executed: the caller may come back after that time.
  void Refuse(absl::Duration retry_after);

 private:
  friend class MuxLink;
  void RequestStop();
  // The link to answer on; nothing if that was done.
  std::shared_ptr<MuxLink> TakeLink();

  const uint64_t id_;
  const std::shared_ptr<const Pod> caller_;
  WireRequest request_;
  Mutex mutex_;
  std::shared_ptr<MuxLink> link_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<std::stop_source> stop_ ABSL_GUARDED_BY(mutex_);  // Made when it is asked for.
};

struct MuxLinkHandlers {
  // Once, before any call, when both ends are proven.
  std::function<void(const MuxPeer& peer)> on_connected;
  std::function<void(std::shared_ptr<IncomingCall> call)> on_call;
  // The other side takes no more calls: connect to another host. May come more than once.
  std::function<void(GoAwayReason reason, absl::Duration retry_after)> on_going_away;
  // Once and last, also without on_connected before it; all calls have their outcomes. OK: it was
  // closed on purpose. kUnauthenticated: who is at the other end is not who they say, which is
  // worth a line in the log.
  std::function<void(const absl::Status& why)> on_closed;
};

struct MuxLinkConfig {
  // The channel binding comes from the stream.
  HandshakeConfig identity;
  MuxOptions options = {};
  std::shared_ptr<Scheduler> scheduler;
  MuxLinkHandlers handlers;  // Each may be empty.
};

class MuxLink final : public StreamUser, public std::enable_shared_from_this<MuxLink> {
 public:
  using Done = std::function<void(absl::StatusOr<WireReply>)>;

  // On a stream that was just opened, by this side to reach `target`, or by the other side. The
  // stream must ask for output once it has its user.
  static std::shared_ptr<MuxLink> Dial(std::shared_ptr<ByteStream> stream,
                                       std::shared_ptr<const Pod> target, MuxLinkConfig config);
  static std::shared_ptr<MuxLink> Accept(std::shared_ptr<ByteStream> stream, MuxLinkConfig config);

  // Calls the other pod: `done` gets the reply, or a TransportError of kNotExecuted, kUnknown or
  // kCancelled; exactly once, perhaps before this returns, and surely then if nothing can be sent,
  // which is when the id is 0. Only the content type and the body travel.
  uint64_t Start(WireRequest request, Done done);

  // The caller wants no answer: the responder is told to stop, and `done` is called soon, with the
  // reply if that was faster. An id that has ended is no mistake.
  void Cancel(uint64_t id);

  // Takes no more calls, lets those under way end, for at most `grace`, then closes.
  void Shutdown(absl::Duration grace, GoAwayReason reason = GoAwayReason::kShutdown,
                absl::Duration retry_after = absl::ZeroDuration());
  // Closes now.
  void Close(const absl::Status& why);

  // True if Start can succeed now.
  bool accepts_calls() const;
  // Own calls that have not ended.
  size_t calls_out() const;
  // Calls of the other side that are not done with.
  size_t calls_in() const;
  const std::shared_ptr<ByteStream>& stream() const { return stream_; }

  // For the stream.
  void Receive(std::string_view bytes) override;
  std::string TakeOutput() override;
  void Closed(const absl::Status& why) override;

 private:
  friend class IncomingCall;

  MuxLink(std::shared_ptr<ByteStream> stream, MuxConnection connection, MuxLinkConfig config);
  static std::shared_ptr<MuxLink> Create(std::shared_ptr<ByteStream> stream,
                                         MuxConnection connection, MuxLinkConfig config);
  void Reply(uint64_t id, int status, Content content, std::string body);
  void Refuse(uint64_t id, absl::Duration retry_after);
  void Tick();

  void StartTimer(absl::Time when);
  void DrainLater();

  // True if the stream must be told that there is output.
  bool NeedsWake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does `change` to the connection, then everything that follows from it.
  template <typename Change>
  void Apply(const Change& change) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs the callbacks of the events, in their order, unless another thread is at it, which then
  // runs these too.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the events and what belongs to them; false if there are none.
  bool TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunBatch() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<ByteStream> stream_;
  const std::shared_ptr<Scheduler> scheduler_;

  // Of the thread that drains.
  MuxLinkHandlers handlers_;
  std::vector<MuxEvent> events_;
  std::vector<Done> dones_;                           // Of the replies and failures, in order.
  std::vector<std::shared_ptr<IncomingCall>> calls_;  // Of the calls and cancels, in order.
  MuxPeer peer_;                                      // Of MuxConnected.

  mutable Mutex mutex_;
  MuxConnection connection_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, Done> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, std::weak_ptr<IncomingCall>> incoming_ ABSL_GUARDED_BY(mutex_);
  // The stream will ask for output anyway.
  bool asked_ ABSL_GUARDED_BY(mutex_) = true;
  // A thread runs callbacks: what they send leaves in one piece when they are through.
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id drainer_ ABSL_GUARDED_BY(mutex_);
  bool stream_closed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t timer_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace podkit::conduit::internal
