// Calls on a connection whose ends are both honest.
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "mux/connection.h"
#include "tests/conduit/mux_pair.h"
#include "tests/support/temp_dir.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::string BodyOf(size_t size, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::string body(size, '\0');
  for (char& byte : body) byte = static_cast<char>(random());
  return body;
}

TEST_CASE("Both ends call, and each answer finds its call", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  const uint64_t first = pair.a.Call("one");
  const uint64_t second = pair.a.Call("two");
  const uint64_t third = pair.b.Call("three");
  CHECK(first == 1);
  CHECK(second == 3);
  CHECK(third == 2);
  pair.Run();
  const auto calls = pair.b.Take<MuxCall>();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].content == Content::kJson);
  CHECK(calls[0].body == "one");
  // In another order.
  pair.b.connection.Reply(calls[1].id, 200, Content::kPayload, "2");
  pair.b.connection.Reply(calls[0].id, 404, Content::kNone, "");
  CHECK(pair.a.AnswerAll() == 1);
  pair.Run();
  const auto replies = pair.a.Take<MuxReply>();
  REQUIRE(replies.size() == 2);
  CHECK(replies[0].id == second);
  CHECK(replies[0].content == Content::kPayload);
  CHECK(replies[0].body == "2");
  CHECK(replies[1].id == first);
  CHECK(replies[1].status == 404);
  CHECK(pair.b.TakeOne<MuxReply>().body == "re:three");
  CHECK(pair.a.connection.calls_out() + pair.a.connection.calls_in() == 0);
  CHECK(pair.b.connection.calls_out() + pair.b.connection.calls_in() == 0);
}

TEST_CASE("Bodies of every size arrive as they were, both ways", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  for (const size_t size :
       {size_t{0}, size_t{1}, kMaxChunkBytes - 1, kMaxChunkBytes, kMaxChunkBytes + 1, size_t{65536},
        kBodyWindowBytes, kBodyWindowBytes + 1, 9 * kMiB + 7}) {
    const std::string body = BodyOf(size);
    pair.a.Call(body);
    pair.Run();
    CHECK(pair.b.AnswerAll() == 1);
    pair.Run();
    CHECK(pair.a.TakeOne<MuxReply>().body == "re:" + body);
  }
}

TEST_CASE("With TLS below, records travel as they are, and without, nobody can read them",
          "[mux][connection]") {
  for (const bool tls : {false, true}) {
    HandshakeConfig of_a = IdentityOf("A");
    HandshakeConfig of_b = IdentityOf("B");
    of_a.channel_binding = of_b.channel_binding = tls ? std::string(32, 'x') : "";
    MuxPair pair({}, of_a, of_b);
    pair.Connect();
    pair.a.Call("secret words");
    pair.Run();
    CHECK(pair.b.TakeOne<MuxCall>().body == "secret words");
    CHECK((pair.sent_by_a.find("secret words") != std::string::npos) == tls);
  }
}

TEST_CASE("A small call overtakes a large body, both ways", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  pair.a.Call(BodyOf(10 * kMiB));
  for (int i = 0; i < 5; ++i) pair.Move(pair.a, pair.b, &pair.sent_by_a);
  pair.a.Call("small");
  const size_t before = pair.sent_by_a.size();
  pair.Move(pair.a, pair.b, &pair.sent_by_a);
  CHECK(pair.b.TakeOne<MuxCall>().body == "small");
  CHECK(pair.sent_by_a.size() - before <= kMaxRecordBytes + 64);
  pair.Run();
  const auto large = pair.b.TakeOne<MuxCall>();
  pair.b.connection.Reply(large.id, 200, Content::kNone, BodyOf(10 * kMiB, 2));
  pair.Move(pair.b, pair.a, &pair.sent_by_b);
  pair.b.connection.Reply(large.id + 2, 200, Content::kNone, "small too");
  pair.Move(pair.b, pair.a, &pair.sent_by_b);
  CHECK(pair.a.TakeOne<MuxReply>().body == "small too");
}

TEST_CASE("Large bodies take turns, and small frames do not starve them", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  const uint64_t first = pair.a.Call(BodyOf(kMiB / 2));
  const uint64_t second = pair.a.Call(BodyOf(kMiB / 4));
  int moves = 0;
  std::vector<uint64_t> ended;
  while (ended.size() < 2 && ++moves < 1000) {
    // More than a record of them at any time.
    for (int i = 0; i < 100; ++i) pair.a.Call(std::string(1000, 's'));
    pair.Move(pair.a, pair.b, &pair.sent_by_a);
    for (const MuxCall& call : pair.b.Take<MuxCall>()) {
      if (call.body.size() > 1000) ended.push_back(call.id);
      pair.b.connection.Reply(call.id, 200, Content::kNone, "");
    }
    pair.Move(pair.b, pair.a, &pair.sent_by_b);
  }
  // Turn by turn the smaller one is through first, after about twice its chunks.
  CHECK(ended == std::vector<uint64_t>{second, first});
  CHECK(moves <= 50);
}

