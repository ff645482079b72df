// The responder's end of an upload: pieces come from many threads, in any order, more than once.
#include <atomic>
#include <exception>
#include <optional>
#include <stop_token>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "podkit/conduit/stream_piece.h"
#include "sha256.h"
#include "streams/hash_prefix.h"
#include "streams/ordered_pieces.h"
#include "utf8.h"

namespace podkit::conduit::internal {
namespace {

class ServedUpload final : public ServedStream {
 public:
  ServedUpload(std::unique_ptr<StreamSink> sink, FinishStream finish, std::function<void()> abort,
               uint64_t from, Sha256 hash, const StreamLimits& limits)
      : sink_(std::move(sink)),
        finish_(std::move(finish)),
        abort_(std::move(abort)),
        max_length_(limits.max_length),
        hash_(std::move(hash)),
        pieces_(from, limits.max_ahead_bytes) {}
  ~ServedUpload() override {
    if (!ended_) Abort();
  }

  bool ended() const override { return ended_; }
  absl::StatusOr<PieceAnswer> Answer(const StreamPiece& piece, std::string_view bytes,
                                     const std::stop_token& stop) override;

 private:
  using Result = absl::StatusOr<PieceAnswer>;

  // Takes a piece in, when there is room for it; then either an answer, or the turn to use the
  // sink.
  std::optional<Result> Take(const StreamPiece& piece, std::string_view bytes,
                             const std::stop_token& stop);
  // With the turn, until somebody waits for it, who then goes on; or `all`.
  absl::Status WriteWhatCame(bool all);
  std::string NextBytes(uint64_t* offset);
  bool WrittenUpTo(uint64_t offset);
  bool SomebodyWaits();
  Result Finish(const StreamEnd& end);
  Result Arrived() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Result End(Result result);
  void Abort();
  // Nothing if more came meanwhile that nobody else will write.
  std::optional<Result> GiveTurnBack();

  std::unique_ptr<StreamSink> sink_;  // Used with the turn, and gone when the stream has ended.
  const FinishStream finish_;
  const std::function<void()> abort_;
  const uint64_t max_length_;
  Sha256 hash_;            // Of what was written; used with the turn.
  bool finished_ = false;  // Likewise.

