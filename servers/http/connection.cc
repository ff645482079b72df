#include "servers/http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <span>
#include <thread>
#include <utility>

#include "absl/status/status.h"

namespace podkit::servers {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Clock = std::chrono::steady_clock;

// After so many reads in a row the other connections get their turn.
constexpr int kReadsPerTurn = 4;

}  // namespace

Connection::Connection(ConnectionLoop* loop, Socket socket, std::string peer)
    : io_(loop),
      socket_(std::move(socket)),
      session_(std::make_unique<HttpSession>(
          HttpSession::Env{&loop->server->router, &loop->server->options, &loop->stats,
                           &loop->date},
          std::move(peer), Clock::now())) {}

void Connection::Start(bool refuse) {
  const int native = socket_.native_handle();
  channel_ =
      io_->server->tls ? io_->server->tls->NewChannel(native) : std::make_unique<Channel>(native);
  if (channel_ == nullptr) return Close();
  if (refuse) session_->RefuseConnection(Clock::now());
  Pump();
}

void Connection::Drain() {
  if (!session_) return;
  session_->Drain();
  Pump();
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  if (channel_ != nullptr && !write_closed_) channel_->CloseWrite();
  ErrorCode ignored;
  socket_.close(ignored);
  io_->Remove(this);
}

void Connection::Pump() {
  if (!session_ && !closed_) return TurnStream(true);
  for (int reads = 0; !closed_;) {
    const TimePoint now = Clock::now();
    if (!handshaken_ && session_->next() != HttpSession::Next::kClose && !Handshake()) return;
    if (!Flush(now)) return;
    switch (session_->next()) {
      case HttpSession::Next::kRead:
        if (reads++ == kReadsPerTurn) return Yield();
        if (!Read(now)) return;
        break;
      case HttpSession::Next::kProcess:
        session_->Process(now);
        break;
      case HttpSession::Next::kSubmit:
        Submit(now);
        break;
      case HttpSession::Next::kWait:
        return;
      case HttpSession::Next::kSwitch:
        return SwitchToStream();
      case HttpSession::Next::kLinger:
        if (reads++ == kReadsPerTurn) return Yield();
        if (!DropInput()) return;
        break;
      case HttpSession::Next::kClose:
        return Close();
    }
  }
}

bool Connection::Handshake() {
  const Channel::Outcome outcome = channel_->Handshake();
  handshaken_ = outcome == Channel::Outcome::kDone;
  if (!handshaken_) Await(outcome);
  return handshaken_;
}

bool Connection::Flush(TimePoint now) {
  for (;;) {
    const std::string_view output = session_->Output();
    const HttpFile* const file = session_->OutputFile();
    if (output.empty() && file == nullptr) return true;
    const Channel::Moved moved = file != nullptr
                                     ? channel_->WriteFile(file->fd, file->offset, file->size)
                                     : channel_->Write(output);
    if (moved.outcome != Channel::Outcome::kDone) {
      Await(moved.outcome);
      return false;
    }
    if (file != nullptr) {
      session_->SentFile(moved.bytes, now);
    } else {
      session_->Sent(moved.bytes, now);
    }
  }
}

bool Connection::Read(TimePoint now) {
  if (std::exchange(drained_, false)) {
    Await(Channel::Outcome::kWantRead);
    return false;
  }
  const std::span<char> buffer(io_->scratch.data(),
                               std::min(session_->ReadSize(), io_->scratch.size()));
  const Channel::Moved moved = channel_->Read(buffer);
  if (moved.outcome != Channel::Outcome::kDone) {
    Await(moved.outcome);
    return false;
  }
  drained_ = moved.bytes < buffer.size() && !channel_->MayHoldInput();
  session_->Receive({buffer.data(), moved.bytes}, now);
  return true;
}

bool Connection::DropInput() {
  if (!std::exchange(write_closed_, true)) channel_->CloseWrite();
  const Channel::Moved moved = channel_->ReadRaw(io_->scratch);
  if (moved.outcome == Channel::Outcome::kDone) return true;
  Await(moved.outcome);
  return false;
}

void Connection::Await(Channel::Outcome outcome) {
  if (outcome == Channel::Outcome::kEnd || outcome == Channel::Outcome::kFailed) return Close();
  if (std::exchange(waiting_, true)) return;
  const bool for_read = outcome == Channel::Outcome::kWantRead;
  socket_.async_wait(for_read ? Socket::wait_read : Socket::wait_write,
                     [self = shared_from_this()](ErrorCode error) {
                       self->waiting_ = false;
                       if (!error) self->Pump();
                     });
}