TEST_CASE("What one end sends ahead of the other's credit has a bound", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  for (int i = 0; i < 8; ++i) pair.a.Call(BodyOf(8 * kMiB));
  // B does not get to send, so it gives no credit.
  size_t sent = 0;
  for (std::string bytes; !(bytes = pair.a.connection.TakeOutput()).empty();) {
    sent += bytes.size();
    pair.b.connection.Receive(bytes, pair.now);
  }
  CHECK(sent >= kConnectionWindowBytes);
  CHECK(sent <= kConnectionWindowBytes + kConnectionWindowBytes / 64);
  CHECK_FALSE(pair.a.connection.has_output());
  pair.Run();
  CHECK(pair.b.Take<MuxCall>().size() == 8);
  // One body alone stops at its own window.
  pair.a.Call(BodyOf(8 * kMiB));
  sent = 0;
  for (std::string bytes; !(bytes = pair.a.connection.TakeOutput()).empty();) sent += bytes.size();
  CHECK(sent >= kBodyWindowBytes);
  CHECK(sent <= kBodyWindowBytes + kBodyWindowBytes / 32);
}

TEST_CASE("Calls beyond the callee's limits are refused as not executed", "[mux][connection]") {
  const MuxOptions options = {.max_body_bytes = 3 * kMiB,
                              .max_calls_in = 3,
                              .max_call_bytes_in = 4 * kMiB,
                              .retry_after = absl::Milliseconds(1500)};
  MuxPair pair(MuxOptions{}, options);
  pair.Connect();
  pair.a.Call(BodyOf(3 * kMiB));
  pair.Run();
  const uint64_t too_many_bytes = pair.a.Call(BodyOf(2 * kMiB));
  pair.a.Call("2");
  pair.a.Call("3");
  const uint64_t too_many_calls = pair.a.Call("4");
  const uint64_t too_large = pair.a.Call(BodyOf(3 * kMiB + 1));
  pair.Run();
  const auto failures = pair.a.Take<MuxFailure>();
  REQUIRE(failures.size() == 3);
  CHECK(failures[0].id == too_many_bytes);
  CHECK(failures[1].id == too_many_calls);
  CHECK(failures[1].retry_after == absl::Milliseconds(1500));
  CHECK(failures[2].id == too_large);
  CHECK(failures[2].retry_after == absl::ZeroDuration());
  for (const MuxFailure& failure : failures) CHECK(failure.outcome == Outcome::kNotExecuted);
  // What was refused left nothing behind, and what was taken is answered.
  CHECK(pair.b.AnswerAll() == 3);
  pair.Run();
  CHECK(pair.a.Take<MuxReply>().size() == 3);
  pair.a.Call(BodyOf(3 * kMiB));
  pair.Run();
  pair.b.connection.Reply(pair.b.TakeOne<MuxCall>().id, 200, Content::kNone, BodyOf(3 * kMiB));
  CHECK(pair.b.connection.calls_in() == 1);  // Its answer is as long and waits for credit.
  pair.Run();
  CHECK(pair.b.connection.calls_in() == 0);
  CHECK(pair.a.Take<MuxReply>().size() == 1);
}

TEST_CASE("The owner refuses a call, and its caller learns when to come back",
          "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  pair.a.Call("x");
  pair.Run();
  pair.b.connection.Refuse(pair.b.TakeOne<MuxCall>().id, absl::Seconds(7));
  pair.Run();
  const auto failure = pair.a.TakeOne<MuxFailure>();
  CHECK(failure.outcome == Outcome::kNotExecuted);
  CHECK(failure.retry_after == absl::Seconds(7));
}

TEST_CASE("What is too large is not sent, or its answer is not", "[mux][connection]") {
  MuxPair pair({.max_body_bytes = kMiB});
  pair.Connect();
  const auto call = pair.a.connection.StartCall(Content::kNone, BodyOf(kMiB + 1));
  CHECK(OutcomeOf(call.status()) == Outcome::kNotExecuted);
  pair.a.Call("x");
  pair.Run();
  pair.b.connection.Reply(pair.b.TakeOne<MuxCall>().id, 200, Content::kJson, BodyOf(kMiB + 1));
  pair.Run();
  const auto reply = pair.a.TakeOne<MuxReply>();
  CHECK(reply.status == 413);
  CHECK(reply.body.empty());
}

