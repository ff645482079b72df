#include "streams/piece_window.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "common/mutex.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {
namespace {

constexpr absl::Duration kDropTimeout = absl::Seconds(2);

}  // namespace

// What the calls share with the thread; they may end after it is gone.
struct PieceWindow::State {
  struct Landed {
    Flight flight;
    std::string host;
    absl::StatusOr<PieceAnswer> answer;
  };
  Mutex mutex;
  CondVar changed;
  std::deque<Landed> landed ABSL_GUARDED_BY(mutex);
};

PieceWindow::PieceWindow(const SendPiece* send, const StreamOptions* options,
                         std::function<absl::Time()> now, absl::Time deadline)
    : send_(send),
      options_(options),
      now_(std::move(now)),
      deadline_(deadline),
      host_(options->call.host),
      state_(std::make_shared<State>()) {}

PieceWindow::~PieceWindow() { stop_.request_stop(); }

void PieceWindow::Send(Flight flight) {
  flight.alone = offsets_.empty();
  offsets_.insert(flight.piece.offset);
  CallOptions call = options_->call;
  call.timeout = std::min(call.timeout, deadline_ - now_());
  call.stop = stop_.get_token();
  call.payload = flight.bytes;
  call.key = {};          // A piece has its place.
  call.max_attempts = 1;  // Next sends it again.
  call.host = host_;
  const auto host = std::make_shared<std::string>();
  call.used_host = host;
  // Copies, for `flight` moves into the callback.
  const StreamPiece piece = flight.piece;
  const bool open = flight.open;
  (*send_)(piece, open, call,
           [state = state_, host, flight = std::move(flight)](absl::StatusOr<PieceAnswer> answer) {
             MutexLock lock(&state->mutex);
             state->landed.push_back({flight, std::move(*host), std::move(answer)});
             state->changed.SignalAll();
           });
}

absl::StatusOr<PieceAnswer> PieceWindow::Next(Flight* landed) {
  // Pieces in flight end at once when the caller wants no more.
  const std::stop_callback forward(options_->call.stop, [this] { stop_.request_stop(); });
  for (;;) {
    absl::StatusOr<PieceAnswer> answer;
    std::string host;
    {
      MutexLock lock(&state_->mutex);
      while (state_->landed.empty()) state_->changed.Wait(&state_->mutex);
      *landed = std::move(state_->landed.front().flight);
      host = std::move(state_->landed.front().host);
      answer = std::move(state_->landed.front().answer);
      state_->landed.pop_front();
    }
    offsets_.erase(offsets_.find(landed->piece.offset));
    if (OutcomeOf(answer.status()) != Outcome::kNotExecuted) StayWith(host);
    if (answer.ok() || !MayRepeat(answer.status(), *landed)) return answer;
    AwaitRepeat(answer.status(), *landed);
    ++landed->repeats;
    Send(*landed);
  }
}

void PieceWindow::StayWith(const std::string& host) {
  if (!host_.empty() || host.empty()) return;
  host_ = host;
  if (options_->call.used_host != nullptr) *options_->call.used_host = host;
}

bool PieceWindow::MayRepeat(const absl::Status& failure, const Flight& flight) const {
  if (flight.repeats >= options_->max_repeats || stop_.stop_requested() || now_() >= deadline_) {
    return false;
  }
  if (GetError<Overloaded>(failure)) return true;
  const Outcome outcome = OutcomeOf(failure);
  if (outcome == Outcome::kUnknown || outcome == Outcome::kTimedOut) {
    return !GetError<BodyTooLarge>(failure);
  }
  return outcome == Outcome::kNotExecuted &&
         (failure.code() == absl::StatusCode::kUnavailable ||
          failure.code() == absl::StatusCode::kDeadlineExceeded);
}

void PieceWindow::AwaitRepeat(const absl::Status& failure, const Flight& flight) {
  absl::Duration wait = options_->repeat_after * (1 << std::min(flight.repeats, 10));
  if (const auto overloaded = GetError<Overloaded>(failure)) {
    wait = std::max(wait, std::min(overloaded->retry_after, absl::Minutes(1)));
  }
  const absl::Time until = absl::Now() + std::min(wait, deadline_ - now_());
  const std::stop_callback wake(stop_.get_token(), [this] {
    MutexLock lock(&state_->mutex);
    state_->changed.SignalAll();
  });
  MutexLock lock(&state_->mutex);
  while (!stop_.stop_requested() && absl::Now() < until) {
    state_->changed.WaitFor(&state_->mutex, until - absl::Now());
  }
}

void PieceWindow::Drop(const std::string& id) {
  if (host_.empty()) return;  // Nobody has it.
  CallOptions call = options_->call;
  call.timeout = kDropTimeout;
  call.stop = {};
  call.host = host_;
  call.used_host = nullptr;
  const StreamPiece piece{.id = id, .offset = 0, .max = 0, .drop = true, .end = {}};
  (*send_)(piece, false, call, [](const absl::StatusOr<PieceAnswer>&) {});
}

bool PieceWindow::Fits(uint64_t end) const {
  return offsets_.empty() || end - *offsets_.begin() <= options_->window * options_->piece_bytes;
}

}  // namespace podkit::conduit::internal
