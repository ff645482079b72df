// How the two ends of a new connection prove to each other which pods they are, before anything
// else is read; docs/conduit-connection.md has the bytes.
//
// Three messages: the dialler's hello, which already shows that it knows a key of the pair; the
// acceptor's hello with its proof; the dialler's proof. What each side sends from then on is sealed
// with keys that exist for this connection only.
//
// A plain object for one thread. A failure is kUnauthenticated with the reason, which is for the
// own log only: the connection is to be closed without a word. kInternal: OpenSSL lacks something.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "mux/key_agreement.h"
#include "mux/record.h"
#include "podkit/conduit/pods.h"

namespace podkit::conduit::internal {

// No message of a handshake is longer, so that a stranger costs little.
inline constexpr size_t kMaxHandshakeBytes = 512;
// Of a host's name and of a software version; longer ones are cut.
inline constexpr size_t kMaxNameBytes = 64;

struct HandshakeConfig {
  std::shared_ptr<Pods> pods;
  std::string host_name = {};         // Of this process, for logs and routing on the other side.
  std::string software_version = {};  // Of this process.
  std::string channel_binding = {};   // ByteStream::ChannelBinding().
  // Versions of the protocol that this side speaks.
  uint8_t min_version = 1;
  uint8_t max_version = 1;
};

// Who is at the other end, as proven.
struct MuxPeer {
  std::shared_ptr<const Pod> pod;
  std::string host_name;
  std::string software_version;
  uint8_t version = 0;  // Of the protocol.
  std::string key;      // The pair's key that was used.
};

struct ConnectionKeys {
  Cipher::Key send;
  Cipher::Key receive;
};

class Handshake {
 public:
  // The side that dialled, to reach `target`; the other one.
  static Handshake Dial(HandshakeConfig config, std::shared_ptr<const Pod> target);
  static Handshake Accept(HandshakeConfig config);

  // The first message; of the dialler only, once.
  absl::StatusOr<std::string> Begin();

  // Takes the next message of the other side and gives the answer to send; it is empty if there is
  // none, which is when the acceptor is done.
  absl::StatusOr<std::string> Receive(std::string_view message);

  // Both ends are proven: the dialler then sends its last message and may call at once.
  bool done() const { return step_ == Step::kDone; }

  // Once, when done.
  MuxPeer TakePeer() { return std::move(peer_); }
  ConnectionKeys TakeKeys() { return std::move(keys_); }

 private:
  enum class Step { kBegin, kExpectHello, kExpectAnswer, kExpectProof, kDone, kFailed };

  explicit Handshake(HandshakeConfig config) : config_(std::move(config)) {}

  absl::StatusOr<std::string> OnHello(std::string_view message);
  absl::StatusOr<std::string> OnAnswer(std::string_view message);
  absl::StatusOr<std::string> OnProof(std::string_view message);
  // Finds the pod and the key that `hello` was made with.
  absl::Status FindCaller(std::string_view caller, std::string_view hello, std::string_view mac);
  std::string HelloMac(std::string_view key, std::string_view hello) const;

  // The secret of this connection, from what both sides said so far.
  absl::Status AgreeOn(std::string_view public_key_of_peer, std::string_view answer);
  // The sealed part of a message in which `who` proves itself, and the other side's reading of it.
  absl::Status AppendProof(std::string_view who, std::string* message);
  absl::Status CheckProof(std::string_view who, std::string_view sealed);
  void Finish(std::string_view own, std::string_view other);

  HandshakeConfig config_;
  Step step_ = Step::kBegin;
  std::optional<EphemeralKey> ephemeral_;
  std::string hello_;       // The dialler's hello, whole.
  std::string transcript_;  // Hash of everything said so far.
  std::string secret_;
  MuxPeer peer_;
  ConnectionKeys keys_;
};

}  // namespace podkit::conduit::internal