  Mutex mutex_;
  CondVar changed_;
  std::atomic<bool> ended_ = false;
  bool turn_taken_ ABSL_GUARDED_BY(mutex_) = false;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;  // For the turn.
  OrderedPieces pieces_ ABSL_GUARDED_BY(mutex_);
  std::optional<Result> result_ ABSL_GUARDED_BY(mutex_);
};

// The turn must end, whatever the sink does.
template <typename Call>
auto NoThrow(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& exception) {
    return absl::InternalError(fmt::format("a sink threw {}", exception.what()));
  } catch (...) {
    return absl::InternalError("a sink threw something that is not a std::exception");
  }
}

absl::Status Unwanted() {
  return conduit::MakeError(TooLate{}, "the piece was given up before there was room for it");
}

absl::Status NextIs(uint64_t offset) {
  return conduit::MakeError(StreamAt{offset}, fmt::format("the stream goes on at {}", offset));
}

absl::StatusOr<PieceAnswer> ServedUpload::Answer(const StreamPiece& piece, std::string_view bytes,
                                                 const std::stop_token& stop) {
  if (piece.offset > max_length_ || bytes.size() > max_length_ - piece.offset) {
    return conduit::MakeError(
        StreamTooLong{max_length_},
        fmt::format("a payload may have {} bytes, and a piece ends behind that", max_length_));
  }
  if (auto answer = Take(piece, bytes, stop)) return *std::move(answer);
  for (;;) {
    const absl::Status written = NoThrow([&] { return WriteWhatCame(piece.end.has_value()); });
    if (!written.ok()) return End(written);
    // The caller ends the stream when everything else has arrived.
    if (piece.end && WrittenUpTo(piece.offset + bytes.size())) {
      return End(NoThrow([&] { return Finish(*piece.end); }));
    }
    if (auto answer = GiveTurnBack()) return *std::move(answer);
  }
}

bool ServedUpload::WrittenUpTo(uint64_t offset) {
  MutexLock lock(&mutex_);
  return pieces_.taken() >= offset;
}

bool ServedUpload::SomebodyWaits() {
  MutexLock lock(&mutex_);
  return waiting_ > 0;
}

std::optional<absl::StatusOr<PieceAnswer>> ServedUpload::Take(const StreamPiece& piece,
                                                              std::string_view bytes,
                                                              const std::stop_token& stop) {
  using Added = OrderedPieces::Added;
  const std::stop_callback wake(stop, [this] {
    MutexLock lock(&mutex_);
    changed_.SignalAll();
  });
  MutexLock lock(&mutex_);
  if (result_) return *result_;
  Added added = pieces_.Add(piece.offset, bytes);
  // The sink is behind. So is the caller soon, who has only so many pieces on their way.
  while (added == Added::kNoRoom) {
    if (stop.stop_requested()) return Unwanted();
    changed_.Wait(&mutex_);
    if (result_) return *result_;
    added = pieces_.Add(piece.offset, bytes);
  }
  if (added == Added::kOverlaps || added == Added::kTooFar) return NextIs(pieces_.next());
  // Who has the turn, or waits for it, writes this piece too.
  if (waiting_ > 0 && !piece.end) return Arrived();
  ++waiting_;
  while (turn_taken_) changed_.Wait(&mutex_);
  --waiting_;
  if (result_) return *result_;
  turn_taken_ = true;
  return std::nullopt;
}

absl::Status ServedUpload::WriteWhatCame(bool all) {
  uint64_t offset = 0;
  for (auto bytes = NextBytes(&offset); !bytes.empty(); bytes = NextBytes(&offset)) {
    PODKIT_RETURN_IF_ERROR(sink_->Write(offset, bytes));
    hash_.Update(bytes);
    if (!all && SomebodyWaits()) break;
  }
  return absl::OkStatus();
}

std::string ServedUpload::NextBytes(uint64_t* offset) {
  MutexLock lock(&mutex_);
  *offset = pieces_.taken();
  auto bytes = pieces_.Take();
  if (!bytes.empty()) changed_.SignalAll();  // There is more room.
  return bytes;
}

// Under the same lock: a piece that comes now must find the turn free, or have been seen.
std::optional<absl::StatusOr<PieceAnswer>> ServedUpload::GiveTurnBack() {
  MutexLock lock(&mutex_);
  if (pieces_.taken() != pieces_.next() && waiting_ == 0) return std::nullopt;
  turn_taken_ = false;
  changed_.SignalAll();
  return Arrived();
}

absl::StatusOr<PieceAnswer> ServedUpload::Arrived() const {
  return PieceAnswer{.next = pieces_.next(), .bytes = {}, .end = {}, .result = {}};
}

absl::StatusOr<PieceAnswer> ServedUpload::Finish(const StreamEnd& end) {
  uint64_t length = 0;
  {
    MutexLock lock(&mutex_);
    length = pieces_.next();
  }
  const std::string sha256 = hash_.Hex();
  if (end.length != length || end.sha256 != sha256) {
    return conduit::MakeError(
        StreamMismatch{length, sha256},
        fmt::format("{} bytes with SHA-256 {} arrived, but {} with {} were sent: send them again",
                    length, sha256, end.length, ForLog(end.sha256, 64)));
  }
  PODKIT_ASSIGN_OR_RETURN(std::string result, finish_(end));
  finished_ = true;
  return PieceAnswer{.next = length, .bytes = {}, .end = {}, .result = std::move(result)};
}

void ServedUpload::Abort() {
  static_cast<void>(NoThrow([this] {
    abort_();
    return absl::OkStatus();
  }));
}

absl::StatusOr<PieceAnswer> ServedUpload::End(absl::StatusOr<PieceAnswer> result) {
  if (!finished_) Abort();
  sink_.reset();
  MutexLock lock(&mutex_);
  ended_ = true;
  turn_taken_ = false;
  changed_.SignalAll();
  result_ = std::move(result);
  return *result_;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServedStream>> ServeUpload(std::unique_ptr<StreamSink> sink,
                                                          FinishStream finish,
                                                          std::function<void()> abort,
                                                          const StreamLimits& limits) {
  const uint64_t from = sink->Held();
  Sha256 hash;
  PODKIT_RETURN_IF_ERROR(HashPrefix(
      [&](uint64_t offset, size_t max) { return sink->ReadHeld(offset, max); }, from, hash));
  return std::make_unique<ServedUpload>(std::move(sink), std::move(finish), std::move(abort), from,
                                        std::move(hash), limits);
}

}  // namespace podkit::conduit::internal