TEST_CASE("An answer that is larger than its caller takes is lost, and nothing else",
          "[mux][connection]") {
  MuxPair pair({.max_body_bytes = 2 * kMiB, .max_reply_bytes_in = 3 * kMiB}, MuxOptions{});
  pair.Connect();
  pair.a.Call("large");
  pair.Run();
  pair.b.connection.Reply(pair.b.TakeOne<MuxCall>().id, 200, Content::kNone, BodyOf(3 * kMiB));
  pair.Run();
  CHECK(pair.a.TakeOne<MuxFailure>().outcome == Outcome::kUnknown);
  CHECK(pair.a.connection.calls_out() == 0);
  CHECK(pair.b.connection.calls_in() == 0);
  // Two that are too much together: the second is lost.
  pair.a.Call("1");
  pair.a.Call("2");
  pair.Run();
  for (const MuxCall& call : pair.b.Take<MuxCall>()) {
    pair.b.connection.Reply(call.id, 200, Content::kNone, BodyOf(2 * kMiB));
  }
  pair.Run();
  CHECK(pair.a.Take<MuxReply>().size() == 1);
  CHECK(pair.a.Take<MuxFailure>().size() == 1);
  pair.a.Call("again");
  pair.Run();
  pair.b.connection.Reply(pair.b.TakeOne<MuxCall>().id, 200, Content::kNone, BodyOf(2 * kMiB));
  pair.Run();
  CHECK(pair.a.Take<MuxReply>().size() == 1);
}

TEST_CASE("A cancel ends the call, at the callee too", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  const uint64_t id = pair.a.Call("x");
  pair.Run();
  const auto call = pair.b.TakeOne<MuxCall>();
  pair.a.connection.Cancel(id);
  CHECK(pair.a.Take<MuxFailure>().empty());  // The answer may be on its way.
  pair.Run();
  CHECK(pair.b.TakeOne<MuxCancel>().id == call.id);
  CHECK(pair.a.TakeOne<MuxFailure>().outcome == Outcome::kCancelled);
  // No success after that, and the call counts until its responder is through.
  CHECK(pair.b.connection.calls_in() == 1);
  pair.b.connection.Reply(call.id, 200, Content::kNone, "late");
  pair.Run();
  CHECK(pair.b.connection.calls_in() == 0);
  CHECK(pair.a.Take<MuxReply>().empty());
  CHECK(pair.a.connection.connected());
  CHECK(pair.b.connection.connected());
}

