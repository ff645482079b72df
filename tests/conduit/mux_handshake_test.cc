// Who gets through the handshake of a connection, and who does not: strangers, and people on the
// wire between pods that would.
#include <string>
#include <utility>
#include <vector>

#include "mux/handshake.h"
#include "tests/conduit/mux_pair.h"

namespace podkit::conduit::internal {
namespace {

using podkit::testing::ValueOf;

Handshake DialB(HandshakeConfig of_a) {
  auto target = of_a.pods->Find("B");
  return Handshake::Dial(std::move(of_a), std::move(target));
}

// What each side said.
struct Talk {
  std::string hello;
  std::string answer;
  std::string proof;
};

// Both sides do their best; true if both are done.
bool Shake(Handshake& dialler, Handshake& acceptor, Talk* talk = nullptr) {
  Talk own;
  if (talk == nullptr) talk = &own;
  talk->hello = ValueOf(dialler.Begin());
  auto answer = acceptor.Receive(talk->hello);
  if (!answer.ok()) return false;
  talk->answer = *answer;
  auto proof = dialler.Receive(*answer);
  if (!proof.ok()) return false;
  talk->proof = *proof;
  return acceptor.Receive(*proof).ok() && dialler.done() && acceptor.done();
}

bool Shake(HandshakeConfig of_a, HandshakeConfig of_b) {
  Handshake dialler = DialB(std::move(of_a));
  Handshake acceptor = Handshake::Accept(std::move(of_b));
  return Shake(dialler, acceptor);
}

bool Refused(absl::StatusOr<std::string> answer) {
  return answer.status().code() == absl::StatusCode::kUnauthenticated;
}

TEST_CASE("A handshake tells each side who the other one is, and gives both the same keys",
          "[mux][handshake]") {
  Handshake a = DialB(IdentityOf("A"));
  Handshake b = Handshake::Accept(IdentityOf("B"));
  Talk talk;
  REQUIRE(Shake(a, b, &talk));
  for (const std::string& message : {talk.hello, talk.answer, talk.proof}) {
    CHECK(message.size() <= kMaxHandshakeBytes);
    // Nobody on the wire learns more than which pods talk.
    CHECK(message.find("host-of-") == std::string::npos);
    CHECK(message.find(kPairKey) == std::string::npos);
  }
  const MuxPeer peer_of_a = a.TakePeer();
  CHECK(peer_of_a.pod->id == "B");
  CHECK(peer_of_a.host_name == "host-of-B");
  CHECK(peer_of_a.software_version == "1.2");
  CHECK(peer_of_a.version == 1);
  const MuxPeer peer_of_b = b.TakePeer();
  CHECK(peer_of_b.pod->id == "A");
  CHECK(peer_of_b.host_name == "host-of-A");
  const ConnectionKeys keys_of_a = a.TakeKeys();
  const ConnectionKeys keys_of_b = b.TakeKeys();
  CHECK(keys_of_a.send.key == keys_of_b.receive.key);
  CHECK(keys_of_a.send.iv == keys_of_b.receive.iv);
  CHECK(keys_of_a.receive.key == keys_of_b.send.key);
  CHECK(keys_of_a.send.key != keys_of_a.receive.key);
  CHECK(keys_of_a.send.key.size() == kCipherKeyBytes);
}

TEST_CASE("Every handshake has keys of its own", "[mux][handshake]") {
  std::vector<std::string> keys;
  for (int i = 0; i < 2; ++i) {
    Handshake a = DialB(IdentityOf("A"));
    Handshake b = Handshake::Accept(IdentityOf("B"));
    REQUIRE(Shake(a, b));
    keys.push_back(a.TakeKeys().send.key);
  }
  CHECK(keys[0] != keys[1]);
}

TEST_CASE("Names are cut to what a handshake has room for", "[mux][handshake]") {
  HandshakeConfig of_a = IdentityOf("A");
  of_a.host_name = std::string(1000, 'n');
  Handshake a = DialB(of_a);
  Handshake b = Handshake::Accept(IdentityOf("B"));
  REQUIRE(Shake(a, b));
  CHECK(b.TakePeer().host_name == std::string(kMaxNameBytes, 'n'));
  of_a.host_name = "evil\nline";  // Names end up in logs.
  CHECK_FALSE(Shake(of_a, IdentityOf("B")));
}

TEST_CASE("A key can be rotated without a moment in which pods do not meet", "[mux][handshake]") {
  const std::string old_key = kPairKey;
  const std::string new_key = kNewPairKey;
  const std::vector<std::vector<std::string>> steps = {
      {old_key}, {old_key, new_key}, {new_key, old_key}, {new_key}};
  for (size_t step = 0; step < steps.size(); ++step) {
    CHECK(Shake(IdentityOf("A", steps[step]), IdentityOf("B", steps[step])));
    if (step == 0) continue;
    CHECK(Shake(IdentityOf("A", steps[step]), IdentityOf("B", steps[step - 1])));
    CHECK(Shake(IdentityOf("A", steps[step - 1]), IdentityOf("B", steps[step])));
  }
  CHECK_FALSE(Shake(IdentityOf("A", {old_key}), IdentityOf("B", {new_key})));
  CHECK_FALSE(Shake(IdentityOf("A", {new_key}), IdentityOf("B", {old_key})));
}

TEST_CASE("Without the key of the pair nobody gets an answer", "[mux][handshake]") {
  Handshake b = Handshake::Accept(IdentityOf("B"));
  const std::string hello = ValueOf(DialB(IdentityOf("A", {kNewPairKey})).Begin());
  const auto answer = b.Receive(hello);
  CHECK(Refused(answer));
  // The own log says who it might have been.
  CHECK(std::string(answer.status().message()).find("'A'") != std::string::npos);
  // Not even with a second, right one.
  CHECK(Refused(b.Receive(ValueOf(DialB(IdentityOf("A")).Begin()))));
}

TEST_CASE("Who is not listed, or is this pod itself, gets no answer", "[mux][handshake]") {
  const auto hello_of = [](std::string caller) {
    auto pods = ValueOf(Pods::Create(
        {Pod{.id = caller, .keys = {kPairKey}}, Pod{.id = "B", .keys = {kPairKey}}}, caller));
    return ValueOf(DialB({.pods = std::move(pods)}).Begin());
  };
  for (const char* caller : {"X", "C"}) {
    CHECK(Refused(Handshake::Accept(IdentityOf("B")).Receive(hello_of(caller))));
  }
  // Pod A's own hello comes back to it: from a mirror, or as if pod A called itself.
  Handshake a = DialB(IdentityOf("A"));
  const std::string own = ValueOf(a.Begin());
  CHECK(Refused(Handshake::Accept(IdentityOf("A")).Receive(own)));
  CHECK(Refused(a.Receive(own)));
}

TEST_CASE("A mirror of what this side sends proves nothing", "[mux][handshake]") {
  Handshake a = DialB(IdentityOf("A"));
  Handshake b = Handshake::Accept(IdentityOf("B"));
  const std::string hello = ValueOf(a.Begin());
  const std::string answer = ValueOf(b.Receive(hello));
  CHECK(Refused(b.Receive(answer)));
  Handshake c = Handshake::Accept(IdentityOf("B"));
  const std::string other_answer = ValueOf(c.Receive(hello));
  // The acceptor's proof sent back in the place of the dialler's.
  CHECK(Refused(c.Receive("\x03" + other_answer.substr(2 + 32 + 32))));
}

TEST_CASE("A hello that is relayed to another pod is refused there", "[mux][handshake]") {
  const std::string hello = ValueOf(DialB(IdentityOf("A")).Begin());
  const auto answer = Handshake::Accept(IdentityOf("C")).Receive(hello);
  CHECK(Refused(answer));
  // Even where all three, against the rules, share a key.
  auto careless = ValueOf(Pods::Create(
      {Pod{.id = "A", .keys = {kPairKey}}, Pod{.id = "C", .keys = {kNewPairKey}}}, "C"));
  CHECK(Refused(Handshake::Accept({.pods = careless}).Receive(hello)));
}

TEST_CASE("A recorded handshake cannot be played again", "[mux][handshake]") {
  Talk talk;
  {
    Handshake a = DialB(IdentityOf("A"));
    Handshake b = Handshake::Accept(IdentityOf("B"));
    REQUIRE(Shake(a, b, &talk));
  }
  Handshake b = Handshake::Accept(IdentityOf("B"));
  const std::string answer = ValueOf(b.Receive(talk.hello));
  CHECK(answer != talk.answer);
  CHECK(Refused(b.Receive(talk.proof)));
  CHECK_FALSE(b.done());
  Handshake a = DialB(IdentityOf("A"));
  ValueOf(a.Begin());
  CHECK(Refused(a.Receive(talk.answer)));
}

TEST_CASE("Two connections of the same pods cannot be crossed", "[mux][handshake]") {
  Handshake a1 = DialB(IdentityOf("A"));
  Handshake a2 = DialB(IdentityOf("A"));
  Handshake b1 = Handshake::Accept(IdentityOf("B"));
  Handshake b2 = Handshake::Accept(IdentityOf("B"));
  const std::string answer1 = ValueOf(b1.Receive(ValueOf(a1.Begin())));
  const std::string answer2 = ValueOf(b2.Receive(ValueOf(a2.Begin())));
  const std::string proof1 = ValueOf(a1.Receive(answer1));
  CHECK(Refused(b2.Receive(proof1)));
  CHECK(Refused(DialB(IdentityOf("A")).Receive(answer2)));
}

TEST_CASE("Whoever sits in the middle of two TLS sessions is noticed", "[mux][handshake]") {
  HandshakeConfig of_a = IdentityOf("A");
  HandshakeConfig of_b = IdentityOf("B");
  of_a.channel_binding = std::string(32, 'a');
  of_b.channel_binding = std::string(32, 'b');
  CHECK_FALSE(Shake(of_a, of_b));
  of_b.channel_binding = of_a.channel_binding;
  CHECK(Shake(of_a, of_b));
  of_b.channel_binding.clear();  // The middle takes the TLS away.
  CHECK_FALSE(Shake(of_a, of_b));
}

TEST_CASE("Both sides take the highest version that they share, and nobody talks them down",
          "[mux][handshake]") {
  HandshakeConfig of_a = IdentityOf("A");
  HandshakeConfig of_b = IdentityOf("B");
  of_a.max_version = 3;
  of_b.max_version = 2;
  Handshake a = DialB(of_a);
  Handshake b = Handshake::Accept(of_b);
  REQUIRE(Shake(a, b));
  CHECK(a.TakePeer().version == 2);
  CHECK(b.TakePeer().version == 2);
  // Someone on the wire lowers the offer, or the choice.
  std::string hello = ValueOf(DialB(of_a).Begin());
  hello[2] = 1;
  CHECK(Refused(Handshake::Accept(of_b).Receive(hello)));
  Handshake dialler = DialB(of_a);
  std::string answer = ValueOf(Handshake::Accept(of_b).Receive(ValueOf(dialler.Begin())));
  REQUIRE(answer[1] == 2);
  answer[1] = 1;
  CHECK(Refused(dialler.Receive(answer)));
  // No version in common.
  of_a.min_version = 3;
  CHECK_FALSE(Shake(of_a, of_b));
  // A choice that was not offered.
  Handshake strict = DialB(IdentityOf("A"));
  std::string choice = ValueOf(Handshake::Accept(of_b).Receive(ValueOf(strict.Begin())));
  choice[1] = 2;
  CHECK(Refused(strict.Receive(choice)));
}

TEST_CASE("Not one bit of a handshake can be changed, and not one byte left out",
          "[mux][handshake]") {
  const auto changed = [](std::string text, size_t at) {
    text[at] = static_cast<char>(text[at] ^ 0x40);
    return text;
  };
  const std::string hello = ValueOf(DialB(IdentityOf("A")).Begin());
  for (size_t i = 0; i < hello.size(); ++i) {
    CHECK(Refused(Handshake::Accept(IdentityOf("B")).Receive(changed(hello, i))));
    CHECK(Refused(Handshake::Accept(IdentityOf("B")).Receive(hello.substr(0, i))));
  }
  CHECK(Refused(Handshake::Accept(IdentityOf("B")).Receive(hello + '\0')));
  size_t size = 1;
  for (size_t i = 0; i < size; ++i) {
    Handshake a = DialB(IdentityOf("A"));
    const std::string answer =
        ValueOf(Handshake::Accept(IdentityOf("B")).Receive(ValueOf(a.Begin())));
    size = answer.size();
    CHECK(Refused(a.Receive(i % 2 == 0 ? changed(answer, i) : answer.substr(0, i))));
  }
  size = 1;
  for (size_t i = 0; i < size; ++i) {
    Handshake a = DialB(IdentityOf("A"));
    Handshake b = Handshake::Accept(IdentityOf("B"));
    const std::string proof = ValueOf(a.Receive(ValueOf(b.Receive(ValueOf(a.Begin())))));
    size = proof.size();
    CHECK(Refused(b.Receive(i % 2 == 0 ? changed(proof, i) : proof.substr(0, i))));
    CHECK_FALSE(b.done());
  }
}

TEST_CASE("A public key that makes the secret known is refused", "[mux][handshake]") {
  const EphemeralKey key = ValueOf(EphemeralKey::Create());
  std::string one(kPublicKeyBytes, '\0');
  CHECK(key.Agree(one).status().code() == absl::StatusCode::kInvalidArgument);
  one[0] = 1;
  CHECK(key.Agree(one).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(key.Agree("short").status().code() == absl::StatusCode::kInvalidArgument);
  const EphemeralKey other = ValueOf(EphemeralKey::Create());
  CHECK(ValueOf(key.Agree(other.public_key())) == ValueOf(other.Agree(key.public_key())));
}

TEST_CASE("Keys are derived as RFC 5869 says", "[mux][handshake]") {
  // Its first test case; a key of ours is the first 32 bytes.
  std::string salt;
  for (char byte = 0; byte <= 0x0c; ++byte) salt += byte;
  const std::string secret = ExtractSecret(salt, std::string(22, '\x0b'));
  std::string info;
  for (int byte = 0xf0; byte <= 0xf9; ++byte) info += static_cast<char>(byte);
  CHECK(secret.substr(0, 4) == "\x07\x77\x09\x36");
  CHECK(ExpandKey(secret, info).substr(0, 4) == "\x3c\xb2\x5f\x25");
}

TEST_CASE("A pod does not dial itself, nor one that it has no key for", "[mux][handshake]") {
  HandshakeConfig of_a = IdentityOf("A");
  CHECK(Refused(Handshake::Dial(of_a, of_a.pods->Find("A")).Begin()));
  CHECK(Refused(Handshake::Dial(of_a, std::make_shared<const Pod>(Pod{.id = "D"})).Begin()));
}

}  // namespace
}  // namespace podkit::conduit::internal
