#include "mux/connection.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "returned_call.h"

namespace podkit::conduit::internal {
namespace {

uint32_t Milliseconds(absl::Duration duration) {
  return static_cast<uint32_t>(std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 0,
                                                   std::numeric_limits<uint32_t>::max()));
}

}  // namespace

MuxConnection::MuxConnection(const HandshakeConfig& identity, std::shared_ptr<const Pod> target,
                             const MuxOptions& options, absl::Time now)
    : MuxConnection(true, identity, Handshake::Dial(identity, target), options, now) {
  peer_.pod = std::move(target);
  const auto hello = handshake_.Begin();
  hello.ok() ? SendHandshake(*hello) : Close(hello.status());
}

MuxConnection::MuxConnection(const HandshakeConfig& identity, const MuxOptions& options,
                             absl::Time now)
    : MuxConnection(false, identity, Handshake::Accept(identity), options, now) {}

MuxConnection::MuxConnection(bool dialled, const HandshakeConfig& identity, Handshake handshake,
                             const MuxOptions& options, absl::Time now)
    : dialled_(dialled),
      options_(options),
      pods_(identity.pods),
      handshake_(std::move(handshake)),
      handshake_deadline_(now + options.handshake_timeout),
      records_(kMaxHandshakeBytes),
      sealed_(identity.channel_binding.empty()),
      next_call_(dialled ? 1 : 2),
      now_(now),
      last_heard_(now),
      next_check_(now + options.ping_after) {}

MuxConnection MuxConnection::ForTest(bool dialled, std::shared_ptr<Pods> pods, MuxPeer peer,
                                     const MuxOptions& options, absl::Time now) {
  const HandshakeConfig identity = {.pods = std::move(pods)};
  MuxConnection connection(dialled, identity, Handshake::Accept(identity), options, now);
  connection.sealed_ = false;
  connection.peer_ = std::move(peer);
  connection.connected_ = true;
  connection.records_.set_max_bytes(kMaxRecordBytes);
  return connection;
}

void MuxConnection::Receive(std::string_view bytes, absl::Time now) {
  now_ = now;
  while (!closed_ && !bytes.empty()) {
    const auto next = records_.Next(&bytes);
    absl::Status good = next.status();
    if (good.ok()) {
      const std::optional<std::string_view>& record = *next;
      if (!record) return;
      good = connected_ ? OnRecord(*record) : OnHandshake(*record);
    }
    if (good.ok()) {
      // Only now: bytes that become no record may be anybody's.
      last_heard_ = now;
      pinged_ = absl::InfiniteFuture();
      continue;
    }
    if (!connected_) return Close(good);
    Fail(good, good.code() == absl::StatusCode::kResourceExhausted ? GoAwayReason::kFlood
                                                                   : GoAwayReason::kProtocolError);
  }
}

absl::Status MuxConnection::OnHandshake(std::string_view message) {
  PODKIT_ASSIGN_OR_RETURN(const std::string answer, handshake_.Receive(message));
  if (!answer.empty()) SendHandshake(answer);
  return handshake_.done() ? BecomeConnected() : absl::OkStatus();
}

void MuxConnection::SendHandshake(std::string_view message) {
  AppendBigEndian(message.size(), kRecordHeaderBytes, &handshake_output_);
  handshake_output_ += message;
}

absl::Status MuxConnection::BecomeConnected() {
  if (sealed_) {
    const ConnectionKeys keys = handshake_.TakeKeys();
    PODKIT_ASSIGN_OR_RETURN(sealer_, Cipher::Create(Cipher::Use::kSeal, keys.send));
    PODKIT_ASSIGN_OR_RETURN(opener_, Cipher::Create(Cipher::Use::kOpen, keys.receive));
  }
  peer_ = handshake_.TakePeer();
  records_.set_max_bytes(kMaxRecordBytes + (sealed_ ? kTagBytes : 0));
  connected_ = true;
  events_.emplace_back(MuxConnected{});
  return absl::OkStatus();
}

