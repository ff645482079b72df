// Payloads of any size beside a call, in constant memory: uploads and downloads.
//
//   struct PutAvatar {
//     static constexpr CommandInfo kInfo = {.name = "put-avatar"};
//     static constexpr StreamKind kStream = StreamKind::kUpload;
//     struct Arguments { ... };  struct Response { ... };  using Errors = ErrorList<...>;
//   };
//
//   streams.HandleUpload<PutAvatar>([](const CallContext&, const PutAvatar::Arguments& arguments)
//       -> absl::StatusOr<std::unique_ptr<UploadSink<PutAvatar::Response>>> { ... });
//   absl::StatusOr<PutAvatar::Response> put = streams.Upload<PutAvatar>("B", {...}, source);
//
// A stream is a run of ordinary calls with a piece each, several in flight: authenticated, limited
// and logged like every call, on every transport. All go to the host that took the first one (or is
// named in StreamOptions::call.host). A piece whose end is unknown is sent again there; a stream
// that the host lost is begun again where its sink says (StreamSink::Held). Length and SHA-256 are
// checked at both ends.
//
// Thread-safe. The conduit must outlive this; responders are registered before the first request,
// and stay registered when this is destroyed.
// Errors: those of the command; StreamMismatch, StreamTooLong; StreamGone where the responder lost
// the stream and it cannot be begun again; those of a call, after the repeats; what the caller's
// own source or sink returned. After those of a call, begin again: it goes on where the other end
// is.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/stream.h"
#include "podkit/conduit/stream_piece.h"

namespace podkit::conduit {

template <typename C>
concept UploadCommand = Command<C> && requires { requires C::kStream == StreamKind::kUpload; };
template <typename C>
concept DownloadCommand = Command<C> && requires { requires C::kStream == StreamKind::kDownload; };

// The command that a piece of a stream of C is a call of, with the same name: what other pods know
// of C (schema.h), and what golden files of it hold.
template <typename C>
  requires UploadCommand<C> || DownloadCommand<C>
using PieceOf = internal::PieceOf<C>;

class Streams {
 public:
  explicit Streams(Conduit* conduit, const StreamLimits& limits = {})
      : conduit_(conduit), table_(std::make_shared<internal::StreamTable>(limits, [conduit] {
          return conduit->Now();
        })) {}

  // `open` is called as open(context, [target,] arguments) when an upload begins and returns
  // absl::StatusOr<std::unique_ptr<UploadSink<C::Response>>>; the context lasts for that call only.
  template <UploadCommand C, typename Open>
  void HandleUpload(Open open);
  // Likewise, with a DownloadSource.
  template <DownloadCommand C, typename Open>
  void HandleDownload(Open open);

  // Sends everything that `source` has and waits for the answer.
  template <UploadCommand C>
  absl::StatusOr<typename C::Response> Upload(std::string_view pod, const TargetOf<C>& target,
                                              const typename C::Arguments& arguments,
                                              StreamSource& source,
                                              const StreamOptions& options = {}) {
    return Decode<C>(internal::RunUpload(Sender<C>(pod, target, arguments), source, options,
                                         [this] { return conduit_->Now(); }));
  }
  // Writes everything to `sink` and waits. Only an OK answer says that what the sink got is right.
  template <DownloadCommand C>
  absl::StatusOr<typename C::Response> Download(std::string_view pod, const TargetOf<C>& target,
                                                const typename C::Arguments& arguments,
                                                StreamSink& sink,
                                                const StreamOptions& options = {}) {
    return Decode<C>(internal::RunDownload(Sender<C>(pod, target, arguments), sink, options,
                                           [this] { return conduit_->Now(); }));
  }

  // Drops the streams of others that were idle for too long. Their calls do it too; a host that may
  // get no more of them calls this now and then.
  void DropIdle() { table_->DropIdle(); }
  // Of other pods, here.
  size_t open_streams() const { return table_->open_streams(); }

 private:
  // A sink or a source, or why there is none.
  template <typename C, typename Open>
  static auto CallOpen(Open& open, const CallContext& context, const TargetOf<C>& target,
                       const typename C::Arguments& arguments) {
    if constexpr (std::is_same_v<TargetOf<C>, Nothing>) {
      return open(context, arguments);
    } else {
      return open(context, target, arguments);
    }
  }
  // Answers pieces of C; `serve(end, piece)` makes a ServedStream of what `open` returned.
  template <typename C, typename Open, typename Serve>
  void Handle(Open open, Serve serve);
  template <typename C>
  internal::SendPiece Sender(std::string_view pod, const TargetOf<C>& target,
                             const typename C::Arguments& arguments);
  template <typename C>
  static absl::StatusOr<typename C::Response> Decode(absl::StatusOr<std::string> result);

