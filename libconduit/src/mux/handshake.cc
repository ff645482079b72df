#include "mux/handshake.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "hmac.h"
#include "mux/frame.h"

namespace podkit::conduit::internal {
namespace {

constexpr std::string_view kProtocol = "podkit-conduit/1";
constexpr std::string_view kDialler = "dialler";
constexpr std::string_view kAcceptor = "acceptor";
constexpr size_t kNonceBytes = 32;
constexpr char kHello = 1;
constexpr char kAnswer = 2;
constexpr char kProof = 3;

absl::Status Refusal(const std::string& why) { return absl::UnauthenticatedError(why); }

// Names end up in logs.
bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void AppendShort(std::string_view text, std::string* out) {
  AppendBigEndian(text.size(), 1, out);
  out->append(text);
}

// Reads a message from its start; after the first thing that is not there everything is empty.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::string_view Take(size_t bytes) {
    if (bytes > rest_.size()) good_ = false;
    if (!good_) return {};
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  uint8_t TakeByte() {
    const std::string_view byte = Take(1);
    return byte.empty() ? uint8_t{0} : static_cast<uint8_t>(byte[0]);
  }
  std::string_view TakeShort() { return Take(TakeByte()); }
  std::string_view rest() const { return rest_; }
  bool good() const { return good_; }
  bool at_end() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

// What one side seals or proves with, derived for that alone.
Cipher::Key CipherKey(std::string_view secret, std::string_view who, std::string_view what) {
  return {.key = ExpandKey(secret, fmt::format("{} {} key", who, what)),
          .iv = ExpandKey(secret, fmt::format("{} {} iv", who, what)).substr(0, kCipherIvBytes)};
}

}  // namespace

Handshake Handshake::Dial(HandshakeConfig config, std::shared_ptr<const Pod> target) {
  Handshake handshake(std::move(config));
  handshake.peer_.pod = std::move(target);
  return handshake;
}

Handshake Handshake::Accept(HandshakeConfig config) {
  Handshake handshake(std::move(config));
  handshake.step_ = Step::kExpectHello;
  return handshake;
}

std::string Handshake::HelloMac(std::string_view key, std::string_view hello) const {
  const std::string secret = ExtractSecret(kProtocol, key);
  return MacOf(ExpandKey(secret, "hello"), {hello, config_.channel_binding});
}

absl::StatusOr<std::string> Handshake::Begin() {
  if (step_ != Step::kBegin) return absl::InternalError("this side does not begin a handshake");
  step_ = Step::kFailed;
  if (peer_.pod->keys.empty()) {
    return Refusal(fmt::format("this pod has no key for pod '{}'", peer_.pod->id));
  }
  PODKIT_ASSIGN_OR_RETURN(ephemeral_, EphemeralKey::Create());
  peer_.key = peer_.pod->keys.front();
  hello_ = {kHello, static_cast<char>(config_.min_version), static_cast<char>(config_.max_version)};
  hello_ += RandomBytes(kNonceBytes);
  hello_ += ephemeral_->public_key();
  AppendShort(config_.pods->own_id(), &hello_);
  AppendShort(peer_.pod->id, &hello_);
  hello_ += HelloMac(peer_.key, hello_);
  step_ = Step::kExpectAnswer;
  return hello_;
}

absl::StatusOr<std::string> Handshake::Receive(std::string_view message) {
  const Step step = std::exchange(step_, Step::kFailed);
  if (step == Step::kExpectHello) return OnHello(message);
  if (step == Step::kExpectAnswer) return OnAnswer(message);
  if (step == Step::kExpectProof) return OnProof(message);
  return Refusal("a message that no step of the handshake expects");
}

absl::StatusOr<std::string> Handshake::OnHello(std::string_view message) {
  Reader reader(message);
  const auto type = static_cast<char>(reader.TakeByte());
  const uint8_t min_version = reader.TakeByte();
  const uint8_t max_version = reader.TakeByte();
  reader.Take(kNonceBytes);
  const std::string_view public_key = reader.Take(kPublicKeyBytes);
  const std::string_view caller = reader.TakeShort();
  const std::string_view target = reader.TakeShort();
  const std::string_view mac = reader.Take(kHashBytes);
  if (!reader.at_end() || type != kHello) return Refusal("not a hello");
  if (target != config_.pods->own_id()) return Refusal("a hello to another pod");
  // From here to the answer nothing costs more than a few hashes, and who has no key gets no
  // further.
  PODKIT_RETURN_IF_ERROR(FindCaller(caller, message.substr(0, message.size() - kHashBytes), mac));
  peer_.version = std::min(max_version, config_.max_version);
  if (peer_.version < std::max(min_version, config_.min_version)) {
    return Refusal(
        fmt::format("pod '{}' speaks versions {} to {} of the protocol, this pod {} to {}", caller,
                    min_version, max_version, config_.min_version, config_.max_version));
  }
  hello_ = std::string(message);
  PODKIT_ASSIGN_OR_RETURN(ephemeral_, EphemeralKey::Create());
  std::string answer = {kAnswer, static_cast<char>(peer_.version)};
  answer += RandomBytes(kNonceBytes);
  answer += ephemeral_->public_key();
  PODKIT_RETURN_IF_ERROR(AgreeOn(public_key, answer));
  PODKIT_RETURN_IF_ERROR(AppendProof(kAcceptor, &answer));
  step_ = Step::kExpectProof;
  return answer;
}

absl::Status Handshake::FindCaller(std::string_view caller, std::string_view hello,
                                   std::string_view mac) {
  peer_.pod = config_.pods->Find(caller);
  if (caller == config_.pods->own_id()) peer_.pod = nullptr;
  // A stranger is compared with a key too, so that the time does not tell who is known.
  const std::vector<std::string> nobody = {std::string(kHashBytes, '\0')};
  const bool known = peer_.pod != nullptr && !peer_.pod->keys.empty();
  bool found = false;
  for (const std::string& key : known ? peer_.pod->keys : nobody) {
    if (EqualInConstantTime(mac, HelloMac(key, hello)) && known) {
      peer_.key = key;
      found = true;
    }
  }
  if (found) return absl::OkStatus();
  // `caller` can be anything: show it only if it is somebody's name.
  return Refusal(known ? fmt::format("a hello in the name of pod '{}', without a key of this pod's",
                                     peer_.pod->id)
                       : std::string("a hello of a pod that is not listed here"));
}

absl::StatusOr<std::string> Handshake::OnAnswer(std::string_view message) {
  Reader reader(message);
  const auto type = static_cast<char>(reader.TakeByte());
  peer_.version = reader.TakeByte();
  reader.Take(kNonceBytes);
  const std::string_view public_key = reader.Take(kPublicKeyBytes);
  if (!reader.good() || type != kAnswer) return Refusal("not an answer to a hello");
  if (peer_.version < config_.min_version || peer_.version > config_.max_version) {
    return Refusal(fmt::format("pod '{}' chose version {}, which was not offered", peer_.pod->id,
                               peer_.version));
  }
  const std::string_view sealed = reader.rest();
  PODKIT_RETURN_IF_ERROR(AgreeOn(public_key, message.substr(0, message.size() - sealed.size())));
  PODKIT_RETURN_IF_ERROR(CheckProof(kAcceptor, sealed));
  std::string proof = {kProof};
  PODKIT_RETURN_IF_ERROR(AppendProof(kDialler, &proof));
  Finish(kDialler, kAcceptor);
  return proof;
}

absl::StatusOr<std::string> Handshake::OnProof(std::string_view message) {
  if (message.empty() || message[0] != kProof) return Refusal("not the proof of a dialler");
  PODKIT_RETURN_IF_ERROR(CheckProof(kDialler, message.substr(1)));
  Finish(kAcceptor, kDialler);
  return std::string();
}

absl::Status Handshake::AgreeOn(std::string_view public_key_of_peer, std::string_view answer) {
  if (!ephemeral_) return absl::InternalError("a handshake without a key of its own");
  const auto shared = ephemeral_->Agree(public_key_of_peer);
  if (!shared.ok()) return Refusal(std::string(shared.status().message()));
  transcript_ = HashOf({kProtocol, hello_, answer, config_.channel_binding});
  secret_ = ExtractSecret(transcript_, *shared + peer_.key);
  ephemeral_.reset();
  return absl::OkStatus();
}

absl::Status Handshake::AppendProof(std::string_view who, std::string* message) {
  const size_t clear = message->size();
  std::string names;
  AppendShort(config_.host_name.substr(0, kMaxNameBytes), &names);
  AppendShort(config_.software_version.substr(0, kMaxNameBytes), &names);
  *message += MacOf(ExpandKey(secret_, fmt::format("{} proof", who)), {transcript_, names});
  *message += names;
  PODKIT_ASSIGN_OR_RETURN(Cipher cipher,
                          Cipher::Create(Cipher::Use::kSeal, CipherKey(secret_, who, "handshake")));
  if (!cipher.Seal({}, clear, message)) return absl::InternalError("OpenSSL failed to seal");
  transcript_ = HashOf({transcript_, std::string_view(*message).substr(clear)});
  return absl::OkStatus();
}

absl::Status Handshake::CheckProof(std::string_view who, std::string_view sealed) {
  PODKIT_ASSIGN_OR_RETURN(Cipher cipher,
                          Cipher::Create(Cipher::Use::kOpen, CipherKey(secret_, who, "handshake")));
  std::string plain;
  const bool opened = cipher.Open({}, sealed, &plain);
  Reader reader(plain);
  const std::string_view mac = reader.Take(kHashBytes);
  const std::string_view names = reader.rest();
  peer_.host_name = reader.TakeShort();
  peer_.software_version = reader.TakeShort();
  if (!opened || !reader.at_end() || !IsPrintable(peer_.host_name) ||
      !IsPrintable(peer_.software_version) ||
      !EqualInConstantTime(
          mac, MacOf(ExpandKey(secret_, fmt::format("{} proof", who)), {transcript_, names}))) {
    return Refusal(fmt::format("the other end does not prove to be pod '{}'", peer_.pod->id));
  }
  transcript_ = HashOf({transcript_, sealed});
  return absl::OkStatus();
}

void Handshake::Finish(std::string_view own, std::string_view other) {
  const std::string secret = ExtractSecret(transcript_, secret_);
  keys_ = {.send = CipherKey(secret, own, "records"),
           .receive = CipherKey(secret, other, "records")};
  secret_.clear();
  step_ = Step::kDone;
}

}  // namespace podkit::conduit::internal
