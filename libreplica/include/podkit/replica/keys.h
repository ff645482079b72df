// Ed25519 keys, and texts that carry a signature over their exact bytes.
//
// A signed text is one line, "podkit-replica-1 <signer> <signature in base64>", and behind it the
// bytes that are signed. A signature also covers what the bytes are for, so that a reply can never
// be taken for a request.
//
// Thread-compatible; const methods may be called from several threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace podkit::replica {

struct PublicKey {
  std::array<uint8_t, 32> bytes = {};

  std::string Hex() const;
  // kInvalidArgument unless `hex` is 64 hexadecimal digits.
  static absl::StatusOr<PublicKey> FromHex(std::string_view hex);
  bool operator==(const PublicKey&) const = default;
};

enum class SignedFor {
  kRequest,  // A control part.
  kReply,    // What a gateway says it did.
  kRead,     // The method and path of a request for a private chunk, and its time.
};

class SigningKey {
 public:
  // Of random bytes.
  static SigningKey Generate();
  // kInvalidArgument unless `seed` has 32 bytes. The same seed gives the same key.
  static absl::StatusOr<SigningKey> FromSeed(std::string_view seed);
  // Overwrites the secret.
  ~SigningKey();
  SigningKey(const SigningKey&) = default;
  SigningKey& operator=(const SigningKey&) = default;

  const PublicKey& public_key() const { return public_key_; }
  // 64 bytes.
  std::string Sign(SignedFor purpose, std::string_view bytes) const;
  // A signed text. `signer` has 1 to 64 letters, digits, '-' and '_'.
  std::string SignText(SignedFor purpose, std::string_view signer, std::string_view bytes) const;

 private:
  SigningKey() = default;

  std::array<uint8_t, 64> secret_ = {};
  PublicKey public_key_;
};

// True if `signature` is that of the key's owner over exactly these bytes for this purpose.
bool Verify(const PublicKey& key, SignedFor purpose, std::string_view bytes,
            std::string_view signature);

// A signed text taken apart; nothing is verified. The views point into the text.
struct SignedText {
  std::string_view signer;
  std::string signature;  // 64 bytes.
  std::string_view bytes;

  // Nothing if `text` has not the form above.
  static std::optional<SignedText> Split(std::string_view text);
};

}  // namespace podkit::replica
