#include "mux/key_agreement.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "mux/frame.h"

namespace podkit::conduit::internal {
namespace {

static_assert(kHashBytes == SHA256_DIGEST_LENGTH);

struct FreeContext {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string Joined(std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (const std::string_view part : parts) {
    AppendBigEndian(part.size(), 4, &joined);
    joined.append(part);
  }
  return joined;
}

std::string Hmac(std::string_view key, std::string_view text) {
  std::string mac(kHashBytes, '\0');
  // A null key of no bytes is read as "the key from before".
  const char none = '\0';
  const void* bytes = key.empty() ? &none : key.data();
  if (HMAC(EVP_sha256(), bytes, static_cast<int>(key.size()), Bytes(text), text.size(), Bytes(mac),
           nullptr) == nullptr) {
    std::abort();  // Only a machine without memory fails here.
  }
  return mac;
}

}  // namespace

std::string HashOf(std::initializer_list<std::string_view> parts) {
  const std::string text = Joined(parts);
  std::string hash(kHashBytes, '\0');
  SHA256(Bytes(std::string_view(text)), text.size(), Bytes(hash));
  return hash;
}

std::string MacOf(std::string_view key, std::initializer_list<std::string_view> parts) {
  return Hmac(key, Joined(parts));
}

std::string ExtractSecret(std::string_view salt, std::string_view input) {
  return Hmac(salt, input);
}

std::string ExpandKey(std::string_view secret, std::string_view use) {
  return Hmac(secret, std::string(use) + '\x01');
}

std::string RandomBytes(size_t bytes) {
  std::string random(bytes, '\0');
  if (RAND_bytes(Bytes(random), static_cast<int>(bytes)) != 1) std::abort();
  return random;
}

void EphemeralKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

absl::StatusOr<EphemeralKey> EphemeralKey::Create() {
  EphemeralKey key;
  key.key_.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  key.public_key_.resize(kPublicKeyBytes);
  size_t size = kPublicKeyBytes;
  if (key.key_ == nullptr ||
      EVP_PKEY_get_raw_public_key(key.key_.get(), Bytes(key.public_key_), &size) != 1 ||
      size != kPublicKeyBytes) {
    return absl::InternalError("OpenSSL offers no X25519");
  }
  return key;
}

absl::StatusOr<std::string> EphemeralKey::Agree(std::string_view public_key_of_peer) const {
  const std::unique_ptr<evp_pkey_st, Free> peer(EVP_PKEY_new_raw_public_key_ex(
      nullptr, "X25519", nullptr, Bytes(public_key_of_peer), public_key_of_peer.size()));
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  std::string secret(kPublicKeyBytes, '\0');
  size_t size = secret.size();
  if (peer == nullptr || context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), Bytes(secret), &size) != 1 || size != secret.size()) {
    return absl::InvalidArgumentError("a public key that X25519 refuses");
  }
  return secret;
}

}  // namespace podkit::conduit::internal