std::string MuxConnection::TakeOutput() {
  if (!handshake_output_.empty()) return std::exchange(handshake_output_, {});
  if (!has_output()) return {};
  MuxOutput::Record record = output_.TakeRecord();
  last_call_taken_ = std::max(last_call_taken_, record.last_call);
  for (const uint64_t id : record.ended_bodies) {
    if (IsOwn(id)) {
      calls_out_.find(id)->second.chunks_sent = true;
    } else {
      EraseCallIn(calls_in_.find(id));
    }
  }
  std::string& bytes = record.bytes;
  WriteBigEndian(bytes.size() - kRecordHeaderBytes + (sealer_ ? kTagBytes : 0), kRecordHeaderBytes,
                 bytes.data());
  const std::string_view header = std::string_view(bytes).substr(0, kRecordHeaderBytes);
  if (sealer_ && !sealer_->Seal(header, kRecordHeaderBytes, &bytes)) {
    Close(absl::InternalError("a record could not be sealed: connect anew"));
    return {};
  }
  CheckDrained();
  return std::move(bytes);
}

void MuxConnection::Tick(absl::Time now) {
  now_ = now;
  if (closed_) return;
  if (!connected_) {
    if (now < handshake_deadline_) return;
    return Close(absl::DeadlineExceededError(
        fmt::format("no handshake within {}", absl::FormatDuration(options_.handshake_timeout))));
  }
  if (now >= next_check_) {
    next_check_ = now + options_.ping_after;
    CheckKey();
    std::string().swap(plain_);
  }
  if (closed_) return;
  if (pinged_ != absl::InfiniteFuture()) {
    if (now < pinged_ + options_.ping_timeout) return;
    Close(absl::UnavailableError(fmt::format("{} gave no sign of life", PeerName())));
  } else if (now >= last_heard_ + options_.ping_after) {
    output_.Add({.type = FrameType::kPing});
    pinged_ = now;
  }
}

absl::Time MuxConnection::NextTick() const {
  if (closed_) return absl::InfiniteFuture();
  if (!connected_) return handshake_deadline_;
  return std::min(next_check_, pinged_ != absl::InfiniteFuture()
                                   ? pinged_ + options_.ping_timeout
                                   : last_heard_ + options_.ping_after);
}

absl::StatusOr<uint64_t> MuxConnection::StartCall(Content content, std::string body) {
  const auto refuse = [&](std::string_view why) {
    return TransportError(Outcome::kNotExecuted, fmt::format("{}: {}", PeerName(), why));
  };
  if (!connected()) return refuse("not connected");
  if (!accepts_calls()) {
    return ReturnedCall(fmt::format("{}: the connection is being closed", PeerName()));
  }
  if (calls_out_.size() >= options_.max_calls_out) return refuse("too many calls under way");
  if (output_.waiting_bytes() > options_.max_waiting_bytes) return refuse("it does not read");
  if (body.size() > options_.max_body_bytes) {
    return refuse(fmt::format("a request of {} bytes, more than the {} allowed", body.size(),
                              options_.max_body_bytes));
  }
  const uint64_t id = next_call_;
  next_call_ += 2;
  CallOut& call = calls_out_[id];
  call.in_chunks = body.size() > kMaxChunkBytes;
  output_.Add({.type = FrameType::kCall,
               .code = static_cast<uint8_t>(content),
               .id = id,
               .number = static_cast<uint32_t>(body.size()),
               .body = call.in_chunks ? std::string_view() : body});
  if (call.in_chunks) output_.AddBody(id, std::move(body));
  return id;
}

void MuxConnection::Cancel(uint64_t id) {
  const auto entry = calls_out_.find(id);
  if (entry == calls_out_.end() || closed_) return;
  CallOut& call = entry->second;
  if (call.ended || std::exchange(call.cancelled, true)) return;
  output_.Add({.type = FrameType::kCancel, .id = id});
  if (!call.in_chunks || call.chunks_sent) return;
  output_.DropBody(id);
  Report(id, call, Outcome::kNotExecuted, "cancelled before it was sent");
}

void MuxConnection::Reply(uint64_t id, int status, Content content, std::string body) {
  const auto entry = calls_in_.find(id);
  if (entry == calls_in_.end() || closed_) return;
  CallIn& call = entry->second;
  if (call.state == CallIn::State::kCancelled) return EraseCallIn(entry);
  if (call.state != CallIn::State::kAnswering) return;
  if (body.size() > options_.max_body_bytes) {
    status = 413;
    content = Content::kNone;
    body.clear();
  }
  const bool in_chunks = body.size() > kMaxChunkBytes;
  output_.Add({.type = FrameType::kReply,
               .code = static_cast<uint8_t>(content),
               .id = id,
               .status = static_cast<uint16_t>(std::clamp(status, 100, 599)),
               .number = static_cast<uint32_t>(body.size()),
               .body = in_chunks ? std::string_view() : body});
  if (!in_chunks) return EraseCallIn(entry);
  call.state = CallIn::State::kReplying;
  call.bytes += body.size();
  call_bytes_in_ += body.size();
  output_.AddBody(id, std::move(body));
}

