// One end of a multiplexed connection between two pods, on which both call each other: the whole
// protocol behind the bytes, without a socket, a clock or a thread. Feed it what arrives and the
// time; take what it has to send and what happened. docs/conduit-connection.md is its contract with
// the other end.
//
// A plain object for one thread at a time (MuxLink puts a lock around it).
//
// Every call that StartCall took ends in exactly one MuxReply or MuxFailure, and every MuxCall is
// answered exactly once by the owner with Reply or Refuse, also after a MuxCancel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mux/assembly.h"
#include "mux/frame.h"
#include "mux/handshake.h"
#include "mux/output.h"
#include "mux/record.h"
#include "podkit/conduit/error.h"
#include "podkit/conduit/pods.h"

namespace podkit::conduit::internal {

struct MuxOptions {
  size_t max_body_bytes = size_t{32} << 20;  // Of a call and of a reply, in and out; below 4 GiB.
  // Calls of the other side that are not done with, and the bytes of their bodies and of long
  // answers to them. What is more is refused as not executed, with this time to come back.
  size_t max_calls_in = 1024;
  size_t max_call_bytes_in = size_t{64} << 20;
  absl::Duration retry_after = absl::Seconds(1);
  // Own calls that have not ended; what is more fails as not executed. And the bytes of long
  // answers to them that are being received; an answer beyond that is lost.
  size_t max_calls_out = 16384;
  size_t max_reply_bytes_in = size_t{256} << 20;
  // Short frames that wait because the other side does not read. Beyond that no call is taken in or
  // out, and beyond twice that the connection ends.
  size_t max_waiting_bytes = size_t{16} << 20;
  absl::Duration handshake_timeout = absl::Seconds(10);
  // When no record came for that long the other side is asked for a sign of life, and a record must
  // come within the time-out. Then it is also checked whether the key in use is still valid.
  absl::Duration ping_after = absl::Seconds(30);
  absl::Duration ping_timeout = absl::Seconds(10);
};

// Both ends are proven: peer() says who the other one is, and calls can start.
struct MuxConnected {};
// The other side calls.
struct MuxCall {
  uint64_t id = 0;
  Content content = Content::kNone;
  std::string body;
};
// Its caller does not want the answer any more, or is gone. At most once, and not after the answer.
struct MuxCancel {
  uint64_t id = 0;
};
// An own call was answered.
struct MuxReply {
  uint64_t id = 0;
  int status = 0;
  Content content = Content::kNone;
  std::string body;
};
// An own call was not: `outcome` is kNotExecuted, kUnknown or kCancelled (as kUnknown, after
// Cancel).
struct MuxFailure {
  uint64_t id = 0;
  Outcome outcome = Outcome::kUnknown;
  std::string why;
  // The other side has too much to do: when to come back. Zero if that is not the reason.
  absl::Duration retry_after = absl::ZeroDuration();
  bool going_away = false;  // The other side takes no more calls on this connection.
};
// The other side takes no more calls and will close when what is under way has ended.
struct MuxGoingAway {
  GoAwayReason reason = GoAwayReason::kShutdown;
  absl::Duration retry_after;
};
// The last event. OK: drained after GoAway, or closed by an owner who said OK.
struct MuxClosed {
  absl::Status why;
};
using MuxEvent =
    std::variant<MuxConnected, MuxCall, MuxCancel, MuxReply, MuxFailure, MuxGoingAway, MuxClosed>;

class MuxConnection {
 public:
  // The end that dialled `target`; the one that was dialled.
  MuxConnection(const HandshakeConfig& identity, std::shared_ptr<const Pod> target,
                const MuxOptions& options, absl::Time now);
  MuxConnection(const HandshakeConfig& identity, const MuxOptions& options, absl::Time now);

  // A connection past its handshake, whose records are not sealed: for tests and fuzzers of what
  // comes behind it.
  static MuxConnection ForTest(bool dialled, std::shared_ptr<Pods> pods, MuxPeer peer,
                               const MuxOptions& options, absl::Time now);

  // Bytes from the other side, cut anywhere.
  void Receive(std::string_view bytes, absl::Time now);

  // One record to send; empty if there is none now.
  std::string TakeOutput();
  bool has_output() const { return !handshake_output_.empty() || (connected_ && output_.ready()); }

  // Does what is due at `now`. NextTick says when to call it next; later calls do no harm, except
  // that what is dead is found later. InfiniteFuture when closed.
  void Tick(absl::Time now);
  absl::Time NextTick() const;

  // The last event is out: take the output that is left, then close the stream.
  bool closed() const { return closed_; }

  // Calls the other side. An error means that nothing was sent: a TransportError of kNotExecuted,
  // a ReturnedCall if the connection takes no more calls.
  absl::StatusOr<uint64_t> StartCall(Content content, std::string body);
  // The caller wants no answer. The call still ends with one event: MuxReply if the answer was
  // faster, else MuxFailure. A call that has ended is no mistake.
  void Cancel(uint64_t id);

  // Answers a call of the other side. After MuxCancel, or when closed, it only frees what the call
  // held. A body beyond the limit is answered with status 413 and no body instead.
  void Reply(uint64_t id, int status, Content content, std::string body);
  // Answers that the call was not executed and will not be.
  void Refuse(uint64_t id, absl::Duration retry_after);

  // Takes no more calls, starts none, and closes once all have ended.
  void GoAway(GoAwayReason reason, absl::Duration retry_after);
  // Ends everything now.
  void Close(const absl::Status& why);
  // The same because the stream ended, or failed.
  void StreamEnded(const absl::Status& why);

