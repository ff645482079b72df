// The caller's end of an upload.
#include <algorithm>
#include <map>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "hmac.h"
#include "podkit/conduit/stream_piece.h"
#include "sha256.h"
#include "streams/hash_prefix.h"
#include "streams/piece_window.h"

namespace podkit::conduit::internal {
namespace {

constexpr int kMaxRestarts = 3;

// One attempt: a stream with an id of its own.
class Upload {
 public:
  Upload(const SendPiece* send, StreamSource* source, const StreamOptions* options,
         const std::function<absl::Time()>& now, absl::Time deadline)
      : source_(source),
        options_(options),
        width_(options->window),
        id_(RandomHex(16)),
        window_(send, options, now, deadline) {}

  absl::StatusOr<std::string> Run() {
    auto result = Carry();
    if (!result.ok() && !GetError<StreamGone>(result.status())) window_.Drop(id_);
    return result;
  }
  // The last piece was sent: the upload may have been finished.
  bool end_sent() const { return end_sent_; }

 private:
  absl::StatusOr<std::string> Carry();
  absl::StatusOr<std::string> End();
  absl::Status Begin();
  absl::Status ReadPiece();
  absl::Status SeekTo(uint64_t offset);
  absl::Status Await();
  absl::StatusOr<bool> SendNext();

  StreamSource* const source_;
  const StreamOptions* const options_;
  size_t width_;  // Pieces in flight, at most; fewer where the other end keeps fewer.
  const std::string id_;
  PieceWindow window_;
  Sha256 hash_;
  uint64_t read_ = 0;                 // How far the source was read.
  Flight ready_;                      // What was read last and is not sent.
  std::map<uint64_t, Flight> early_;  // By offset: sent too early, to be sent again.
  std::string result_;
  bool done_ = false;
  bool end_sent_ = false;
};

// Reads ready_. The source gives less than it could only at its end.
absl::Status Upload::ReadPiece() {
  PODKIT_ASSIGN_OR_RETURN(std::string bytes, source_->Read(read_, options_->piece_bytes));
  ready_ = {.piece = {.id = id_, .offset = read_, .max = 0, .drop = false, .end = {}}};
  hash_.Update(bytes);
  read_ += bytes.size();
  if (bytes.size() < options_->piece_bytes) ready_.piece.end = StreamEnd{read_, hash_.Hex()};
  ready_.bytes = std::make_shared<const std::string>(std::move(bytes));
  return absl::OkStatus();
}

absl::Status Upload::SeekTo(uint64_t offset) {
  hash_ = {};
  PODKIT_RETURN_IF_ERROR(
      HashPrefix([&](uint64_t at, size_t max) { return source_->Read(at, max); }, offset, hash_));
  read_ = offset;
  return absl::OkStatus();
}

// The first piece is alone: its answer tells where the other end is.
absl::Status Upload::Begin() {
  PODKIT_RETURN_IF_ERROR(ReadPiece());
  ready_.open = true;
  end_sent_ = ready_.piece.end.has_value();
  window_.Send(std::move(ready_));
  Flight landed;
  const auto answer = window_.Next(&landed);
  uint64_t next = 0;
  if (answer.ok()) {
    if (const auto& result = answer->result; result) {
      done_ = true;
      result_ = *result;
      return absl::OkStatus();
    }
    next = answer->next;
  } else {
    const auto at = GetError<StreamAt>(answer.status());
    if (!at) return answer.status();
    next = at->offset;
  }
  end_sent_ = false;  // It holds something else: it cannot have finished.
  if (next != read_ || landed.piece.end) PODKIT_RETURN_IF_ERROR(SeekTo(next));
  if (options_->progress) options_->progress(next);
  return ReadPiece();
}

// Waits for one piece.
absl::Status Upload::Await() {
  Flight landed;
  const auto answer = window_.Next(&landed);
  if (answer.ok()) {
    if (options_->progress) options_->progress(answer->next);
    if (const auto& result = answer->result; result) {
      done_ = true;
      result_ = *result;
    }
    return absl::OkStatus();
  }
  // What was alone on its way was in its turn.
  if (!GetError<StreamAt>(answer.status()) || landed.alone) return answer.status();
  width_ = std::max<size_t>(width_ / 2, 1);
  early_.emplace(landed.piece.offset, std::move(landed));
  return absl::OkStatus();
}

// False if there is nothing more to send before the last piece.
absl::StatusOr<bool> Upload::SendNext() {
  if (!early_.empty()) {
    window_.Send(std::move(early_.extract(early_.begin()).mapped()));
    return true;
  }
  if (ready_.piece.end || !window_.Fits(read_)) return false;
  window_.Send(std::move(ready_));
  PODKIT_RETURN_IF_ERROR(ReadPiece());
  return true;
}

absl::StatusOr<std::string> Upload::Carry() {
  PODKIT_RETURN_IF_ERROR(Begin());
  while (!done_) {
    for (bool more = true; more && window_.in_flight() < width_;) {
      PODKIT_ASSIGN_OR_RETURN(more, SendNext());
    }
    if (window_.in_flight() == 0) return End();
    PODKIT_RETURN_IF_ERROR(Await());
  }
  return result_;
}

// The last piece goes when all others have arrived: its answer is the result.
absl::StatusOr<std::string> Upload::End() {
  end_sent_ = true;
  window_.Send(std::move(ready_));
  PODKIT_RETURN_IF_ERROR(Await());
  if (!done_) return absl::InternalError("the other end finished a stream without an answer");
  return result_;
}

}  // namespace

absl::StatusOr<std::string> RunUpload(const SendPiece& send, StreamSource& source,
                                      const StreamOptions& options,
                                      const std::function<absl::Time()>& now) {
  if (options.piece_bytes == 0 || options.window == 0) {
    return absl::InvalidArgumentError("a stream needs pieces of at least 1 byte and a window of 1");
  }
  const absl::Time deadline = now() + options.timeout;
  for (int restarts = 0;; ++restarts) {
    Upload upload(&send, &source, &options, now, deadline);
    auto result = upload.Run();
    // The responder was restarted, or dropped the stream. What may have been finished is not begun
    // again.
    const bool again = !result.ok() && GetError<StreamGone>(result.status()) &&
                       !upload.end_sent() && restarts < kMaxRestarts;
    if (!again) return result;
  }
}

}  // namespace podkit::conduit::internal
