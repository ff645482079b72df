// What stands between a pod and somebody who can read, change, drop and repeat its messages.
#include <functional>

#include "authenticator.h"
#include "cheese.h"
#include "hmac.h"
#include "sync_transport.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

// Delivers to a receiver, through the hands of somebody in the middle.
class Middle final : public SyncTransport {
 public:
  std::function<WireReply(const WireRequest&)> receiver;
  std::function<void(WireRequest&)> change_request = [](WireRequest&) {};
  std::function<void(WireReply&)> change_reply = [](WireReply&) {};
  std::vector<WireRequest> requests;  // As they were sent.
  std::vector<WireReply> replies;     // As they were answered.

  absl::StatusOr<WireReply> Exchange(const WireRequest& request) override {
    requests.push_back(request);
    WireRequest changed = request;
    change_request(changed);
    WireReply reply = receiver(changed);
    replies.push_back(reply);
    change_reply(reply);
    return reply;
  }
};

// A calls B through the middle; what B executed is counted.
struct Wire {
  podkit::testing::FakeClock clock;
  LogLines log;
  Middle middle;
  Conduit a;
  Conduit b;
  int executed = 0;

  explicit Wire(const std::vector<std::string>& keys_of_a = {kKey},
                const std::vector<std::string>& keys_of_b = {kKey})
      : a(PodsOf("A", keys_of_a), &middle, {.meet_hosts = false, .now = clock.function()}),
        b(PodsOf("B", keys_of_b), &middle,
          {.meet_hosts = false, .now = clock.function(), .log = log.sink()}) {
    middle.receiver = [this](const WireRequest& request) { return b.Receive(request); };
    b.Handle<Echo>(
        [this](const CallContext&, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
          ++executed;
          return std::get<0>(arguments);
        });
  }

