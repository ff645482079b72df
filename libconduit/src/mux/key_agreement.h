// What the handshake is built of: hashes, keys from keys (RFC 5869), and X25519 (RFC 7748).
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct evp_pkey_st;

namespace podkit::conduit::internal {

inline constexpr size_t kHashBytes = 32;
inline constexpr size_t kPublicKeyBytes = 32;

// Of the parts, each with its length before it, so that no two lists have the same hash.
std::string HashOf(std::initializer_list<std::string_view> parts);

// HMAC-SHA256 of the same.
std::string MacOf(std::string_view key, std::initializer_list<std::string_view> parts);

// HKDF-SHA256: one secret out of others, and a key of 32 bytes for one use out of that.
std::string ExtractSecret(std::string_view salt, std::string_view input);
std::string ExpandKey(std::string_view secret, std::string_view use);

// Bytes that nobody can predict. A machine without randomness cannot run a pod, and the program
// ends.
std::string RandomBytes(size_t bytes);

// A key pair for one handshake.
class EphemeralKey {
 public:
  // kInternal: OpenSSL has no X25519.
  static absl::StatusOr<EphemeralKey> Create();

  const std::string& public_key() const { return public_key_; }

  // What both sides compute. kInvalidArgument for a public key that makes it the same for everyone.
  absl::StatusOr<std::string> Agree(std::string_view public_key_of_peer) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  std::unique_ptr<evp_pkey_st, Free> key_;
  std::string public_key_;
};

}  // namespace podkit::conduit::internal
