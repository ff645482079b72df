// The caller's end of a download.
#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "hmac.h"
#include "podkit/conduit/stream_piece.h"
#include "sha256.h"
#include "streams/hash_prefix.h"
#include "streams/ordered_pieces.h"
#include "streams/piece_window.h"

namespace podkit::conduit::internal {
namespace {

constexpr int kMaxRestarts = 3;
constexpr int kMaxIdleAsks = 3;

class Download {
 public:
  Download(const SendPiece* send, StreamSink* sink, const StreamOptions* options,
           const std::function<absl::Time()>& now, absl::Time deadline, uint64_t from, Sha256 hash)
      : send_(send),
        sink_(sink),
        options_(options),
        now_(now),
        deadline_(deadline),
        piece_bytes_(options->piece_bytes),
        hash_(std::move(hash)),
        pieces_(from, options->window * options->piece_bytes) {}

  absl::StatusOr<std::string> Run() {
    for (int restarts = 0;; ++restarts) {
      id_ = RandomHex(16);
      PieceWindow window(send_, options_, now_, deadline_);
      auto result = Carry(window);
      if (result.ok()) return result;
      const bool gone = GetError<StreamGone>(result.status()).has_value();
      if (!gone) window.Drop(id_);
      if (!gone || restarts == kMaxRestarts) return result;
    }
  }

 private:
  absl::StatusOr<std::string> Carry(PieceWindow& window);
  void Ask(PieceWindow& window, bool open);
  absl::Status Await(PieceWindow& window);
  absl::Status Write(const Flight& asked, PieceAnswer answer);
  absl::Status Check(const StreamEnd& end) const;

  const SendPiece* const send_;
  StreamSink* const sink_;
  const StreamOptions* const options_;
  const std::function<absl::Time()> now_;
  const absl::Time deadline_;
  std::string id_;
  size_t piece_bytes_;
  Sha256 hash_;
  OrderedPieces pieces_;
  uint64_t asked_ = 0;      // Everything before it was asked for.
  bool saw_short_ = false;  // A piece came that was not full: the end is near.
  int idle_asks_ = 0;       // Alone, in a row, that brought nothing.
  std::optional<StreamEnd> end_;
  std::string result_;
};

void Download::Ask(PieceWindow& window, bool open) {
  Flight flight{
      .piece = {.id = id_, .offset = asked_, .max = piece_bytes_, .drop = false, .end = {}},
      .open = open,
      .bytes = nullptr};
  asked_ += piece_bytes_;
  window.Send(std::move(flight));
}

absl::Status Download::Write(const Flight& asked, PieceAnswer answer) {
  if (answer.bytes.size() > asked.piece.max) {
    return absl::DataLossError(fmt::format("the other end sent {} bytes where {} were asked for",
                                           answer.bytes.size(), asked.piece.max));
  }
  // The other end may give less at a time than was asked for.
  if (asked.open && !answer.bytes.empty()) piece_bytes_ = answer.bytes.size();
  if (answer.bytes.size() < asked.piece.max) saw_short_ = true;
  if (!answer.bytes.empty()) idle_asks_ = 0;
  static_cast<void>(pieces_.Add(asked.piece.offset, std::move(answer.bytes)));
  uint64_t offset = pieces_.taken();
  for (auto bytes = pieces_.Take(); !bytes.empty(); bytes = pieces_.Take()) {
    PODKIT_RETURN_IF_ERROR(sink_->Write(offset, bytes));
    hash_.Update(bytes);
    offset = pieces_.taken();
  }
  if (options_->progress) options_->progress(pieces_.taken());
  if (answer.end && answer.result) {
    end_ = std::move(answer.end);
    result_ = *std::move(answer.result);
  }
  return absl::OkStatus();
}

absl::Status Download::Await(PieceWindow& window) {
  Flight landed;
  auto answer = window.Next(&landed);
  if (answer.ok()) return Write(landed, *std::move(answer));
  // Too far ahead for the other end: asked for again, in order.
  if (!GetError<StreamAt>(answer.status()) || landed.open) return answer.status();
  saw_short_ = true;
  return absl::OkStatus();
}

absl::Status Download::Check(const StreamEnd& end) const {
  const std::string sha256 = hash_.Hex();
  if (end.length == pieces_.taken() && end.sha256 == sha256) return absl::OkStatus();
  return conduit::MakeError(
      StreamMismatch{pieces_.taken(), sha256},
      fmt::format("{} bytes with SHA-256 {} arrived, not the {} that were sent: fetch them again",
                  pieces_.taken(), sha256, end.length));
}

absl::StatusOr<std::string> Download::Carry(PieceWindow& window) {
  asked_ = pieces_.next();
  saw_short_ = false;
  Ask(window, true);
  PODKIT_RETURN_IF_ERROR(Await(window));
  // In order from here on, unless that was the end.
  asked_ = pieces_.next();
  saw_short_ = false;
  // The word about the end may overtake the last pieces.
  while (!end_ || (pieces_.taken() < end_->length && window.in_flight() > 0)) {
    while (!end_ && !saw_short_ && window.in_flight() < options_->window &&
           asked_ + piece_bytes_ - pieces_.next() <= options_->window * options_->piece_bytes) {
      Ask(window, false);
    }
    if (window.in_flight() == 0) {
      if (++idle_asks_ > kMaxIdleAsks) {
        return absl::DataLossError("the other end neither sends more nor says that this is all");
      }
      asked_ = pieces_.next();
      saw_short_ = false;
      Ask(window, false);
      saw_short_ = true;  // One alone, to see where the end is.
    }
    PODKIT_RETURN_IF_ERROR(Await(window));
  }
  PODKIT_RETURN_IF_ERROR(Check(*end_));
  return result_;
}

}  // namespace

absl::StatusOr<std::string> RunDownload(const SendPiece& send, StreamSink& sink,
                                        const StreamOptions& options,
                                        const std::function<absl::Time()>& now) {
  if (options.piece_bytes == 0 || options.window == 0) {
    return absl::InvalidArgumentError("a stream needs pieces of at least 1 byte and a window of 1");
  }
  const absl::Time deadline = now() + options.timeout;
  const uint64_t from = sink.Held();
  Sha256 hash;
  PODKIT_RETURN_IF_ERROR(HashPrefix(
      [&](uint64_t offset, size_t max) { return sink.ReadHeld(offset, max); }, from, hash));
  return Download(&send, &sink, &options, now, deadline, from, std::move(hash)).Run();
}

}  // namespace podkit::conduit::internal
