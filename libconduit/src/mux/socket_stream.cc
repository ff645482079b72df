#include "mux/socket_stream.h"

#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

// For the peer, after Close, to take what it is sent and to close as well.
constexpr absl::Duration kCloseTimeout = absl::Seconds(10);
// What a peer may still send meanwhile, in one turn.
constexpr int kDropsPerTurn = 4;

}  // namespace

void SocketStream::Open(std::shared_ptr<IoLoop> loop, std::shared_ptr<Scheduler> scheduler,
                        Parts parts, const StreamAcceptor& acceptor, std::string_view early) {
  const std::shared_ptr<SocketStream> stream(
      new SocketStream(std::move(loop), std::move(scheduler), std::move(parts)));
  stream->loop_->Add(stream);
  stream->loop_->Rewatch(stream->parts_.fd.get(), stream.get(), true, false);
  stream->Await(stream->Start(acceptor(stream), early));
}

SocketStream::SocketStream(std::shared_ptr<IoLoop> loop, std::shared_ptr<Scheduler> scheduler,
                           Parts parts)
    : StreamPump(!parts.tls),
      loop_(std::move(loop)),
      scheduler_(std::move(scheduler)),
      parts_(std::move(parts)),
      binding_(parts_.channel->Binding()) {}

void SocketStream::OnReady(bool readable, bool) {
  if (lingering_) return DropInput();
  if (parts_.fd.get() >= 0) Await(Turn(readable, loop_->scratch()));
}

void SocketStream::OnStop() {
  if (lingering_) return CloseSocket();
  if (parts_.fd.get() >= 0) {
    Await(Cut(absl::UnavailableError(
        fmt::format("the connection to {} was cut off: this side ends", peer()))));
  }
}

StreamPump::Moved SocketStream::Read(std::span<char> buffer) {
  const Channel::Moved moved = parts_.channel->Read(buffer);
  return {static_cast<Outcome>(moved.outcome), moved.bytes, moved.error};
}

StreamPump::Moved SocketStream::Write(std::string_view bytes) {
  const Channel::Moved moved = parts_.channel->Write(bytes);
  return {static_cast<Outcome>(moved.outcome), moved.bytes, moved.error};
}

void SocketStream::Kick() {
  loop_->Post([self = shared_from_this()] { self->OnReady(false, false); });
}

void SocketStream::Await(Wait wait) {
  switch (wait) {
    case Wait::kRead:
      Watch(true, false);
      break;
    case Wait::kReadOrWrite:
      Watch(true, true);
      break;
    case Wait::kNothing:
      Kick();
      break;
    case Wait::kKick:
      Watch(false, false);
      break;
    case Wait::kEnded:
      return;
  }
  if (closing() && cut_timer_ == 0) CutAt(scheduler_->Now() + kCloseTimeout);
}

void SocketStream::Watch(bool reads, bool writes) {
  if (reads == reads_ && writes == writes_) return;
  reads_ = reads;
  writes_ = writes;
  loop_->Rewatch(parts_.fd.get(), this, reads, writes);
}

void SocketStream::Ended(bool linger) {
  if (!linger) return CloseSocket();
  lingering_ = true;
  parts_.channel->CloseWrite();
  if (cut_timer_ == 0) CutAt(scheduler_->Now() + kCloseTimeout);
  Watch(true, false);
  DropInput();
}

// So that the peer can read what it was sent: closing on bytes that nobody read is a reset.
void SocketStream::DropInput() {
  for (int i = 0; i < kDropsPerTurn; ++i) {
    const Channel::Moved moved = parts_.channel->ReadRaw(loop_->scratch());
    if (moved.outcome == Channel::Outcome::kWantRead) return;
    if (moved.outcome != Channel::Outcome::kDone) return CloseSocket();
  }
}

void SocketStream::CutAt(absl::Time when) {
  cut_timer_ = scheduler_->At(when, [loop = loop_, weak = weak_from_this()] {
    loop->Post([weak] {
      const auto self = weak.lock();
      if (self == nullptr || self->parts_.fd.get() < 0) return;
      if (self->lingering_) return self->CloseSocket();
      self->Await(self->Cut(absl::UnavailableError(
          fmt::format("the connection to {} was cut off: it did not take what it was sent in time",
                      self->peer()))));
    });
  });
}

void SocketStream::CloseSocket() {
  lingering_ = false;
  if (cut_timer_ != 0) scheduler_->Cancel(cut_timer_);
  loop_->Unwatch(parts_.fd.get());
  parts_.fd.Reset();
  loop_->Remove(this);
}

}  // namespace podkit::conduit::internal