TEST_CASE("A cancel that crosses the answer changes nothing", "[mux][connection]") {
  for (const size_t size : {size_t{5}, size_t{100'000}}) {
    MuxPair pair;
    pair.Connect();
    const uint64_t id = pair.a.Call("x");
    pair.Run();
    const auto call = pair.b.TakeOne<MuxCall>();
    pair.b.connection.Reply(call.id, 200, Content::kNone, BodyOf(size));
    std::string reply;
    for (std::string bytes; !(bytes = pair.b.connection.TakeOutput()).empty();) reply += bytes;
    pair.a.connection.Cancel(id);
    pair.a.connection.Cancel(id);
    pair.Move(pair.a, pair.b, &pair.sent_by_a);
    pair.a.connection.Receive(reply, pair.now);
    CHECK(pair.a.TakeOne<MuxReply>().body == BodyOf(size));
    pair.Run();
    pair.a.connection.Cancel(id);
    pair.Run();
    CHECK(pair.a.Take<MuxFailure>().empty());
    CHECK(pair.b.Take<MuxCancel>().empty());
    CHECK(pair.b.connection.connected());
    CHECK(pair.a.connection.calls_out() == 0);
  }
}

TEST_CASE("A cancel stops a body in the middle, in either direction", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  const uint64_t request = pair.a.Call(BodyOf(8 * kMiB));
  pair.Move(pair.a, pair.b, &pair.sent_by_a);
  pair.a.connection.Cancel(request);
  CHECK(pair.a.TakeOne<MuxFailure>().outcome == Outcome::kNotExecuted);
  pair.Run();
  CHECK(pair.sent_by_a.size() < kMiB);
  CHECK(pair.b.Take<MuxCall>().empty());
  CHECK(pair.b.Take<MuxCancel>().empty());
  CHECK(pair.a.connection.calls_out() == 0);
  CHECK(pair.b.connection.calls_in() == 0);
  const uint64_t id = pair.a.Call("x");
  pair.Run();
  pair.b.connection.Reply(pair.b.TakeOne<MuxCall>().id, 200, Content::kNone, BodyOf(8 * kMiB));
  pair.Move(pair.b, pair.a, &pair.sent_by_b);
  pair.a.connection.Cancel(id);
  pair.Run();
  CHECK(pair.sent_by_b.size() < kMiB);
  CHECK(pair.a.TakeOne<MuxFailure>().outcome == Outcome::kCancelled);
  CHECK(pair.a.connection.calls_out() == 0);
  CHECK(pair.b.connection.calls_in() == 0);
}

TEST_CASE("When the connection is lost every call has one outcome", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  pair.a.Call("executed, perhaps");
  pair.a.Call(BodyOf(100'000));
  const uint64_t cancelled = pair.a.Call("cancelled");
  pair.Run();
  pair.a.connection.Cancel(cancelled);
  const uint64_t half = pair.a.Call(BodyOf(8 * kMiB));
  pair.a.connection.TakeOutput();
  const uint64_t unsent = pair.a.Call("not sent");
  pair.a.connection.StreamEnded(absl::UnavailableError("gone"));
  const auto failures = pair.a.Take<MuxFailure>();
  REQUIRE(failures.size() == 5);
  CHECK(failures[0].outcome == Outcome::kUnknown);
  CHECK(failures[1].outcome == Outcome::kUnknown);
  CHECK(failures[2].outcome == Outcome::kCancelled);
  CHECK(failures[3].id == half);
  CHECK(failures[3].outcome == Outcome::kNotExecuted);
  CHECK(failures[4].id == unsent);
  CHECK(failures[4].outcome == Outcome::kNotExecuted);
  CHECK(pair.a.TakeOne<MuxClosed>().why.message() == "gone");
  // What was called not executed does not go out any more.
  CHECK(pair.a.connection.TakeOutput().empty());
  const auto call = pair.a.connection.StartCall(Content::kNone, "x");
  CHECK(OutcomeOf(call.status()) == Outcome::kNotExecuted);
  // The callee's responders are told to stop.
  pair.b.Take<MuxCall>();
  pair.b.connection.StreamEnded(absl::UnavailableError("gone"));
  CHECK(pair.b.Take<MuxCancel>().size() == 3);
  pair.b.connection.Reply(1, 200, Content::kNone, "late");
  CHECK(pair.b.Take<MuxClosed>().size() == 1);
}

TEST_CASE("GoAway lets what is under way end, refuses the rest, then closes", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  pair.a.Call("under way");
  const uint64_t by_b = pair.b.Call("the other way");
  pair.Run();
  const auto call = pair.b.TakeOne<MuxCall>();
  pair.b.connection.GoAway(GoAwayReason::kShutdown, absl::Seconds(3));
  pair.b.connection.GoAway(GoAwayReason::kShutdown, absl::Seconds(3));
  CHECK(OutcomeOf(pair.b.connection.StartCall(Content::kNone, "").status()) ==
        Outcome::kNotExecuted);
  pair.a.Call("too late, and crosses GoAway");
  pair.a.Call(BodyOf(2 * kMiB));
  pair.Run();
  const auto going = pair.a.TakeOne<MuxGoingAway>();
  CHECK(going.reason == GoAwayReason::kShutdown);
  CHECK(going.retry_after == absl::Seconds(3));
  const auto failures = pair.a.Take<MuxFailure>();
  REQUIRE(failures.size() == 2);
  for (const MuxFailure& failure : failures) {
    CHECK(failure.outcome == Outcome::kNotExecuted);
    CHECK(failure.going_away);
    // That is when to connect anew; the call can go elsewhere.
    CHECK(failure.retry_after == absl::ZeroDuration());
  }
  CHECK_FALSE(pair.a.connection.accepts_calls());
  const absl::Status refused = pair.a.connection.StartCall(Content::kNone, "").status();
  CHECK(OutcomeOf(refused) == Outcome::kNotExecuted);
  CHECK(refused.code() == absl::StatusCode::kAborted);
  CHECK(pair.b.Take<MuxCall>().empty());
  CHECK_FALSE(pair.b.connection.closed());
  pair.b.connection.Reply(call.id, 200, Content::kNone, BodyOf(2 * kMiB));
  pair.Run();
  CHECK(pair.a.TakeOne<MuxReply>().body == BodyOf(2 * kMiB));
  CHECK_FALSE(pair.b.connection.closed());
  CHECK(pair.a.AnswerAll() == 1);
  pair.Run();
  CHECK(pair.b.TakeOne<MuxReply>().id == by_b);
  CHECK(pair.b.TakeOne<MuxClosed>().why == absl::OkStatus());
  pair.a.connection.StreamEnded(absl::OkStatus());
  CHECK(pair.a.TakeOne<MuxClosed>().why == absl::OkStatus());
}

TEST_CASE("A side that is silent is asked, and given up when it stays so", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  CHECK(pair.a.connection.NextTick() == pair.now + absl::Seconds(30));
  pair.Advance(absl::Seconds(29));
  CHECK_FALSE(pair.a.connection.has_output());
  for (int i = 0; i < 10; ++i) {
    pair.Advance(absl::Seconds(31));
    pair.Run();
    CHECK(pair.a.connection.connected());
  }
  pair.a.Call("x");
  pair.a.connection.TakeOutput();
  pair.now += absl::Seconds(30);
  pair.a.connection.Tick(pair.now);
  CHECK(pair.a.connection.has_output());
  CHECK(pair.a.connection.NextTick() == pair.now + absl::Seconds(10));
  pair.a.connection.Tick(pair.now + absl::Seconds(10) - absl::Nanoseconds(1));
  CHECK(pair.a.connection.connected());
  pair.a.connection.Tick(pair.now + absl::Seconds(10));
  CHECK(pair.a.TakeOne<MuxClosed>().why.code() == absl::StatusCode::kUnavailable);
  CHECK(pair.a.TakeOne<MuxFailure>().outcome == Outcome::kUnknown);
  CHECK(pair.a.connection.NextTick() == absl::InfiniteFuture());
}

TEST_CASE("Bytes that become no record are no sign of life", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  pair.a.Call("x");
  std::string record = pair.a.connection.TakeOutput();
  // Its length, which B cannot check before the record is whole.
  record[kRecordHeaderBytes - 2] ^= 1;
  for (size_t i = 0; i < 9; ++i) {
    pair.b.connection.Receive(record.substr(i, 1), pair.now);
    pair.Advance(absl::Seconds(5));
    CHECK(pair.b.Take<MuxClosed>().size() == (i == 7 ? 1 : 0));
  }
}

TEST_CASE("A clock that jumps ahead does not end a connection", "[mux][connection]") {
  MuxPair pair;
  pair.Connect();
  pair.Advance(absl::Hours(24));
  pair.Run();
  pair.Advance(absl::Seconds(20));
  pair.Run();
  CHECK(pair.a.connection.connected());
  CHECK(pair.b.connection.connected());
}

TEST_CASE("A connection whose key is withdrawn is closed, also a busy one", "[mux][connection]") {
  const podkit::testing::TempDir dir;
  const auto write = [&](std::string_view name, std::string_view text) {
    std::ofstream(dir.File(name)) << text;
    std::filesystem::permissions(
        dir.File(name), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  };
  write("old.key", kPairKey);
  write("new.key", kNewPairKey);
  const auto file = [](std::string_view keys) {
    return R"({"pods": [{"id": "B", "hosts": ["http://b:1"]},
               {"id": "A", "hosts": ["http://a:1"], "key_files": [)" +
           std::string(keys) + "]}]}";
  };
  write("pods.json", file(R"("old.key")"));
  HandshakeConfig of_b = IdentityOf("B");
  of_b.pods = podkit::testing::ValueOf(Pods::Load(dir.File("pods.json"), "B"));
  MuxPair pair({}, IdentityOf("A"), of_b);
  pair.Connect();
  const auto wait = [&] {
    for (int i = 0; i < 4; ++i) {
      pair.Advance(absl::Seconds(10));
      pair.a.Call("busy");
      pair.Run();
      pair.b.AnswerAll();
      pair.Run();
    }
  };
  write("pods.json", file(R"("new.key", "old.key")"));
  REQUIRE(of_b.pods->Reload() == absl::OkStatus());
  wait();
  CHECK(pair.b.connection.connected());
  write("pods.json", file(R"("new.key")"));
  REQUIRE(of_b.pods->Reload() == absl::OkStatus());
  pair.Advance(absl::Seconds(30));
  pair.Run();
  CHECK(pair.b.TakeOne<MuxClosed>().why.code() == absl::StatusCode::kUnauthenticated);
  CHECK(pair.a.TakeOne<MuxGoingAway>().reason == GoAwayReason::kKeyWithdrawn);
}

}  // namespace
}  // namespace podkit::conduit::internal
