// What the other end of a connection can send. The first byte chooses who: a stranger sends any
// bytes to a pod that listens or to one that dialled; a pod with the right key sends any frames, in
// any order, while this side calls, answers, cancels and closes.
//
// Behind the handshake the records are not sealed, or nothing would ever get through.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mux/connection.h"

namespace podkit::conduit::internal {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

void Require(bool good) {
  if (!good) std::abort();
}

class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  uint8_t Byte() { return static_cast<uint8_t>(ReadBigEndian(Bytes(1))); }
  std::string_view Bytes(size_t count) {
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

 private:
  std::string_view rest_;
};

std::shared_ptr<Pods> PodsOf(std::string own_id) {
  const std::string key(32, 'k');
  return *Pods::Create({Pod{.id = "A", .keys = {key}}, Pod{.id = "B", .keys = {key}}},
                       std::move(own_id));
}

// The end under test, and the books about it.
class World {
 public:
  explicit World(MuxConnection connection) : connection_(std::move(connection)) {}

  void Receive(std::string_view bytes) {
    connection_.Receive(bytes, now_);
    Note();
  }

  void Step(Input& input) {
    switch (input.Byte() % 10) {
      case 0:
        return ReceiveRecord(input.Bytes(input.Byte()));
      case 1:
      case 2:
      case 3:
        return ReceiveFrame(input);
      case 4:
        if (const auto id = connection_.StartCall(Content::kJson, Body(input)); id.ok()) {
          Require(waiting_.insert(*id).second);
        }
        break;
      case 5:
        connection_.Cancel(input.Byte());
        break;
      case 6:
        Answer(input);
        break;
      case 7:
        Send();
        break;
      case 8:
        now_ += absl::Milliseconds(100 * input.Byte());
        connection_.Tick(now_);
        break;
      default:
        if (input.Byte() % 8 == 0) {
          connection_.GoAway(GoAwayReason::kShutdown, absl::Seconds(1));
        }
    }
    Note();
  }

  // Each call that was started has ended, and the last event was the last.
  void Finish() {
    connection_.Close(absl::OkStatus());
    Note();
    Require(waiting_.empty());
    Require(closed_);
    Require(connection_.calls_in() == 0 && connection_.calls_out() == 0);
    Require(connection_.NextTick() == absl::InfiniteFuture());
  }

 private:
  static std::string Body(Input& input) {
    constexpr size_t kSizes[] = {0, 1, 100, kMaxChunkBytes, kMaxChunkBytes + 1, 50'000};
    return std::string(kSizes[input.Byte() % std::size(kSizes)], 'b');
  }

  void ReceiveRecord(std::string_view content) {
    std::string record;
    AppendBigEndian(content.size(), kRecordHeaderBytes, &record);
    Receive(record.append(content));
  }

  void ReceiveFrame(Input& input) {
    Frame frame = {.type = static_cast<FrameType>(1 + input.Byte() % 10),
                   .code = static_cast<uint8_t>(input.Byte() % 3),
                   .id = input.Byte(),
                   .status = 200};
    const std::string body = Body(input);
    frame.number = static_cast<uint32_t>(body.size());
    if (frame.type == FrameType::kWindow) frame.number = 1 << (input.Byte() % 32);
    const std::string chunk = body.substr(0, kMaxChunkBytes);
    const bool announces = frame.type == FrameType::kCall || frame.type == FrameType::kReply;
    if (frame.type == FrameType::kChunk || (announces && chunk.size() == body.size())) {
      frame.body = chunk;
    }
    std::string content;
    AppendFrame(frame, &content);
    ReceiveRecord(content);
  }

  void Answer(Input& input) {
    if (incoming_.empty()) return;
    const uint64_t id = *incoming_.begin();
    incoming_.erase(incoming_.begin());
    if (input.Byte() % 4 == 0) {
      connection_.Refuse(id, absl::Seconds(1));
    } else {
      connection_.Reply(id, input.Byte() * 4, Content::kJson, Body(input));
    }
  }

  // What is sent must be what another end can read.
  void Send() {
    const bool had_output = connection_.has_output();
    const std::string record = connection_.TakeOutput();
    Require(record.empty() != had_output);
    if (!had_output) return;
    Require(record.size() <= kRecordHeaderBytes + kMaxRecordBytes);
    Require(ReadBigEndian(record.substr(0, kRecordHeaderBytes)) ==
            record.size() - kRecordHeaderBytes);
    if (!connection_.connected()) return;
    std::string_view frames = std::string_view(record).substr(kRecordHeaderBytes);
    Frame frame;
    while (!frames.empty()) Require(ReadFrame(&frames, &frame).ok());
  }

  void Note() {
    std::vector<MuxEvent> events;
    connection_.TakeEvents(&events);
    for (const MuxEvent& event : events) {
      Require(!closed_);
      if (const auto* const call = std::get_if<MuxCall>(&event)) {
        Require(incoming_.insert(call->id).second);
      } else if (const auto* const reply = std::get_if<MuxReply>(&event)) {
        Require(waiting_.erase(reply->id) == 1);
      } else if (const auto* const failure = std::get_if<MuxFailure>(&event)) {
        Require(waiting_.erase(failure->id) == 1);
      } else if (std::holds_alternative<MuxClosed>(event)) {
        closed_ = true;
      }
    }
    Require(closed_ == connection_.closed());
  }

  MuxConnection connection_;
  absl::Time now_ = kNow;
  std::set<uint64_t> waiting_;   // Own calls that have not ended.
  std::set<uint64_t> incoming_;  // Calls to answer.
  bool closed_ = false;
};

void Stranger(MuxConnection connection, Input input) {
  connection.TakeOutput();
  while (!input.empty()) connection.Receive(input.Bytes(1 + input.Byte()), kNow);
  std::vector<MuxEvent> events;
  connection.TakeEvents(&events);
  for (const MuxEvent& event : events) Require(std::holds_alternative<MuxClosed>(event));
}

void Run(std::string_view bytes) {
  static const auto* const pods_of_a = new std::shared_ptr<Pods>(PodsOf("A"));
  static const auto* const pods_of_b = new std::shared_ptr<Pods>(PodsOf("B"));
  Input input(bytes);
  const uint8_t who = input.Byte();
  const MuxOptions options = {.max_body_bytes = 60'000,
                              .max_calls_in = 4,
                              .max_call_bytes_in = 120'000,
                              .max_calls_out = 6,
                              .max_reply_bytes_in = 90'000,
                              .max_waiting_bytes = 50'000};
  if (who == 0) return Stranger(MuxConnection({.pods = *pods_of_b}, options, kNow), input);
  if (who == 1) {
    return Stranger(MuxConnection({.pods = *pods_of_a}, (*pods_of_a)->Find("B"), options, kNow),
                    input);
  }
  const bool dialled = who % 2 == 1;
  World world(
      MuxConnection::ForTest(dialled, dialled ? *pods_of_a : *pods_of_b,
                             {.pod = (dialled ? *pods_of_a : *pods_of_b)->Find(dialled ? "B" : "A"),
                              .key = std::string(32, 'k')},
                             options, kNow));
  while (!input.empty()) world.Step(input);
  world.Finish();
}

}  // namespace
}  // namespace podkit::conduit::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  podkit::conduit::internal::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