  // Moves the events since the last time behind those in `*events`.
  void TakeEvents(std::vector<MuxEvent>* events);
  bool has_events() const { return !events_.empty(); }

  bool connected() const { return connected_ && !closed_; }
  // True if StartCall can succeed.
  bool accepts_calls() const { return connected() && !going_away_ && !peer_going_away_; }
  size_t calls_out() const { return calls_out_.size(); }
  size_t calls_in() const { return calls_in_.size(); }
  // Valid from MuxConnected on.
  const MuxPeer& peer() const { return peer_; }

 private:
  struct CallOut {
    bool in_chunks = false;    // Its body is...
    bool chunks_sent = false;  // ... and the last one was taken.
    bool cancelled = false;    // Cancel was sent; no event yet.
    bool ended = false;        // Its event is out; the other side has yet to say its last word.
    bool replying = false;     // The reply comes in chunks.
    int status = 0;
    Content content = Content::kNone;
    size_t reply_bytes = 0;  // Of the whole reply; counted in reply_bytes_in_ unless discarded.
    size_t discarded = 0;    // Bytes of a reply that came too late or is too large.
    bool discard = false;
    Assembly reply;
  };
  struct CallIn {
    enum class State {
      kReceiving,  // Its body comes in chunks.
      kAnswering,  // The owner has it.
      kCancelled,  // As before, but nobody wants the answer.
      kReplying,   // The answer goes out in chunks.
    };
    State state = State::kReceiving;
    Content content = Content::kNone;
    size_t bytes = 0;  // Counted in call_bytes_in_.
    Assembly body;
  };
  using CallOutEntry = absl::flat_hash_map<uint64_t, CallOut>::iterator;
  using CallInEntry = absl::flat_hash_map<uint64_t, CallIn>::iterator;

  MuxConnection(bool dialled, const HandshakeConfig& identity, Handshake handshake,
                const MuxOptions& options, absl::Time now);

  absl::Status OnHandshake(std::string_view message);
  void SendHandshake(std::string_view message);
  absl::Status BecomeConnected();
  absl::Status OnRecord(std::string_view record);
  absl::Status OnFrame(const Frame& frame);
  absl::Status OnCall(const Frame& frame);
  absl::Status OnReply(const Frame& frame);
  absl::Status OnChunk(const Frame& frame);
  absl::Status OnReplyChunk(const Frame& frame);
  absl::Status OnCallChunk(const Frame& frame);
  absl::Status OnRefuse(const Frame& frame);
  absl::Status OnCancel(const Frame& frame);
  absl::Status OnCancelled(const Frame& frame);
  absl::Status OnWindow(const Frame& frame);
  absl::Status OnGoAway(const Frame& frame);
  // Why a call is refused before its body is taken, if it is.
  std::optional<RefuseReason> Objection(const Frame& call) const;
  // The event of an own call, unless it had one; the call stays. `how` says what there is beyond
  // the outcome.
  void Report(uint64_t id, CallOut& call, Outcome outcome, std::string_view why,
              MuxFailure how = {});
  void ReportReply(uint64_t id, CallOut& call, std::string body);
  void EraseCallOut(CallOutEntry call);
  void EraseCallIn(CallInEntry call);
  // Own calls beyond `id`, oldest first.
  std::vector<uint64_t> CallsOutBeyond(uint64_t id) const;
  // True if the whole of the call was handed out, so that it may be executed.
  bool SentWhole(uint64_t id, const CallOut& call) const;
  // Counts a frame that does nothing; too many of them end the connection.
  absl::Status CountNoise();
  // Closes because of what the other side did, and tells it so.
  void Fail(const absl::Status& why, GoAwayReason reason);
  void CheckKey();
  void CheckDrained();
  bool IsOwn(uint64_t id) const { return (id % 2 == 1) == dialled_; }
  std::string PeerName() const;

  const bool dialled_;
  const MuxOptions options_;
  const std::shared_ptr<Pods> pods_;
  Handshake handshake_;
  const absl::Time handshake_deadline_;
  bool connected_ = false;
  bool closed_ = false;
  bool going_away_ = false;
  bool peer_going_away_ = false;
  MuxPeer peer_;

  RecordReader records_;
  bool sealed_;  // False where TLS protects the connection.
  std::optional<Cipher> sealer_;
  std::optional<Cipher> opener_;
  std::string plain_;  // The record that was opened last; its memory is used again.

  std::string handshake_output_;
  MuxOutput output_;
  std::vector<MuxEvent> events_;
  absl::flat_hash_map<uint64_t, CallOut> calls_out_;
  absl::flat_hash_map<uint64_t, CallIn> calls_in_;
  uint64_t next_call_;            // The id of the next own call.
  uint64_t last_call_taken_ = 0;  // The last own call whose Call frame was handed out.
  uint64_t last_call_in_ = 0;     // The greatest id that the other side used.
  size_t call_bytes_in_ = 0;
  size_t reply_bytes_in_ = 0;
  Window window_{kConnectionWindowBytes};

  absl::Time now_;  // Of the last event.
  absl::Time last_heard_;
  absl::Time next_check_;                       // Of the key.
  absl::Time pinged_ = absl::InfiniteFuture();  // Not answered yet.
  absl::Time noise_since_ = absl::InfinitePast();
  int64_t noise_ = 0;
};

}  // namespace podkit::conduit::internal
