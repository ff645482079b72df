// A connection whose other end, or the wire between, is hostile or broken: it ends, cleanly, and
// never with a wrong answer.
#include <functional>
#include <random>
#include <string>

#include "mux/connection.h"
#include "tests/conduit/mux_pair.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::string RecordOf(const std::vector<Frame>& frames) {
  std::string content;
  for (const Frame& frame : frames) AppendFrame(frame, &content);
  std::string record;
  AppendBigEndian(content.size(), kRecordHeaderBytes, &record);
  return record + content;
}

Frame CallFrame(uint64_t id, std::string_view body = "x") {
  return {.type = FrameType::kCall,
          .id = id,
          .number = static_cast<uint32_t>(body.size()),
          .body = body};
}

// Pod B, dialled by a pod A that knows the key and is hostile.
struct Victim {
  explicit Victim(const MuxOptions& options = {})
      : end(MuxConnection::ForTest(
            /*dialled=*/false, nullptr,
            {.pod = std::make_shared<const Pod>(Pod{.id = "A"}), .key = kPairKey}, options,
            kMuxStart)) {}

  // False when that ended the connection.
  bool Takes(const std::vector<Frame>& frames) { return TakesBytes(RecordOf(frames)); }
  bool TakesBytes(std::string_view bytes) {
    end.connection.Receive(bytes, now);
    return end.connection.connected();
  }
  // The frames that the victim sends.
  std::vector<Frame> Sent() {
    std::vector<Frame> frames;
    for (;;) {
      output.push_back(end.connection.TakeOutput());
      if (output.back().empty()) return frames;
      std::string_view rest = std::string_view(output.back()).substr(kRecordHeaderBytes);
      while (!rest.empty()) {
        frames.emplace_back();
        REQUIRE(ReadFrame(&rest, &frames.back()) == absl::OkStatus());
      }
    }
  }

  absl::Time now = kMuxStart;
  MuxEnd end;
  std::vector<std::string> output;
};

// True if `frames` end a connection, with one GoAway that says why and one last event.
bool Ends(const std::vector<Frame>& frames, GoAwayReason reason = GoAwayReason::kProtocolError) {
  Victim victim;
  if (victim.Takes(frames)) return false;
  const auto sent = victim.Sent();
  return sent.size() == 1 && sent[0].type == FrameType::kGoAway &&
         sent[0].code == static_cast<uint8_t>(reason) && victim.end.Take<MuxClosed>().size() == 1;
}

