// What flows in a stream: a payload of any size beside a call, from the caller (an upload) or to it
// (a download). streams.h carries them; the two ends of one implement these interfaces.
//
// Each object is used by one thread at a time, from any thread, without locks held; it may block.
// Both ends hash the whole payload while it passes, and what an earlier attempt left is hashed too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/call.h"
#include "podkit/conduit/error.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit {

enum class StreamKind { kUpload, kDownload };

// What a whole payload is.
struct StreamEnd {
  uint64_t length = 0;  // Bytes.
  std::string sha256;   // 64 lower-case hexadecimal digits.
  static constexpr auto Fields() {
    return std::make_tuple(Required("length", &StreamEnd::length),
                           Required("sha256", &StreamEnd::sha256));
  }
  friend bool operator==(const StreamEnd&, const StreamEnd&) = default;
};

class StreamSource {
 public:
  virtual ~StreamSource() = default;
  // The bytes from `offset` on: exactly `max`, or fewer because the payload ends there. The same
  // bytes each time; offsets are mostly, but not always, in order.
  virtual absl::StatusOr<std::string> Read(uint64_t offset, size_t max) = 0;
};

class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // How many bytes it has from an attempt before: the stream goes on there. Asked at the beginning.
  virtual uint64_t Held() const { return 0; }
  // Those bytes, to be hashed; as StreamSource::Read. Needed where Held is above 0.
  virtual absl::StatusOr<std::string> ReadHeld(uint64_t, size_t) {
    return absl::UnimplementedError("a sink that holds something must give it (ReadHeld)");
  }
  // In order and without a gap. A failure ends the stream.
  virtual absl::Status Write(uint64_t offset, std::string_view bytes) = 0;
};

// The responder's end of an upload.
template <typename Response>
class UploadSink : public StreamSink {
 public:
  // Everything is there, and length and hash are those of the caller. Makes it durable and answers.
  // The sink is destroyed soon after this or Abort, which is the last call.
  virtual absl::StatusOr<Response> Finish(const StreamEnd& end) = 0;
  // The stream ended otherwise: failed, given up by the caller, or idle for too long. What it keeps
  // is up to it: the next attempt goes on from there if its sink says so (Held).
  virtual void Abort() = 0;
};

// The responder's end of a download.
template <typename Response>
class DownloadSource : public StreamSource {
 public:
  // Everything was read and sent. May still be asked to read what got lost on its way.
  virtual absl::StatusOr<Response> Finish(const StreamEnd& end) = 0;
};

// How a caller wants its stream carried.
struct StreamOptions {
  // Of each piece: `timeout` is that of one piece. Payloads, `key` and `max_attempts` do not count.
  CallOptions call = {};
  absl::Duration timeout = absl::InfiniteDuration();  // Of the whole.
  // Must be above 0 and, with its JSON, fit both ends' limits on bodies; 1 MiB is a common one.
  size_t piece_bytes = size_t{512} << 10;
  size_t window = 4;  // Pieces in flight at a time, at least 1.
  // A piece whose end is not known is sent again, so many times, after a time that doubles.
  int max_repeats = 5;
  absl::Duration repeat_after = absl::Milliseconds(200);
  // May be empty. Told how many bytes the other end has, or gave; on the thread that waits.
  std::function<void(uint64_t bytes)> progress = {};
};

// What one pod may have open here. Its memory is at most max_per_pod * max_ahead_bytes, and a piece
// for each of its calls: a sink that is slower than the caller makes the calls wait.
struct StreamLimits {
  size_t max_per_pod = 16;  // The next one is refused with Overloaded.
  // Pieces that come before their turn, or faster than the sink takes them, are kept up to so many
  // bytes.
  size_t max_ahead_bytes = size_t{8} << 20;
  size_t max_piece_bytes = size_t{1} << 20;        // Of a download.
  uint64_t max_length = uint64_t{1} << 40;         // Of an upload, in bytes.
  absl::Duration idle_timeout = absl::Minutes(2);  // An open stream without a call is dropped.
  // How many ended streams per pod are remembered, for callers that did not get the last answer.
  size_t max_ended_per_pod = 64;
};

// The errors of streams, declared for every command that has one.

// The stream is at that offset: go on there. Callers of Streams do not see it.
struct StreamAt {
  static constexpr std::string_view kClass = "StreamAt";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kOutOfRange;
  uint64_t offset = 0;
  static constexpr auto Fields() { return std::make_tuple(Required("offset", &StreamAt::offset)); }
};

// What arrived is not what was sent: the stream was given up. Carries what arrived.
struct StreamMismatch {
  static constexpr std::string_view kClass = "StreamMismatch";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kDataLoss;
  uint64_t length = 0;
  std::string sha256;
  static constexpr auto Fields() {
    return std::make_tuple(Required("length", &StreamMismatch::length),
                           Optional("sha256", &StreamMismatch::sha256));
  }
};

// The responder knows no such stream of this caller: it was dropped. Begin again.
struct StreamGone {
  static constexpr std::string_view kClass = "StreamGone";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kAborted;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// The payload is longer than the responder takes; the stream was given up.
struct StreamTooLong {
  static constexpr std::string_view kClass = "StreamTooLong";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  uint64_t limit = 0;  // Bytes.
  static constexpr auto Fields() {
    return std::make_tuple(Required("limit", &StreamTooLong::limit));
  }
};

}  // namespace podkit::conduit
