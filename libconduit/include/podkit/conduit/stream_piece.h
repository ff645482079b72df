// The calls that a stream consists of, and what carries them: docs/conduit-streams.md. For
// streams.h; others have Streams.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/stream.h"

namespace podkit::conduit::internal {

// The place of one piece in its stream.
struct StreamPiece {
  std::string id;                // Of the stream, chosen by the caller; 1 to 64 bytes.
  uint64_t offset = 0;           // Of the piece.
  uint64_t max = 0;              // Of a download: how many bytes are asked for.
  bool drop = false;             // The caller gives the stream up.
  std::optional<StreamEnd> end;  // Of an upload: this piece is the last one.
  static constexpr auto Fields() {
    return std::make_tuple(Required("id", &StreamPiece::id),
                           Required("offset", &StreamPiece::offset),
                           Optional("max", &StreamPiece::max), Optional("drop", &StreamPiece::drop),
                           Optional("end", &StreamPiece::end));
  }
};

template <typename A, typename B>
struct JoinedErrors;
template <typename... A, typename... B>
struct JoinedErrors<ErrorList<A...>, ErrorList<B...>> {
  using Type = ErrorList<A..., B...>;
};

// The call that carries a piece of a stream of command C. Safe to repeat, whatever C is: a piece
// has its place.
template <Command C>
struct PieceOf {
  static constexpr CommandInfo kInfo = {
      .name = C::kInfo.name, .since = C::kInfo.since, .effect = Effect::kIdempotent};
  // Only with these may the call begin the stream.
  struct Opening {
    conduit::TargetOf<C> target;
    typename C::Arguments arguments;
    static constexpr auto Fields() {
      return std::make_tuple(Required("target", &Opening::target),
                             Required("arguments", &Opening::arguments));
    }
  };
  struct Arguments {
    StreamPiece stream;
    std::optional<Opening> open;
    static constexpr auto Fields() {
      return std::make_tuple(Required("stream", &Arguments::stream),
                             Optional("open", &Arguments::open));
    }
  };
  // Around what may itself be null.
  struct Result {
    typename C::Response value;
    static constexpr auto Fields() { return std::make_tuple(Required("value", &Result::value)); }
  };
  struct Response {
    uint64_t next = 0;             // Everything before it has arrived, or was given.
    std::optional<StreamEnd> end;  // Of a download.
    std::optional<Result> result;  // The stream has ended well.
    static constexpr auto Fields() {
      return std::make_tuple(Required("next", &Response::next), Optional("end", &Response::end),
                             Optional("result", &Response::result));
    }
  };
  using Errors =
      typename JoinedErrors<typename C::Errors,
                            ErrorList<StreamAt, StreamMismatch, StreamGone, StreamTooLong>>::Type;
};

// The answer to a piece, whatever its command.
struct PieceAnswer {
  uint64_t next = 0;
  std::string bytes;  // Of a download.
  std::optional<StreamEnd> end;
  std::optional<std::string> result;  // As JSON.
};

// An open stream of another pod. Thread-safe. Destroying it aborts it, unless it has ended.
class ServedStream {
 public:
  virtual ~ServedStream() = default;
  // May wait for the sink or the source, and for room; for room not after `stop`.
  virtual absl::StatusOr<PieceAnswer> Answer(const StreamPiece& piece, std::string_view bytes,
                                             const std::stop_token& stop) = 0;
  virtual bool ended() const = 0;
};

using FinishStream = std::function<absl::StatusOr<std::string>(const StreamEnd&)>;

// The two kinds, which read what an earlier attempt left before they begin.
absl::StatusOr<std::unique_ptr<ServedStream>> ServeUpload(std::unique_ptr<StreamSink> sink,
                                                          FinishStream finish,
                                                          std::function<void()> abort,
                                                          const StreamLimits& limits);
absl::StatusOr<std::unique_ptr<ServedStream>> ServeDownload(std::unique_ptr<StreamSource> source,
                                                            FinishStream finish, uint64_t from,
                                                            const StreamLimits& limits);

// The streams that other pods have open here. Thread-safe.
class StreamTable {
 public:
  using Open = std::function<absl::StatusOr<std::unique_ptr<ServedStream>>()>;

  StreamTable(StreamLimits limits, std::function<absl::Time()> now);
  ~StreamTable();
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;

  // Answers one piece; an empty `open` cannot begin a stream. Only the pod and the actor that began
  // it reach a stream.
  absl::StatusOr<PieceAnswer> Answer(const CallContext& context, std::string_view command,
                                     const StreamPiece& piece, const Open& open);
  void DropIdle();
  size_t open_streams() const;
  const StreamLimits& limits() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// Sends one piece; the bytes are in the options.
using SendPiece =
    std::function<void(const StreamPiece& piece, bool open, const CallOptions& options,
                       std::function<void(absl::StatusOr<PieceAnswer>)> done)>;

// Carry a whole stream and give the result as JSON. `now` is the clock of the deadline.
absl::StatusOr<std::string> RunUpload(const SendPiece& send, StreamSource& source,
                                      const StreamOptions& options,
                                      const std::function<absl::Time()>& now);
absl::StatusOr<std::string> RunDownload(const SendPiece& send, StreamSink& sink,
                                        const StreamOptions& options,
                                        const std::function<absl::Time()>& now);

}  // namespace podkit::conduit::internal