TEST_CASE("A peer that breaks the rules of calls is cut off", "[mux][hostile]") {
  const std::string chunk(kMaxChunkBytes, 'c');
  const Frame large = {.type = FrameType::kCall, .id = 1, .number = 40'000};
  CHECK_FALSE(Ends({CallFrame(1), CallFrame(3), CallFrame(9)}));
  CHECK(Ends({CallFrame(2)}));                // An id of the other side.
  CHECK(Ends({CallFrame(3), CallFrame(3)}));  // Used twice.
  CHECK(Ends({CallFrame(3), CallFrame(1)}));  // Going back.
  CHECK(Ends({{.type = FrameType::kReply, .id = 2, .status = 200}}));
  CHECK(Ends({{.type = FrameType::kReply, .id = 1, .status = 200}}));
  CHECK(Ends({{.type = FrameType::kRefuse, .id = 2}}));
  CHECK(Ends({{.type = FrameType::kCancelled, .id = 2}}));
  CHECK(Ends({{.type = FrameType::kCancel, .id = 1}}));
  CHECK(Ends({{.type = FrameType::kCancel, .id = 2}}));
  CHECK(Ends({{.type = FrameType::kChunk, .id = 1, .body = chunk}}));
  CHECK(Ends({{.type = FrameType::kChunk, .id = 2, .body = chunk}}));
  CHECK(Ends({CallFrame(1), {.type = FrameType::kChunk, .id = 1, .body = chunk}}));
  CHECK_FALSE(Ends({large, {.type = FrameType::kChunk, .id = 1, .body = chunk}}));
  const Frame part = {.type = FrameType::kChunk, .id = 1, .body = chunk};
  CHECK(Ends({large, part, part, part}));  // More than was announced.
  CHECK(Ends({{.type = FrameType::kWindow, .number = 1}}));
  CHECK(Ends({{.type = static_cast<FrameType>(77)}}));
}

TEST_CASE("A reply must belong to a call that was sent and has no reply yet", "[mux][hostile]") {
  const auto reply = [](uint64_t id, uint32_t size = 0) {
    return Frame{.type = FrameType::kReply, .id = id, .status = 200, .number = size};
  };
  const auto ends = [](const std::function<bool(Victim&, uint64_t)>& takes) {
    Victim victim;
    const uint64_t id = victim.end.Call("x");
    victim.Sent();
    return !takes(victim, id);
  };
  CHECK_FALSE(ends([&](Victim& v, uint64_t id) { return v.Takes({reply(id)}); }));
  CHECK(ends([&](Victim& v, uint64_t id) { return v.Takes({reply(id), reply(id)}); }));
  CHECK(ends([&](Victim& v, uint64_t id) { return v.Takes({reply(id, 40'000), reply(id)}); }));
  CHECK(ends([&](Victim& v, uint64_t id) {
    return v.Takes({reply(id, 40'000), {.type = FrameType::kRefuse, .id = id}});
  }));
  CHECK(ends([&](Victim& v, uint64_t id) {
    return v.Takes({{.type = FrameType::kCancelled, .id = id}});
  }));
  CHECK(ends([&](Victim& v, uint64_t) { return v.Takes({reply(v.end.Call("unsent"))}); }));
  CHECK(ends([&](Victim& v, uint64_t) {
    const uint64_t half = v.end.Call(std::string(8 * kMiB, 'b'));
    v.Sent();
    return v.Takes({reply(half)});
  }));
  // Nothing comes after Cancelled.
  CHECK(ends([&](Victim& v, uint64_t id) {
    v.end.connection.Cancel(id);
    REQUIRE(v.Takes({{.type = FrameType::kCancelled, .id = id}}));
    return v.Takes({reply(id)});
  }));
}

TEST_CASE("Chunks beyond credit end the connection", "[mux][hostile]") {
  const std::string chunk(kMaxChunkBytes, 'c');
  Victim victim;
  // Credit is given in the same moment, so only a burst before it can go beyond: one body.
  REQUIRE(victim.Takes({{.type = FrameType::kCall, .id = 1, .number = 30 << 20}}));
  size_t taken = 0;
  while (taken < 2 * kConnectionWindowBytes &&
         victim.Takes({{.type = FrameType::kChunk, .id = 1, .body = chunk}})) {
    taken += chunk.size();
  }
  CHECK(taken >= 2 * kConnectionWindowBytes);  // All of it was covered by windows sent.
  size_t credit = 0;
  for (const Frame& frame : victim.Sent()) {
    if (frame.type == FrameType::kWindow && frame.id == 1) credit += frame.number;
  }
  CHECK(credit + kBodyWindowBytes >= taken);
  CHECK(credit <= taken);
}

TEST_CASE("A giant length ends the connection before anything is allocated", "[mux][hostile]") {
  for (const std::string& length : {std::string("\xff\xff\xff\xff"), std::string(4, '\0'),
                                    std::string("\x00\x01\x00\x01", 4)}) {
    Victim victim;
    CHECK_FALSE(victim.TakesBytes(length));
  }
  // A call that announces a giant body is refused, and the connection stays.
  Victim victim;
  CHECK(victim.Takes({{.type = FrameType::kCall, .id = 1, .number = ~uint32_t{0}}}));
  CHECK(victim.Sent()[0].type == FrameType::kRefuse);
  CHECK(victim.end.connection.calls_in() == 0);
}

TEST_CASE("Floods of frames that do nothing end the connection", "[mux][hostile]") {
  const auto survives = [](const Frame& frame, int count, absl::Duration between) {
    Victim victim;
    REQUIRE(victim.Takes({CallFrame(1)}));
    victim.end.connection.Reply(1, 200, Content::kNone, "");
    bool good = true;
    for (int i = 0; good && i < count; ++i) {
      good = victim.Takes({frame});
      victim.now += between;
      victim.Sent();
    }
    if (!good) {
      CHECK(victim.end.TakeOne<MuxClosed>().why.code() == absl::StatusCode::kResourceExhausted);
    }
    return good;
  };
  for (const Frame& frame :
       {Frame{.type = FrameType::kPing}, Frame{.type = FrameType::kPong},
        Frame{.type = FrameType::kCancel, .id = 1}, Frame{.type = FrameType::kWindow},
        Frame{.type = FrameType::kGoAway}, Frame{.type = FrameType::kWindow, .id = 1, .number = 1},
        Frame{.type = FrameType::kWindow, .id = 1, .number = 1 << 20},
        Frame{.type = FrameType::kChunk, .id = 1, .body = "x"}}) {
    if (frame.type == FrameType::kChunk) {
      // What is left of a call that was answered with a refusal.
      Victim victim({.max_body_bytes = 1});
      REQUIRE(victim.Takes({{.type = FrameType::kCall, .id = 1, .number = 40'000}}));
      bool good = true;
      for (int i = 0; good && i < 1001; ++i) good = victim.Takes({frame});
      CHECK_FALSE(good);
      continue;
    }
    CHECK(survives(frame, 1000, absl::ZeroDuration()));
    CHECK_FALSE(survives(frame, 1001, absl::ZeroDuration()));
    CHECK(survives(frame, 3000, absl::Milliseconds(2)));
  }
}

TEST_CASE("Calling and cancelling does not get around the limit of calls", "[mux][hostile]") {
  Victim victim({.max_calls_in = 10});
  for (uint64_t id = 1; id < 100; id += 2) {
    REQUIRE(victim.Takes({CallFrame(id), {.type = FrameType::kCancel, .id = id}}));
  }
  CHECK(victim.end.connection.calls_in() == 10);
  CHECK(victim.end.Take<MuxCall>().size() == 10);
}

TEST_CASE("A peer that calls and does not read costs bounded memory", "[mux][hostile]") {
  Victim victim({.max_waiting_bytes = kMiB});
  uint64_t id = 1;
  size_t answered = 0;
  for (; id < 10'000'000 && victim.Takes({CallFrame(id)}); id += 2) {
    for (const MuxCall& call : victim.end.Take<MuxCall>()) {
      victim.end.connection.Reply(call.id, 200, Content::kNone, std::string(kMaxChunkBytes, 'r'));
      ++answered;
    }
  }
  CHECK(answered <= kMiB / kMaxChunkBytes + 1);
  CHECK(victim.end.TakeOne<MuxClosed>().why.code() == absl::StatusCode::kResourceExhausted);
  CHECK(id < 2 * kMiB / 8);
}

TEST_CASE("Nothing is dispatched before both sides are proven", "[mux][hostile]") {
  const std::string call = RecordOf({CallFrame(1)});
  // At once; over a stream that has TLS too.
  for (const std::string& binding : {std::string(), std::string(32, 'x')}) {
    HandshakeConfig of_b = IdentityOf("B");
    of_b.channel_binding = binding;
    MuxEnd b(MuxConnection(of_b, {}, kMuxStart));
    b.connection.Receive(call, kMuxStart);
    CHECK(b.connection.closed());
    CHECK(b.Take<MuxCall>().empty());
    CHECK(b.Take<MuxConnected>().empty());
    CHECK(b.connection.TakeOutput().empty());  // Not a word why.
    // After half a handshake.
    HandshakeConfig of_a = IdentityOf("A");
    of_a.channel_binding = binding;
    MuxPair half({}, of_a, of_b);
    half.Move(half.a, half.b, &half.sent_by_a);
    CHECK_FALSE(half.b.connection.TakeOutput().empty());
    half.b.connection.Receive(call, kMuxStart);
    CHECK(half.b.connection.closed());
    CHECK(half.b.Take<MuxCall>().empty());
    CHECK(half.b.Take<MuxConnected>().empty());
    CHECK(half.b.connection.TakeOutput().empty());
  }
}

TEST_CASE("A stranger has ten seconds and a kilobyte, however slowly it comes", "[mux][hostile]") {
  MuxEnd b(MuxConnection(IdentityOf("B"), {}, kMuxStart));
  CHECK(b.connection.NextTick() == kMuxStart + absl::Seconds(10));
  absl::Time now = kMuxStart;
  const std::string trickle("\x00\x00\x02\x00", 4);
  for (int i = 0; i < 99; ++i) {
    b.connection.Receive(i < 4 ? trickle.substr(static_cast<size_t>(i), 1) : "x", now);
    now += absl::Milliseconds(100);
    b.connection.Tick(now);
    REQUIRE_FALSE(b.connection.closed());
  }
  b.connection.Tick(kMuxStart + absl::Seconds(10));
  CHECK(b.TakeOne<MuxClosed>().why.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(b.connection.TakeOutput().empty());
  MuxEnd other(MuxConnection(IdentityOf("B"), {}, kMuxStart));
  other.connection.Receive(std::string("\x00\x00\x02\x01", 4), kMuxStart);
  CHECK(other.connection.closed());
  // The dialler does not wait longer either.
  HandshakeConfig of_a = IdentityOf("A");
  MuxEnd a(MuxConnection(of_a, of_a.pods->Find("B"), {}, kMuxStart));
  a.connection.Tick(kMuxStart + absl::Seconds(10));
  CHECK(a.connection.closed());
}

// Two ends that both call, with `change` on the way from A to B. Whatever happens: no answer that
// was not given, no call that was not made, and each call ends once.
void RunWithChange(const std::function<std::string(std::string)>& change, bool both_must_end) {
  MuxPair pair;
  std::string from_a;
  const std::string large(20'000, 'L');
  bool called = false;
  for (int round = 0; round < 20; ++round) {
    for (std::string bytes; !(bytes = pair.a.connection.TakeOutput()).empty();) from_a += bytes;
    const std::string changed = change(from_a);
    const std::string before = pair.sent_by_a;
    if (changed.size() > before.size()) {
      pair.sent_by_a = changed;
      pair.b.connection.Receive(std::string_view(changed).substr(before.size()), pair.now);
    }
    while (pair.Move(pair.b, pair.a, &pair.sent_by_b)) {
    }
    if (pair.a.connection.connected() && !std::exchange(called, true)) {
      pair.a.Call("one");
      pair.a.Call(large);
    }
    for (MuxCall& call : pair.b.Take<MuxCall>()) {
      CHECK((call.body == "one" || call.body == large));
      pair.b.connection.Reply(call.id, 200, Content::kNone, "re:" + call.body);
    }
  }
  if (both_must_end) CHECK(pair.b.connection.closed());
  pair.a.connection.StreamEnded(absl::UnavailableError("end"));
  const auto replies = pair.a.Take<MuxReply>();
  for (const MuxReply& reply : replies)
    CHECK((reply.body == "re:one" || reply.body == "re:" + large));
  CHECK(replies.size() + pair.a.Take<MuxFailure>().size() == (called ? 2 : 0));
}

TEST_CASE("Whatever byte is changed on the wire, the connection ends and no answer is wrong",
          "[mux][hostile]") {
  size_t total = 0;
  RunWithChange(
      [&](const std::string& bytes) {
        total = bytes.size();
        return bytes;
      },
      false);
  REQUIRE(total > 20'000);
  // Each byte of the handshake and of the small call, then some of the large one.
  for (size_t at = 0; at < total; at += at < 450 ? 1 : 997) {
    RunWithChange(
        [&](std::string bytes) {
          if (bytes.size() > at) bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
          return bytes;
        },
        // A greater length only makes B wait: for its deadline, or for a sign of life.
        false);
    RunWithChange([&](const std::string& bytes) { return bytes.substr(0, at); }, false);
  }
}

TEST_CASE("A record that is repeated, left out or moved ends the connection", "[mux][hostile]") {
  for (const int trick : {0, 1, 2, 3}) {
    MuxPair pair;
    pair.Connect();
    std::vector<std::string> records;
    for (const char* body : {"1", "2", "3"}) {
      pair.a.Call(body);
      records.push_back(pair.a.connection.TakeOutput());
    }
    if (trick == 1) records.insert(records.begin(), records[0]);
    if (trick == 2) records.erase(records.begin());
    if (trick == 3) std::swap(records[0], records[1]);
    for (const std::string& record : records) pair.b.connection.Receive(record, pair.now);
    CHECK(pair.b.connection.closed() == (trick != 0));
    CHECK(pair.b.Take<MuxCall>().size() == (trick == 0 ? 3 : trick == 1 ? 1 : 0));
  }
}

TEST_CASE("A record that was sent does not work the other way round, or on another connection",
          "[mux][hostile]") {
  MuxPair pair;
  pair.Connect();
  pair.a.Call("x");
  const std::string record = pair.a.connection.TakeOutput();
  pair.a.connection.Receive(record, pair.now);
  CHECK(pair.a.connection.closed());
  CHECK(pair.a.Take<MuxCall>().empty());
  MuxPair other;
  other.Connect();
  other.b.connection.Receive(record, other.now);
  CHECK(other.b.connection.closed());
  CHECK(other.b.Take<MuxCall>().empty());
}

TEST_CASE("Random frames never break the books of a connection", "[mux][hostile]") {
  const uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    Victim victim({.max_calls_in = 4});
    size_t started = 0;
    size_t ended = 0;
    uint64_t next = 1;
    for (int step = 0; step < 60 && victim.end.connection.connected(); ++step) {
      if (random() % 3 == 0) {
        started +=
            victim.end.connection.StartCall(Content::kNone, std::string(random() % 40'000, 'b'))
                .ok();
      }
      if (random() % 4 == 0) victim.end.connection.Cancel(2 * (1 + random() % 8));
      Frame frame = {.type = static_cast<FrameType>(1 + random() % 10), .id = 1 + random() % 12};
      const std::string chunk(1 + random() % 16'384, 'c');
      if (frame.type == FrameType::kCall) frame.id = std::exchange(next, next + 2);
      if (frame.type == FrameType::kReply) frame.status = 200;
      if (frame.type == FrameType::kCall || frame.type == FrameType::kReply) {
        frame.number = random() % 2 == 0 ? 0 : 20'000;
      }
      if (frame.type == FrameType::kChunk) frame.body = chunk;
      victim.Takes({frame});
      if (random() % 2 == 0) victim.end.AnswerAll();
      if (random() % 2 == 0) victim.Sent();
      ended += victim.end.Take<MuxReply>().size() + victim.end.Take<MuxFailure>().size();
    }
    victim.end.connection.Close(absl::OkStatus());
    ended += victim.end.Take<MuxReply>().size() + victim.end.Take<MuxFailure>().size();
    CHECK(ended == started);
    CHECK(victim.end.Take<MuxClosed>().size() == 1);
    CHECK(victim.end.connection.calls_in() + victim.end.connection.calls_out() == 0);
  }
}

}  // namespace
}  // namespace podkit::conduit::internal