void Connection::Yield() {
  asio::post(*io_->context, [self = shared_from_this()] { self->Pump(); });
}

void Connection::Submit(TimePoint now) {
  auto job = std::make_shared<HttpSession::Job>(session_->TakeJob());
  const bool queued = io_->server->workers->Submit([self = shared_from_this(), job] {
    HttpResponse response =
        CallHandler(*job->route, job->request, self->io_->server->options, job->receiver.get());
    job->receiver.reset();
    self->Complete(std::move(response));
  });
  if (!queued) session_->RefuseBusy(now);
}

void Connection::Complete(HttpResponse response) {
  asio::post(*io_->context, [self = shared_from_this(), reply = std::move(response)]() mutable {
    if (self->closed_) return;
    self->session_->Reply(std::move(reply), Clock::now());
    self->Pump();
  });
}

void Connection::SwitchToStream() {
  const HttpSession::Switch to = session_->TakeSwitch();
  session_.reset();
  const auto stream = std::make_shared<UpgradedStream>(channel_.get(), to.peer, StreamOwner());
  stream_ = stream;
  std::shared_ptr<conduit::StreamUser> user;
  try {
    user = to.acceptor(stream);
  } catch (const std::exception& error) {
    io_->server->options.log(HttpLogLevel::kError, fmt::format("{}: a stream's acceptor failed: {}",
                                                               to.peer, error.what()));
  }
  AwaitTurn(stream->Start(std::move(user), to.early));
}

UpgradedStream::Owner Connection::StreamOwner() {
  const auto kick = [context = io_->context, weak = weak_from_this()] {
    asio::post(*context, [weak] {
      if (const auto self = weak.lock()) self->TurnStream(false);
    });
  };
  return {&io_->stats, std::this_thread::get_id(), kick,
          [this](bool linger) { EndStream(linger); }};
}

void Connection::TurnStream(bool readable) {
  if (closed_) return;
  if (stream_ == nullptr) return Linger();
  const auto stream = stream_;
  AwaitTurn(stream->Turn(readable, io_->scratch));
}

void Connection::AwaitTurn(UpgradedStream::Wait wait) {
  using Wait = UpgradedStream::Wait;
  switch (wait) {
    case Wait::kReadOrWrite:
      AwaitSocket(Socket::wait_write, &waiting_write_);
      return AwaitSocket(Socket::wait_read, &waiting_);
    case Wait::kRead:
      return AwaitSocket(Socket::wait_read, &waiting_);
    case Wait::kNothing:
      return asio::post(*io_->context, [self = shared_from_this()] { self->TurnStream(false); });
    case Wait::kKick:
    case Wait::kEnded:
      return;
  }
}

void Connection::AwaitSocket(Socket::wait_type what, bool* waiting) {
  if (std::exchange(*waiting, true)) return;
  socket_.async_wait(what, [self = shared_from_this(), what, waiting](ErrorCode error) {
    *waiting = false;
    if (!error) self->TurnStream(what == Socket::wait_read);
  });
}

void Connection::EndStream(bool linger) {
  stream_.reset();
  if (!linger) return Close();
  stream_deadline_ = Clock::now() + absl::ToChronoNanoseconds(io_->server->options.linger_timeout);
  Linger();
}

// Drops what the peer still sends, so that it can read what it was sent.
void Connection::Linger() {
  for (int reads = 0; reads < kReadsPerTurn; ++reads) {
    if (!DropInput()) return;
  }
  Yield();
}

void Connection::Tick(TimePoint now) {
  if (session_) {
    if (session_->Tick(now)) Pump();
    return;
  }
  if (now >= stream_deadline_) {
    if (stream_ != nullptr) HttpStats::Add(io_->stats.connections_timed_out);
    return Cut("it did not take what it was sent in time");
  }
  if (stream_ == nullptr || !stream_->closing() || stream_deadline_ != TimePoint::max()) return;
  stream_deadline_ = now + absl::ToChronoNanoseconds(io_->server->options.write_timeout);
}

void Connection::Cut(std::string_view why) {
  if (stream_ == nullptr) return Close();
  const auto stream = stream_;
  stream->Cut(absl::UnavailableError(fmt::format("{}: cut off: {}", stream->peer(), why)));
}

}  // namespace podkit::servers
