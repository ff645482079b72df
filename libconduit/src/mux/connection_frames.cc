// What MuxConnection does with each frame of the other side.
#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "mux/connection.h"

namespace podkit::conduit::internal {
namespace {

// Frames in a second that do nothing, beyond those that calls bring with them.
constexpr int64_t kMaxNoise = 1000;
// Credit in smaller pieces does nothing either.
constexpr size_t kMinCredit = 64 << 10;

absl::Status Broken(std::string_view what, uint64_t id) {
  return absl::InvalidArgumentError(fmt::format("broke the protocol: {} (call {})", what, id));
}

}  // namespace

absl::Status MuxConnection::OnRecord(std::string_view record) {
  std::string_view frames = record;
  if (opener_) {
    char header[kRecordHeaderBytes];
    WriteBigEndian(record.size(), kRecordHeaderBytes, header);
    if (!opener_->Open({header, kRecordHeaderBytes}, record, &plain_)) {
      return absl::InvalidArgumentError("a record is not authentic");
    }
    frames = plain_;
    if (frames.empty()) return absl::InvalidArgumentError("a record without a frame");
  }
  while (!frames.empty() && !closed_) {
    Frame frame;
    PODKIT_RETURN_IF_ERROR(ReadFrame(&frames, &frame));
    PODKIT_RETURN_IF_ERROR(OnFrame(frame));
  }
  if (output_.waiting_bytes() > 2 * options_.max_waiting_bytes) {
    return absl::ResourceExhaustedError("sends and does not read");
  }
  return absl::OkStatus();
}

absl::Status MuxConnection::OnFrame(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kCall:
      return OnCall(frame);
    case FrameType::kReply:
      return OnReply(frame);
    case FrameType::kChunk:
      return OnChunk(frame);
    case FrameType::kRefuse:
      return OnRefuse(frame);
    case FrameType::kCancel:
      return OnCancel(frame);
    case FrameType::kCancelled:
      return OnCancelled(frame);
    case FrameType::kWindow:
      return OnWindow(frame);
    case FrameType::kPing:
      output_.Add({.type = FrameType::kPong, .id = frame.id});
      return CountNoise();
    case FrameType::kPong:
      return CountNoise();
    case FrameType::kGoAway:
      return OnGoAway(frame);
  }
  return absl::InvalidArgumentError("unknown frame");
}

absl::Status MuxConnection::OnCall(const Frame& frame) {
  if (IsOwn(frame.id)) return Broken("a call with an id of this side", frame.id);
  if (frame.id <= last_call_in_) return Broken("a call with an id that is not new", frame.id);
  last_call_in_ = frame.id;
  // The other side learns from GoAway that this call does not count.
  if (going_away_) return absl::OkStatus();
  if (const auto reason = Objection(frame)) {
    const bool later = *reason == RefuseReason::kOverloaded;
    output_.Add(
        {.type = FrameType::kRefuse,
         .code = static_cast<uint8_t>(*reason),
         .id = frame.id,
         .number =
             later ? static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.retry_after)) : 0});
    return absl::OkStatus();
  }
  if (noise_ > 0) --noise_;
  CallIn& call = calls_in_[frame.id];
  call.content = static_cast<Content>(frame.code);
  call.bytes = frame.number;
  call_bytes_in_ += call.bytes;
  if (frame.number > kMaxChunkBytes) {
    call.body = Assembly(frame.number, kBodyWindowBytes);
    return absl::OkStatus();
  }
  call.state = CallIn::State::kAnswering;
  events_.emplace_back(MuxCall{frame.id, call.content, std::string(frame.body)});
  return absl::OkStatus();
}

std::optional<RefuseReason> MuxConnection::Objection(const Frame& call) const {
  if (call.number > options_.max_body_bytes) return RefuseReason::kBodyTooLarge;
  if (calls_in_.size() >= options_.max_calls_in ||
      call_bytes_in_ + call.number > options_.max_call_bytes_in ||
      output_.waiting_bytes() > options_.max_waiting_bytes) {
    return RefuseReason::kOverloaded;
  }
  return std::nullopt;
}