void MuxConnection::Refuse(uint64_t id, absl::Duration retry_after) {
  const auto entry = calls_in_.find(id);
  if (entry == calls_in_.end() || closed_) return;
  if (entry->second.state == CallIn::State::kAnswering) {
    output_.Add({.type = FrameType::kRefuse,
                 .code = static_cast<uint8_t>(RefuseReason::kOverloaded),
                 .id = id,
                 .number = Milliseconds(retry_after)});
  } else if (entry->second.state != CallIn::State::kCancelled) {
    return;
  }
  EraseCallIn(entry);
}

void MuxConnection::GoAway(GoAwayReason reason, absl::Duration retry_after) {
  if (closed_) return;
  if (!connected_) return Close(absl::OkStatus());
  if (std::exchange(going_away_, true)) return;
  output_.Add({.type = FrameType::kGoAway,
               .code = static_cast<uint8_t>(reason),
               .id = last_call_in_,
               .number = Milliseconds(retry_after)});
}

void MuxConnection::Close(const absl::Status& why) {
  if (closed_) return;
  closed_ = true;
  for (const uint64_t id : CallsOutBeyond(0)) {
    CallOut& call = calls_out_.find(id)->second;
    const Outcome outcome = !SentWhole(id, call) ? Outcome::kNotExecuted
                            : call.cancelled     ? Outcome::kCancelled
                                                 : Outcome::kUnknown;
    Report(id, call, outcome,
           why.ok() ? std::string("the connection was closed") : std::string(why.message()));
  }
  std::vector<uint64_t> unanswered;
  for (const auto& [id, call] : calls_in_) {
    if (call.state == CallIn::State::kAnswering) unanswered.push_back(id);
  }
  std::sort(unanswered.begin(), unanswered.end());
  for (const uint64_t id : unanswered) events_.emplace_back(MuxCancel{id});
  calls_out_.clear();
  calls_in_.clear();
  handshake_output_.clear();
  output_ = MuxOutput();  // What was reported as not executed must not go out now.
  events_.emplace_back(MuxClosed{why});
}

void MuxConnection::StreamEnded(const absl::Status& why) {
  if (!why.ok() || going_away_ || peer_going_away_) return Close(why);
  Close(absl::UnavailableError(
      connected_
          ? fmt::format("{} closed the connection", PeerName())
          : fmt::format("{} closed the connection during the handshake; if that goes on, the "
                        "two pods have no valid key in common",
                        PeerName())));
}

void MuxConnection::Fail(const absl::Status& why, GoAwayReason reason) {
  Close(absl::Status(why.code(), fmt::format("{}: {}", PeerName(), std::string(why.message()))));
  output_.Add({.type = FrameType::kGoAway,
               .code = static_cast<uint8_t>(reason),
               .id = last_call_in_,
               .number = 0});
}

void MuxConnection::CheckKey() {
  if (pods_ == nullptr || peer_.pod == nullptr) return;
  const auto pod = pods_->Find(peer_.pod->id);
  if (pod != nullptr && std::count(pod->keys.begin(), pod->keys.end(), peer_.key) > 0) return;
  Fail(absl::UnauthenticatedError("the key of this connection is valid no more"),
       GoAwayReason::kKeyWithdrawn);
}

void MuxConnection::CheckDrained() {
  if (going_away_ && !closed_ && calls_out_.empty() && calls_in_.empty() && output_.empty()) {
    Close(absl::OkStatus());
  }
}

void MuxConnection::TakeEvents(std::vector<MuxEvent>* events) {
  if (events->empty()) {
    events->swap(events_);
    return;
  }
  events->insert(events->end(), std::make_move_iterator(events_.begin()),
                 std::make_move_iterator(events_.end()));
  events_.clear();
}

std::string MuxConnection::PeerName() const {
  if (peer_.pod == nullptr) return "a pod that is not known yet";
  return fmt::format("pod '{}'", peer_.pod->id);
}

}  // namespace podkit::conduit::internal