  absl::Status Call(std::string text = "hello") {
    return a.Call<Echo>("B", {Bytes{std::move(text)}}, {.max_attempts = 1}).status();
  }
  bool Refuses(const WireRequest& request) {
    const int before = executed;
    const WireReply reply = b.Receive(request);
    return reply.status == 403 && reply.body.empty() && reply.authorization.empty() &&
           reply.content_type.empty() && executed == before;
  }
  // A request that A signed and B never got.
  WireRequest Unsent() {
    const auto receiver =
        std::exchange(middle.receiver, [](const WireRequest&) { return WireReply{.status = 500}; });
    CHECK_FALSE(Call().ok());
    middle.receiver = receiver;
    return middle.requests.back();
  }
};

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("HMAC-SHA256 gives the values of RFC 4231", "[conduit][authentication]") {
  const auto key = ValueOf(internal::HmacKey::Create("Jefe"));
  const std::string expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  CHECK(ValueOf(key.Sign({"what do ya want ", "for nothing?"})) == expected);
  CHECK(ValueOf(key.Sign({"what do ya want for nothing?", ""})) == expected);
  const auto long_key = ValueOf(internal::HmacKey::Create(std::string(131, '\xaa')));
  CHECK(ValueOf(long_key.Sign({"Test Using Larger Than Block-Size Key - Hash Key First"})) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(internal::EqualInConstantTime("abc", "abc"));
  CHECK_FALSE(internal::EqualInConstantTime("abc", "abd"));
  CHECK_FALSE(internal::EqualInConstantTime("abc", "ab"));
  CHECK(internal::RandomHex(8).size() == 16);
  CHECK(internal::RandomHex(8) != internal::RandomHex(8));
}

TEST_CASE("The header and its signature are as the protocol page says",
          "[conduit][authentication]") {
  Wire wire;
  REQUIRE(wire.Call() == absl::OkStatus());
  const WireRequest& request = wire.middle.requests[0];
  CHECK(request.body ==
        R"({"action":"echo","timeout_ms":10000,"arguments":["hello"],"keywords":{}})");
  const std::string prefix = "Podkit-HMAC-SHA256 caller=A, target=B, time=1700000000000, nonce=";
  REQUIRE(request.authorization.starts_with(prefix));
  const std::string nonce = request.authorization.substr(prefix.size(), 32);
  CHECK(nonce.ends_with("0000000000000001"));
  const auto key = ValueOf(internal::HmacKey::Create(kKey));
  const std::string signature = ValueOf(key.Sign(
      {"podkit-request-1\nA\nB\n1700000000000\n" + nonce + "\napplication/json\n" + request.body}));
  CHECK(request.authorization == prefix + nonce + ", signature=" + signature);
  const WireReply& reply = wire.middle.replies[0];
  CHECK(reply.body == R"({"result":"ok","value":"hello"})");
  CHECK(reply.authorization == "Podkit-HMAC-SHA256 signature=" +
                                   ValueOf(key.Sign({"podkit-reply-1\n" + signature +
                                                     "\n200\napplication/json\n" + reply.body})));
  REQUIRE(wire.Call() == absl::OkStatus());
  CHECK(wire.middle.requests[1].authorization.find(nonce.substr(0, 16) + "0000000000000002") !=
        std::string::npos);
}

TEST_CASE("A request of which anything was changed is refused", "[conduit][authentication]") {
  Wire wire;
  const WireRequest good = wire.Unsent();
  WireRequest changed = good;
  SECTION("body") { changed.body = Replaced(good.body, "hello", "hullo"); }
  SECTION("longer body") { changed.body += " "; }
  SECTION("content type") { changed.content_type = "application/json; charset=utf-8"; }
  SECTION("a line feed moved from the content type into the body") {
    changed.content_type += "\n{";
    changed.body.erase(0, 1);
  }
  SECTION("time") {
    changed.authorization =
        Replaced(good.authorization, "time=1700000000000", "time=1700000000001");
  }
  SECTION("nonce") {
    changed.authorization = Replaced(good.authorization, "0000000001, ", "0000000002, ");
  }
  SECTION("target") {
    changed.authorization = Replaced(good.authorization, "target=B", "target=A");
  }
  SECTION("caller") {
    changed.authorization = Replaced(good.authorization, "caller=A", "caller=B");
  }
  SECTION("a caller that is not listed") {
    changed.authorization = Replaced(good.authorization, "caller=A", "caller=C");
  }
  SECTION("signature") {
    char& last = changed.authorization.back();
    last = last == '0' ? '1' : '0';
  }
  SECTION("signature in capital letters") {
    const size_t at = good.authorization.find("signature=") + 10;
    for (size_t i = at; i < changed.authorization.size(); ++i) {
      changed.authorization[i] = static_cast<char>(std::toupper(changed.authorization[i]));
    }
  }
  SECTION("signature left out") {
    changed.authorization.resize(good.authorization.find(", signature="));
  }
  SECTION("a parameter more") { changed.authorization += ", x=y"; }
  SECTION("another scheme") {
    changed.authorization =
        Replaced(good.authorization, "Podkit-HMAC-SHA256", "podkit-hmac-sha256");
  }
  CHECK(wire.Refuses(changed));
  // Nothing of that used up the request itself.
  CHECK(wire.b.Receive(good).status == 200);
  CHECK(wire.executed == 1);
}

TEST_CASE("A request is taken once", "[conduit][authentication][replay]") {
  Wire wire;
  REQUIRE(wire.Call() == absl::OkStatus());
  CHECK(wire.Refuses(wire.middle.requests[0]));
  wire.clock.Advance(absl::Seconds(59));
  CHECK(wire.Refuses(wire.middle.requests[0]));
  wire.clock.Advance(absl::Hours(1));
  CHECK(wire.Refuses(wire.middle.requests[0]));
  REQUIRE(wire.Call() == absl::OkStatus());
  CHECK(wire.Refuses(wire.middle.requests[0]));
  CHECK(wire.Refuses(wire.middle.requests[1]));
  CHECK(wire.executed == 2);
}

TEST_CASE("A request that was delayed is taken only within the clock skew",
          "[conduit][authentication][replay]") {
  Wire wire;
  const WireRequest early = wire.Unsent();
  const WireRequest late = wire.Unsent();
  wire.clock.Advance(absl::Seconds(60));
  CHECK(wire.b.Receive(early).status == 200);
  wire.clock.Advance(absl::Milliseconds(1));
  CHECK(wire.Refuses(late));
}

TEST_CASE("Pods whose clocks differ too much do not talk", "[conduit][authentication]") {
  podkit::testing::FakeClock other_clock(absl::FromUnixSeconds(1'700'000'000) + absl::Seconds(61));
  Wire wire;
  Conduit ahead(PodsOf("A"), &wire.middle, {.meet_hosts = false, .now = other_clock.function()});
  const absl::Status status = ahead.Call<Ping>("B").status();
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(status.ToString().find("clocks") != std::string::npos);
  CHECK(wire.log.Contain("it is from pod 'A' and was sent 1m1s away from this pod's clock"));
  other_clock.Advance(absl::Seconds(-1));
  CHECK(ahead.Call<Ping>("B").status() == absl::OkStatus());
}

TEST_CASE("A pod that restarted refuses what it may have taken before",
          "[conduit][authentication][replay]") {
  Wire wire;
  REQUIRE(wire.Call() == absl::OkStatus());
  wire.clock.Advance(absl::Seconds(1));
  Conduit restarted(PodsOf("B"), &wire.middle, {.meet_hosts = false, .now = wire.clock.function()});
  CHECK(restarted.Receive(wire.middle.requests[0]).status == 403);
  wire.middle.receiver = [&](const WireRequest& request) { return restarted.Receive(request); };
  CHECK(wire.a.Call<Ping>("B").status() == absl::OkStatus());
}

TEST_CASE("A pod with another key is not accepted, and learns nothing",
          "[conduit][authentication]") {
  Wire wire({kOtherKey}, {kKey});
  const absl::Status status = wire.Call();
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(status.ToString().find("pod 'B' does not accept our signature") != std::string::npos);
  CHECK(wire.middle.replies[0].status == 403);
  CHECK(wire.middle.replies[0].body.empty());
  CHECK(wire.log.Contain("from pod 'A' and is not signed with a key of ours"));
  CHECK_FALSE(wire.log.Contain(kKey));
  CHECK_FALSE(wire.log.Contain(kOtherKey));
  CHECK(wire.executed == 0);
}

TEST_CASE("Pods talk in every phase of a rotation of their key", "[conduit][authentication]") {
  using Keys = std::vector<std::string>;
  const Keys phases[] = {{kKey}, {kKey, kOtherKey}, {kOtherKey, kKey}, {kOtherKey}};
  for (size_t i = 0; i < 4; ++i) {
    // Both pods in one phase, or one of them a phase ahead.
    for (size_t j = i; j < std::min<size_t>(i + 2, 4); ++j) {
      CHECK(Wire(phases[i], phases[j]).Call() == absl::OkStatus());
      CHECK(Wire(phases[j], phases[i]).Call() == absl::OkStatus());
    }
  }
  CHECK_FALSE(Wire(phases[0], phases[3]).Call().ok());
}

TEST_CASE("A key that is withdrawn stops working at once", "[conduit][authentication]") {
  podkit::testing::FakeClock clock;
  internal::Authenticator a(PodsOf("A", {kKey}), absl::Seconds(60), clock.Now());
  internal::Authenticator b(PodsOf("B", {kOtherKey, kKey}), absl::Seconds(60), clock.Now());
  internal::Authenticator b_later(PodsOf("B", {kOtherKey}), absl::Seconds(60), clock.Now());
  WireRequest request{.content_type = "application/json", .body = "{}"};
  REQUIRE(a.SignRequest(PodsOf("A", {kKey})->Find("B"), clock.Now(), request).ok());
  CHECK(b.VerifyRequest(request, clock.Now()).status() == absl::OkStatus());
  CHECK(b_later.VerifyRequest(request, clock.Now()).status().code() ==
        absl::StatusCode::kUnauthenticated);
}

TEST_CASE("A request that comes back to its caller is refused", "[conduit][authentication]") {
  Wire wire;
  const WireRequest request = wire.Unsent();
  CHECK(wire.a.Receive(request).status == 403);
  // Neither does a request pass for a reply to itself.
  wire.middle.receiver = [](const WireRequest& got) {
    return WireReply{.status = 200,
                     .content_type = got.content_type,
                     .authorization = Replaced(got.authorization, "caller=", "signature="),
                     .body = got.body};
  };
  CHECK(OutcomeOf(wire.Call()) == Outcome::kUnknown);
}

TEST_CASE("A reply of which anything was changed leaves the outcome unknown",
          "[conduit][authentication]") {
  Wire wire;
  SECTION("body") {
    wire.middle.change_reply = [](WireReply& reply) {
      reply.body = Replaced(reply.body, "hello", "hullo");
    };
  }
  SECTION("status") {
    wire.middle.change_reply = [](WireReply& reply) { reply.status = 400; };
  }
  SECTION("content type") {
    wire.middle.change_reply = [](WireReply& reply) { reply.content_type += ";x"; };
  }
  SECTION("no signature") {
    wire.middle.change_reply = [](WireReply& reply) { reply.authorization.clear(); };
  }
  SECTION("half a signature") {
    wire.middle.change_reply = [](WireReply& reply) { reply.authorization.pop_back(); };
  }
  SECTION("forged from nothing") {
    wire.middle.change_reply = [](WireReply& reply) {
      const auto key = ValueOf(internal::HmacKey::Create(kOtherKey));
      reply.authorization = "Podkit-HMAC-SHA256 signature=" + ValueOf(key.Sign({reply.body}));
    };
  }
  const absl::Status status = wire.Call();
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(status.ToString().find("pod 'B'") != std::string::npos);
  CHECK(wire.executed == 1);
}

TEST_CASE("The reply to another request is not taken", "[conduit][authentication]") {
  Wire wire;
  REQUIRE(wire.Call("yes") == absl::OkStatus());
  wire.middle.change_reply = [&](WireReply& reply) { reply = wire.middle.replies[0]; };
  CHECK(OutcomeOf(wire.Call("no")) == Outcome::kUnknown);
}

TEST_CASE("An unsigned answer proves nothing, whatever its status", "[conduit][authentication]") {
  Wire wire;
  const auto answer = [&](int status) {
    wire.middle.change_reply = [status](WireReply& reply) {
      reply = WireReply{.status = status, .body = R"({"result":"ok","value":"forged"})"};
    };
    return wire.Call();
  };
  for (const int status : {200, 302, 400, 403, 404, 413, 500, 503}) {
    CHECK(OutcomeOf(answer(status)) == Outcome::kUnknown);
  }
  CHECK(answer(503).ToString().find("HTTP status 503 and no signature") != std::string::npos);
  CHECK(GetError<BodyTooLarge>(answer(413)));
  CHECK(answer(413).ToString().find("unsigned") != std::string::npos);
}

TEST_CASE("An authentic reply that makes no sense leaves the outcome unknown",
          "[conduit][authentication]") {
  podkit::testing::FakeClock clock;
  internal::Authenticator b(PodsOf("B"), absl::Seconds(60), clock.Now());
  Middle middle;
  Conduit a(PodsOf("A"), &middle, {.meet_hosts = false, .now = clock.function()});
  const auto call = [&](std::string body, std::string content_type = "application/json") {
    middle.receiver = [&](const WireRequest& request) {
      const auto exchange = ValueOf(b.VerifyRequest(request, clock.Now()));
      WireReply reply{.content_type = content_type, .body = body};
      CHECK(internal::Authenticator::SignReply(exchange, reply) == absl::OkStatus());
      return reply;
    };
    return a.Call<Echo>("B", {Bytes{}}).status();
  };
  for (const char* body :
       {"", "{", "[]", "{}", R"({"result":"maybe"})", R"({"result":"exception"})",
        R"({"result":"exception","class":7})", R"({"result":"exception","class":"a\nb"})",
        R"({"result":"ok"})", R"({"result":"ok","value":7})"}) {
    CAPTURE(body);
    CHECK(OutcomeOf(call(body)) == Outcome::kUnknown);
  }
  CHECK(OutcomeOf(call(R"({"result":"ok","value":""})", "text/plain")) == Outcome::kUnknown);
  CHECK(call(R"({"result":"ok","value":""})") == absl::OkStatus());
  // An error from a newer pod: what is not known is kept for the caller.
  const absl::Status newer =
      call(R"({"result":"exception","class":"TooMature","code":"ripe","fields":{"days":9}})");
  CHECK(OutcomeOf(newer) == Outcome::kDeclaredError);
  CHECK(newer.code() == absl::StatusCode::kUnknown);
  CHECK(ErrorClass(newer) == "TooMature");
  CHECK(ErrorFieldsJson(newer) == R"({"days":9})");
  CHECK_FALSE(call(R"({"result":"exception","class":"TooMature","code":"ok"})").ok());
}

TEST_CASE("A failure of the transport keeps what it says about the call",
          "[conduit][authentication]") {
  class Broken final : public SyncTransport {
   public:
    absl::Status failure;
    absl::StatusOr<WireReply> Exchange(const WireRequest&) override { return failure; }
  };
  Broken broken;
  Conduit a(PodsOf("A"), &broken, {.meet_hosts = false});
  for (const Outcome outcome : {Outcome::kNotExecuted, Outcome::kUnknown, Outcome::kTimedOut}) {
    broken.failure = TransportError(outcome, "x");
    CHECK(OutcomeOf(a.Call<Ping>("B").status()) == outcome);
  }
  broken.failure = absl::InternalError("a transport that says nothing");
  CHECK(OutcomeOf(a.Call<Ping>("B").status()) == Outcome::kUnknown);
}

}  // namespace podkit::conduit