absl::Status MuxConnection::OnReply(const Frame& frame) {
  const auto entry = calls_out_.find(frame.id);
  if (entry == calls_out_.end() || entry->second.replying) {
    return Broken("a reply that nothing waits for", frame.id);
  }
  CallOut& call = entry->second;
  if (!SentWhole(frame.id, call) && !call.ended) {
    return Broken("a reply before the call was sent", frame.id);
  }
  call.status = frame.status;
  call.content = static_cast<Content>(frame.code);
  if (frame.number <= kMaxChunkBytes) {
    ReportReply(frame.id, call, std::string(frame.body));
    EraseCallOut(entry);
    return absl::OkStatus();
  }
  call.replying = true;
  call.reply_bytes = frame.number;
  const bool too_large = frame.number > options_.max_body_bytes ||
                         reply_bytes_in_ + frame.number > options_.max_reply_bytes_in;
  call.discard = call.ended || too_large;
  if (!call.discard) {
    reply_bytes_in_ += frame.number;
    call.reply = Assembly(frame.number, kBodyWindowBytes);
    return absl::OkStatus();
  }
  if (!std::exchange(call.cancelled, true)) {
    output_.Add({.type = FrameType::kCancel, .id = frame.id});
  }
  Report(frame.id, call, Outcome::kUnknown,
         fmt::format("it answered with {} bytes, more than are taken", frame.number));
  return absl::OkStatus();
}

absl::Status MuxConnection::OnChunk(const Frame& frame) {
  if (!window_.Take(frame.body.size())) {
    return Broken("a chunk without credit of the connection", frame.id);
  }
  if (const size_t credit = window_.Replenish(); credit > 0) {
    output_.Add({.type = FrameType::kWindow, .number = static_cast<uint32_t>(credit)});
  }
  return IsOwn(frame.id) ? OnReplyChunk(frame) : OnCallChunk(frame);
}

absl::Status MuxConnection::OnReplyChunk(const Frame& frame) {
  const auto entry = calls_out_.find(frame.id);
  if (entry == calls_out_.end() || !entry->second.replying) {
    return Broken("a chunk of a reply that was not announced", frame.id);
  }
  CallOut& call = entry->second;
  if (call.discard) {
    if (frame.body.size() > call.reply_bytes - call.discarded) {
      return Broken("more of a reply than was announced", frame.id);
    }
    call.discarded += frame.body.size();
    if (call.discarded == call.reply_bytes) EraseCallOut(entry);
    return absl::OkStatus();
  }
  if (!call.reply.Add(frame.body)) return Broken("a chunk beyond size or credit", frame.id);
  if (call.reply.whole()) {
    ReportReply(frame.id, call, call.reply.Take());
    EraseCallOut(entry);
  } else if (const size_t credit = call.reply.Replenish(); credit > 0) {
    output_.Add(
        {.type = FrameType::kWindow, .id = frame.id, .number = static_cast<uint32_t>(credit)});
  }
  return absl::OkStatus();
}

absl::Status MuxConnection::OnCallChunk(const Frame& frame) {
  if (frame.id > last_call_in_) return Broken("a chunk of a call that was not begun", frame.id);
  const auto entry = calls_in_.find(frame.id);
  if (entry == calls_in_.end()) {
    // Of a call that was refused or cancelled meanwhile.
    return frame.body.size() < kMaxChunkBytes ? CountNoise() : absl::OkStatus();
  }
  CallIn& call = entry->second;
  if (call.state != CallIn::State::kReceiving) return Broken("a chunk of a whole call", frame.id);
  if (!call.body.Add(frame.body)) return Broken("a chunk beyond size or credit", frame.id);
  if (call.body.whole()) {
    call.state = CallIn::State::kAnswering;
    events_.emplace_back(MuxCall{frame.id, call.content, call.body.Take()});
  } else if (const size_t credit = call.body.Replenish(); credit > 0) {
    output_.Add(
        {.type = FrameType::kWindow, .id = frame.id, .number = static_cast<uint32_t>(credit)});
  }
  return absl::OkStatus();
}

absl::Status MuxConnection::OnRefuse(const Frame& frame) {
  const auto entry = calls_out_.find(frame.id);
  if (entry == calls_out_.end() || entry->second.replying) {
    return Broken("refuses a call that does not wait", frame.id);
  }
  output_.DropBody(frame.id);
  const bool too_large = frame.code == static_cast<uint8_t>(RefuseReason::kBodyTooLarge);
  Report(frame.id, entry->second, Outcome::kNotExecuted,
         too_large ? "the request is larger than it takes" : "it has too much to do: call later",
         {.retry_after = absl::Milliseconds(frame.number)});
  EraseCallOut(entry);
  return absl::OkStatus();
}