  Conduit* const conduit_;
  const std::shared_ptr<internal::StreamTable> table_;
};

// Implementation.

template <typename C, typename Open, typename Serve>
void Streams::Handle(Open open, Serve serve) {
  using Piece = internal::PieceOf<C>;
  conduit_->Handle<Piece>(
      [table = table_, open = std::move(open), serve = std::move(serve)](
          const CallContext& context,
          const typename Piece::Arguments& call) -> absl::StatusOr<typename Piece::Response> {
        internal::StreamTable::Open begin;
        if (call.open) {
          begin = [&]() -> absl::StatusOr<std::unique_ptr<internal::ServedStream>> {
            auto end = CallOpen<C>(open, context, call.open->target, call.open->arguments);
            if (!end.ok()) return std::move(end).status();
            return serve(*std::move(end), call.stream, table->limits());
          };
        }
        auto answer = table->Answer(context, C::kInfo.name, call.stream, begin);
        if (!answer.ok()) return std::move(answer).status();
        typename Piece::Response response{.next = answer->next, .end = answer->end, .result = {}};
        *context.reply_payload = std::move(answer->bytes);
        if (answer->result) {
          auto result = FromJson<typename C::Response>(*std::move(answer->result));
          if (!result.ok()) return std::move(result).status();
          response.result.emplace(*std::move(result));
        }
        return response;
      });
}

template <UploadCommand C, typename Open>
void Streams::HandleUpload(Open open) {
  Handle<C>(std::move(open), [](std::unique_ptr<UploadSink<typename C::Response>> sink,
                                const internal::StreamPiece&, const StreamLimits& limits) {
    auto* const raw = sink.get();
    return internal::ServeUpload(
        std::move(sink),
        [raw](const StreamEnd& end) -> absl::StatusOr<std::string> {
          auto response = raw->Finish(end);
          if (!response.ok()) return std::move(response).status();
          return ToJson(*response);
        },
        [raw] { raw->Abort(); }, limits);
  });
}

template <DownloadCommand C, typename Open>
void Streams::HandleDownload(Open open) {
  Handle<C>(std::move(open), [](std::unique_ptr<DownloadSource<typename C::Response>> source,
                                const internal::StreamPiece& piece, const StreamLimits& limits) {
    auto* const raw = source.get();
    return internal::ServeDownload(
        std::move(source),
        [raw](const StreamEnd& end) -> absl::StatusOr<std::string> {
          auto response = raw->Finish(end);
          if (!response.ok()) return std::move(response).status();
          return ToJson(*response);
        },
        piece.offset, limits);
  });
}

template <typename C>
internal::SendPiece Streams::Sender(std::string_view pod, const TargetOf<C>& target,
                                    const typename C::Arguments& arguments) {
  using Piece = internal::PieceOf<C>;
  return [conduit = conduit_, pod = std::string(pod),
          opening = typename Piece::Opening{target, arguments}](
             const internal::StreamPiece& piece, bool open, const CallOptions& options,
             std::function<void(absl::StatusOr<internal::PieceAnswer>)> done) {
    typename Piece::Arguments call{.stream = piece, .open = {}};
    if (open) call.open = opening;
    CallOptions with_reply = options;
    const auto bytes = std::make_shared<std::string>();
    with_reply.reply_payload = bytes;
    conduit->Start<Piece>(
        pod, {}, call, with_reply,
        [bytes, done = std::move(done)](absl::StatusOr<typename Piece::Response> response) {
          if (!response.ok()) return done(std::move(response).status());
          internal::PieceAnswer answer{.next = response->next,
                                       .bytes = std::move(*bytes),
                                       .end = std::move(response->end),
                                       .result = {}};
          if (response->result) answer.result = ToJson(response->result->value);
          done(std::move(answer));
        });
  };
}

template <typename C>
absl::StatusOr<typename C::Response> Streams::Decode(absl::StatusOr<std::string> result) {
  if (!result.ok()) return std::move(result).status();
  return FromJson<typename C::Response>(*std::move(result));
}

}  // namespace podkit::conduit
