// The responder's end of a download: it reads what it is asked for, and hashes everything in order.
#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "podkit/conduit/stream_piece.h"
#include "sha256.h"
#include "streams/hash_prefix.h"
#include "streams/ordered_pieces.h"

namespace podkit::conduit::internal {
namespace {

class ServedDownload final : public ServedStream {
 public:
  ServedDownload(std::unique_ptr<StreamSource> source, FinishStream finish, uint64_t from,
                 Sha256 hash, const StreamLimits& limits)
      : source_(std::move(source)),
        finish_(std::move(finish)),
        max_piece_(limits.max_piece_bytes),
        hash_(std::move(hash)),
        pieces_(from, limits.max_ahead_bytes) {}

  bool ended() const override { return ended_; }

  // One at a time: the source and the hash are no use to two threads.
  absl::StatusOr<PieceAnswer> Answer(const StreamPiece& piece, std::string_view,
                                     const std::stop_token&) override {
    const Turn turn(this);
    return Read(piece);
  }

 private:
  // Also ends when the source throws.
  class Turn {
   public:
    explicit Turn(ServedDownload* stream) : stream_(stream) {
      MutexLock lock(&stream_->mutex_);
      while (stream_->turn_taken_) stream_->turn_ended_.Wait(&stream_->mutex_);
      stream_->turn_taken_ = true;
    }
    ~Turn() {
      MutexLock lock(&stream_->mutex_);
      stream_->turn_taken_ = false;
      stream_->turn_ended_.Signal();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    ServedDownload* const stream_;
  };

  absl::StatusOr<PieceAnswer> Read(const StreamPiece& piece);

  const std::unique_ptr<StreamSource> source_;
  const FinishStream finish_;
  const size_t max_piece_;
  std::atomic<bool> ended_ = false;

  Mutex mutex_;
  CondVar turn_ended_;
  bool turn_taken_ ABSL_GUARDED_BY(mutex_) = false;

  // Used with the turn.
  Sha256 hash_;
  OrderedPieces pieces_;  // What is hashed, or waits for it.
  std::optional<StreamEnd> end_;
  std::optional<std::string> result_;
};

absl::StatusOr<PieceAnswer> ServedDownload::Read(const StreamPiece& piece) {
  const auto max = static_cast<size_t>(std::min<uint64_t>(piece.max, max_piece_));
  if (max == 0) return conduit::MakeError(InvalidArguments{}, "$.keywords.stream.max: above 0");
  PieceAnswer answer;
  const bool beyond = end_ && piece.offset >= end_->length;
  if (!beyond) {
    PODKIT_ASSIGN_OR_RETURN(answer.bytes, source_->Read(piece.offset, max));
  }
  const auto added = pieces_.Add(piece.offset, answer.bytes);
  if (!answer.bytes.empty() &&
      (added == OrderedPieces::Added::kOverlaps || added == OrderedPieces::Added::kTooFar)) {
    return conduit::MakeError(StreamAt{pieces_.next()},
                              fmt::format("the stream goes on at {}", pieces_.next()));
  }
  for (auto bytes = pieces_.Take(); !bytes.empty(); bytes = pieces_.Take()) hash_.Update(bytes);
  // Known only in order: whoever asks far behind the end gets nothing, which says nothing.
  const bool last =
      answer.bytes.size() < max && piece.offset + answer.bytes.size() == pieces_.next();
  if (last && !end_) {
    StreamEnd end{pieces_.next(), hash_.Hex()};
    PODKIT_ASSIGN_OR_RETURN(result_, finish_(end));
    end_ = std::move(end);
    ended_ = true;
  }
  answer.next = pieces_.next();
  if (end_ && piece.offset + answer.bytes.size() == end_->length) {
    answer.end = end_;
    answer.result = result_;
  }
  return answer;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServedStream>> ServeDownload(std::unique_ptr<StreamSource> source,
                                                            FinishStream finish, uint64_t from,
                                                            const StreamLimits& limits) {
  Sha256 hash;
  PODKIT_RETURN_IF_ERROR(HashPrefix(
      [&](uint64_t offset, size_t max) { return source->Read(offset, max); }, from, hash));
  return std::make_unique<ServedDownload>(std::move(source), std::move(finish), from,
                                          std::move(hash), limits);
}

}  // namespace podkit::conduit::internal