absl::Status MuxConnection::OnCancel(const Frame& frame) {
  if (IsOwn(frame.id) || frame.id > last_call_in_) {
    return Broken("cancels a call that was not begun", frame.id);
  }
  const auto entry = calls_in_.find(frame.id);
  // It crossed the answer.
  if (entry == calls_in_.end()) return CountNoise();
  CallIn& call = entry->second;
  const CallIn::State state = call.state;
  if (state == CallIn::State::kCancelled) return CountNoise();
  const bool begun = state != CallIn::State::kReceiving;
  output_.DropBody(frame.id);
  output_.Add(
      {.type = FrameType::kCancelled, .code = static_cast<uint8_t>(begun ? 0 : 1), .id = frame.id});
  if (state == CallIn::State::kAnswering) {
    // It counts until the owner has let go of it, or cancelling would be a way around the limit.
    call.state = CallIn::State::kCancelled;
    events_.emplace_back(MuxCancel{frame.id});
  } else {
    EraseCallIn(entry);
  }
  return absl::OkStatus();
}

absl::Status MuxConnection::OnCancelled(const Frame& frame) {
  const auto entry = calls_out_.find(frame.id);
  if (entry == calls_out_.end() || !entry->second.cancelled) {
    return Broken("says that a call was cancelled that was not", frame.id);
  }
  const bool begun = frame.code == 0;
  Report(frame.id, entry->second, begun ? Outcome::kCancelled : Outcome::kNotExecuted,
         begun ? "cancelled" : "cancelled before it was begun");
  EraseCallOut(entry);
  return absl::OkStatus();
}

absl::Status MuxConnection::OnWindow(const Frame& frame) {
  PODKIT_RETURN_IF_ERROR(output_.AddCredit(frame.id, frame.number));
  const bool useful = frame.number >= kMinCredit && (frame.id == 0 || output_.has_body(frame.id));
  return useful ? absl::OkStatus() : CountNoise();
}

absl::Status MuxConnection::OnGoAway(const Frame& frame) {
  peer_going_away_ = true;
  const auto retry_after = absl::Milliseconds(frame.number);
  events_.emplace_back(MuxGoingAway{static_cast<GoAwayReason>(frame.code), retry_after});
  for (const uint64_t id : CallsOutBeyond(frame.id)) {
    const auto entry = calls_out_.find(id);
    output_.DropBody(id);
    Report(id, entry->second, Outcome::kNotExecuted, "it takes no more calls",
           {.going_away = true});
    EraseCallOut(entry);
  }
  return CountNoise();
}

void MuxConnection::Report(uint64_t id, CallOut& call, Outcome outcome, std::string_view why,
                           MuxFailure how) {
  if (std::exchange(call.ended, true)) return;
  how.id = id;
  how.outcome = outcome;
  how.why = fmt::format("{}: {}", PeerName(), why);
  events_.emplace_back(std::move(how));
}

void MuxConnection::ReportReply(uint64_t id, CallOut& call, std::string body) {
  if (std::exchange(call.ended, true)) return;
  events_.emplace_back(MuxReply{id, call.status, call.content, std::move(body)});
}

void MuxConnection::EraseCallOut(CallOutEntry call) {
  if (call->second.replying && !call->second.discard) reply_bytes_in_ -= call->second.reply_bytes;
  calls_out_.erase(call);
  CheckDrained();
}

void MuxConnection::EraseCallIn(CallInEntry call) {
  call_bytes_in_ -= call->second.bytes;
  calls_in_.erase(call);
  CheckDrained();
}

std::vector<uint64_t> MuxConnection::CallsOutBeyond(uint64_t id) const {
  std::vector<uint64_t> ids;
  for (const auto& [call, state] : calls_out_) {
    if (call > id) ids.push_back(call);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

bool MuxConnection::SentWhole(uint64_t id, const CallOut& call) const {
  return call.in_chunks ? call.chunks_sent : id <= last_call_taken_;
}

absl::Status MuxConnection::CountNoise() {
  if (now_ >= noise_since_ + absl::Seconds(1) || now_ < noise_since_) {
    noise_since_ = now_;
    noise_ = 0;
  }
  if (++noise_ <= kMaxNoise) return absl::OkStatus();
  return absl::ResourceExhaustedError("sends a flood of frames that do nothing");
}

}  // namespace podkit::conduit::internal
