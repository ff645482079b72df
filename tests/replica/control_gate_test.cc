#include "control_gate.h"

#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"

namespace podkit::replica {
namespace {

constexpr auto kUnauthenticated = absl::StatusCode::kUnauthenticated;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

struct Bed {
  testing::FakeClock clock;
  SigningKey key = testing::ValueOf(SigningKey::FromSeed(std::string(32, 'a')));
  SigningKey other_key = testing::ValueOf(SigningKey::FromSeed(std::string(32, 'b')));
  ControlGate gate{"g1", {}, absl::Minutes(5), clock.Now(), WritersWith({key.public_key()})};
  int next_nonce = 0;

  static std::shared_ptr<const Writers> WritersWith(std::vector<PublicKey> keys) {
    return testing::ValueOf(Writers::Create(
        {{.id = "ann", .keys = std::move(keys), .grants = {{.volume = "v", .put = true}}}}));
  }

  ControlMessage Message() {
    return {
        .gateway = "g1",
        .volume = "v",
        .sent = clock.Now(),
        .nonce = std::to_string(next_nonce++),
        .chunks = {{.name = {.volume = "v", .file = "f"}, .hash = HashOf(""), .has_hash = true}}};
  }
  std::string Signed(const ControlMessage& message, std::string_view writer = "ann") const {
    return key.SignText(SignedFor::kRequest, writer, EncodeControl(message));
  }
  absl::StatusCode Admit(std::string_view part) {
    return gate.Admit(part, clock.Now()).status().code();
  }
};

}  // namespace

TEST_CASE("A signed request is taken once", "[replica][gate]") {
  Bed bed;
  const std::string part = bed.Signed(bed.Message());
  const auto admitted = testing::ValueOf(bed.gate.Admit(part, bed.clock.Now()));
  CHECK(admitted.writer == "ann");
  CHECK(admitted.message.volume == "v");
  CHECK(admitted.request == HashOf(part.substr(part.find('\n') + 1)));
  CHECK(bed.Admit(part) == kUnauthenticated);
  bed.clock.Advance(absl::Minutes(5));
  CHECK(bed.Admit(part) == kUnauthenticated);
  bed.clock.Advance(absl::Hours(1));
  CHECK(bed.Admit(part) == kUnauthenticated);
  CHECK(bed.Admit(bed.Signed(bed.Message())) == absl::StatusCode::kOk);
}

TEST_CASE("What is not signed exactly like this is refused", "[replica][gate]") {
  Bed bed;
  const std::string part = bed.Signed(bed.Message());
  for (size_t i = 0; i < part.size(); ++i) {
    std::string changed = part;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CAPTURE(i);
    CHECK(bed.Admit(changed) == kUnauthenticated);
  }
  CHECK(bed.Admit(part + " ") == kUnauthenticated);
  CHECK(bed.Admit("") == kUnauthenticated);
  CHECK(bed.Admit(bed.Signed(bed.Message(), "bob")) == kUnauthenticated);
  const std::string json = EncodeControl(bed.Message());
  CHECK(bed.Admit(bed.key.SignText(SignedFor::kReply, "ann", json)) == kUnauthenticated);
  CHECK(bed.Admit(bed.other_key.SignText(SignedFor::kRequest, "ann", json)) == kUnauthenticated);
  CHECK(bed.Admit(part) == absl::StatusCode::kOk);
}

TEST_CASE("A request for another gateway, time or right is refused", "[replica][gate]") {
  Bed bed;
  ControlMessage message = bed.Message();
  message.gateway = "g2";
  CHECK(bed.Admit(bed.Signed(message)) == kUnauthenticated);
  message = bed.Message();
  message.sent += absl::Minutes(6);
  CHECK(bed.Admit(bed.Signed(message)) == kUnauthenticated);
  message.sent -= absl::Minutes(7);  // Fresh, but from before the gateway started.
  CHECK(bed.Admit(bed.Signed(message)) == kUnauthenticated);
  message = bed.Message();
  message.operation = Operation::kDelete;
  CHECK(bed.Admit(bed.Signed(message)) == kDenied);
  message = bed.Message();
  message.volume = "w";
  CHECK(bed.Admit(bed.Signed(message)) == kDenied);
  CHECK(bed.Admit(bed.key.SignText(SignedFor::kRequest, "ann", "{}")) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A key is rotated without a refused request", "[replica][gate]") {
  Bed bed;
  const auto with_new_key = [&] {
    return bed.other_key.SignText(SignedFor::kRequest, "ann", EncodeControl(bed.Message()));
  };
  CHECK(bed.Admit(with_new_key()) == kUnauthenticated);
  bed.gate.SetWriters(Bed::WritersWith({bed.key.public_key(), bed.other_key.public_key()}));
  CHECK(bed.Admit(with_new_key()) == absl::StatusCode::kOk);
  CHECK(bed.Admit(bed.Signed(bed.Message())) == absl::StatusCode::kOk);
  bed.gate.SetWriters(Bed::WritersWith({bed.other_key.public_key()}));
  CHECK(bed.Admit(with_new_key()) == absl::StatusCode::kOk);
  CHECK(bed.Admit(bed.Signed(bed.Message())) == kUnauthenticated);
}

TEST_CASE("ReplayWindow refuses what it cannot remember", "[replica][gate]") {
  const absl::Time start = absl::FromUnixSeconds(1'700'000'000);
  ReplayWindow window(absl::Minutes(5), start, 2);
  CHECK(window.Take(HashOf("a"), start, start) == absl::OkStatus());
  CHECK(window.Take(HashOf("b"), start, start) == absl::OkStatus());
  CHECK(window.Take(HashOf("c"), start, start).code() == absl::StatusCode::kUnavailable);
  const absl::Time later = start + absl::Minutes(11);
  CHECK(window.Take(HashOf("c"), later, later) == absl::OkStatus());
}

TEST_CASE("Reading a private volume needs a signature", "[replica][gate]") {
  Bed bed;
  constexpr std::string_view kPath = "/DATA/v/.f.0/0.0";
  const auto read = [&](std::string_view method, std::string_view path, std::string_view header) {
    return bed.gate.AdmitRead(method, path, "v", header, bed.clock.Now()).code();
  };
  const std::string header = AuthorizeRead(bed.key, "ann", "GET", kPath, bed.clock.Now());
  CHECK(read("GET", kPath, header) == kDenied);  // Ann may put, and not read.
  bed.gate.SetWriters(testing::ValueOf(Writers::Create(
      {{.id = "ann", .keys = {bed.key.public_key()}, .grants = {{.volume = "v", .read = true}}}})));
  CHECK(read("GET", kPath, header) == absl::StatusCode::kOk);
  CHECK(read("GET", kPath, header) == absl::StatusCode::kOk);
  CHECK(read("HEAD", kPath, header) == kUnauthenticated);
  CHECK(read("GET", "/DATA/v/.g.0/0.0", header) == kUnauthenticated);
  CHECK(read("GET", kPath, "") == kUnauthenticated);
  CHECK(read("GET", kPath, header + "0") == kUnauthenticated);
  bed.clock.Advance(absl::Minutes(6));
  CHECK(read("GET", kPath, header) == kUnauthenticated);
}

TEST_CASE("Writers refuses what cannot be meant", "[replica][gate]") {
  const PublicKey key = SigningKey::Generate().public_key();
  const auto create = [](std::vector<Writer> writers) {
    return Writers::Create(std::move(writers)).status().code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  CHECK(create({{.id = "a", .keys = {key}}}) == absl::StatusCode::kOk);
  CHECK(create({{.id = "a b", .keys = {key}}}) == kInvalid);
  CHECK(create({{.id = "a"}}) == kInvalid);
  CHECK(create({{.id = "a", .keys = {key}}, {.id = "a", .keys = {key}}}) == kInvalid);
  CHECK(create({{.id = "a", .keys = {key}, .grants = {{.volume = "v"}, {.volume = "v"}}}}) ==
        kInvalid);
  CHECK(PublicKey::FromHex(key.Hex()).value() == key);
  CHECK(PublicKey::FromHex("00").status().code() == kInvalid);
  CHECK(SigningKey::FromSeed("short").status().code() == kInvalid);
}

}  // namespace podkit::replica
