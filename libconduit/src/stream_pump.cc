#include "podkit/conduit/stream_pump.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "fmt/format.h"

namespace podkit::conduit {
namespace {

// What one turn may do before the other streams of the loop get theirs.
constexpr int kReadsPerTurn = 4;
constexpr size_t kWritePerTurn = size_t{512} << 10;

}  // namespace

void StreamPump::Wake() {
  if (OnLoopThread() && reading_) {
    woken_ = true;
    return;
  }
  Writer writer = writer_.load();
  for (;;) {
    switch (writer) {
      case Writer::kNobody:
        if (!writer_.compare_exchange_weak(writer,
                                           write_on_wake_ ? Writer::kSomebody : Writer::kLoop)) {
          continue;
        }
        return write_on_wake_ ? WriteOut() : Kick();
      case Writer::kSomebody:
        if (writer_.compare_exchange_weak(writer, Writer::kAgain)) return;
        continue;
      case Writer::kAgain:
      case Writer::kLoop:
      case Writer::kLeaving:
      case Writer::kEnded:
        return;
    }
  }
}

void StreamPump::Close() {
  if (closing_.exchange(true)) return;
  Wake();
  // Also if the loop only waits for the socket: its owner may limit how long.
  if (writer_.load() != Writer::kEnded) Kick();
}

StreamPump::Wait StreamPump::Start(std::shared_ptr<StreamUser> user, std::string_view early) {
  user_ = std::move(user);
  if (user_ == nullptr) {
    End(absl::OkStatus(), false);
    return NextWait();
  }
  in_turn_ = true;
  reading_ = true;
  if (!early.empty()) user_->Receive(early);
  reading_ = false;
  WriteOnLoop();
  in_turn_ = false;
  return NextWait();
}

StreamPump::Wait StreamPump::Turn(bool readable, std::span<char> buffer) {
  if (ending_) {
    FinishEnd();
    return NextWait();
  }
  in_turn_ = true;
  const bool read = readable || more_input_ || read_wants_write_;
  if (!read || ReadIn(buffer)) WriteOnLoop();
  in_turn_ = false;
  return NextWait();
}

StreamPump::Wait StreamPump::Cut(const absl::Status& why) {
  End(why, false);
  return NextWait();
}

// False if the stream ends.
bool StreamPump::ReadIn(std::span<char> buffer) {
  more_input_ = false;
  read_wants_write_ = false;
  for (int reads = 0; reads < kReadsPerTurn; ++reads) {
    const Moved moved = Read(buffer);
    switch (moved.outcome) {
      case Outcome::kDone:
        break;
      case Outcome::kWantWrite:
        read_wants_write_ = true;
        return true;
      case Outcome::kWantRead:
        return true;
      case Outcome::kEnd:
        End(absl::OkStatus(), false);
        return false;
      case Outcome::kFailed:
        End(Failure(moved), false);
        return false;
    }
    reading_ = true;
    user_->Receive({buffer.data(), moved.bytes});
    reading_ = false;
    if (moved.bytes < buffer.size() && !MayHoldInput()) return true;
  }
  more_input_ = true;
  return true;
}

void StreamPump::WriteOnLoop() {
  if (writer_.load() == Writer::kLoop) {
    // Nobody but this thread changes it from kLoop.
    if (last_write_.outcome != Outcome::kFailed) {
      writer_ = Writer::kSomebody;
      WriteOut();
    }
  } else if (woken_) {
    Writer writer = Writer::kNobody;
    if (writer_.compare_exchange_strong(writer, Writer::kSomebody)) {
      WriteOut();
    } else {
      Wake();
    }
  }
  woken_ = false;
  if (writer_.load() != Writer::kLoop) return;
  if (last_write_.outcome == Outcome::kFailed) {
    End(Failure(last_write_), false);
  } else if (flushed_) {
    End(absl::OkStatus(), true);
  }
}

// The caller is the writer, kSomebody; when this returns it is not.
void StreamPump::WriteOut() {
  budget_ = kWritePerTurn;
  for (bool go_on = true; go_on;) {
    if (writer_.load() == Writer::kLeaving) return LeaveToLoop();
    go_on = output_sent_ < output_.size() ? SendSome() : TakeMore();
  }
}

bool StreamPump::TakeMore() {
  // Before the output is taken, so that a Wake meanwhile is seen.
  Writer writer = Writer::kAgain;
  writer_.compare_exchange_strong(writer, Writer::kSomebody);
  output_ = user_->TakeOutput();
  output_sent_ = 0;
  if (!output_.empty()) return true;
  if (closing_) {
    flushed_ = true;
    last_write_ = {};
    LeaveToLoop();
    return false;
  }
  writer = Writer::kSomebody;
  return !writer_.compare_exchange_strong(writer, Writer::kNobody);
}

bool StreamPump::SendSome() {
  last_write_ = {};
  if (budget_ > 0) {
    last_write_ = Write(std::string_view(output_).substr(output_sent_));
    if (last_write_.outcome == Outcome::kEnd) last_write_.outcome = Outcome::kFailed;
    if (last_write_.outcome == Outcome::kDone) {
      output_sent_ += last_write_.bytes;
      budget_ -= std::min(budget_, last_write_.bytes);
      if (output_sent_ == output_.size()) std::string().swap(output_);
      return true;
    }
  }
  LeaveToLoop();
  return false;
}

void StreamPump::LeaveToLoop() {
  Writer writer = writer_.load();
  while (!writer_.compare_exchange_weak(
      writer, writer == Writer::kLeaving ? Writer::kEnded : Writer::kLoop)) {
  }
  if (!OnLoopThread() || !in_turn_) Kick();
}

void StreamPump::End(const absl::Status& why, bool linger) {
  if (ending_) return;
  ending_ = true;
  why_ = why;
  linger_ = linger;
  Writer writer = writer_.load();
  for (;;) {
    const bool writing = writer == Writer::kSomebody || writer == Writer::kAgain;
    if (writer_.compare_exchange_weak(writer, writing ? Writer::kLeaving : Writer::kEnded)) break;
  }
  FinishEnd();
}

void StreamPump::FinishEnd() {
  if (ended_ || writer_.load() != Writer::kEnded) return;
  ended_ = true;
  std::string().swap(output_);
  if (const auto user = std::move(user_)) user->Closed(why_);
  Ended(linger_);
}

absl::Status StreamPump::Failure(const Moved& moved) const {
  return absl::UnavailableError(fmt::format("the connection to {} broke: {}", peer(),
                                            moved.error == 0
                                                ? std::string("not what TLS allows")
                                                : std::generic_category().message(moved.error)));
}

StreamPump::Wait StreamPump::NextWait() const {
  if (ended_) return Wait::kEnded;
  if (ending_) return Wait::kKick;
  if (more_input_) return Wait::kNothing;
  if (writer_.load() == Writer::kLoop) {
    if (last_write_.outcome == Outcome::kWantWrite) return Wait::kReadOrWrite;
    if (last_write_.outcome == Outcome::kDone) return Wait::kNothing;
  }
  return read_wants_write_ ? Wait::kReadOrWrite : Wait::kRead;
}

}  // namespace podkit::conduit
