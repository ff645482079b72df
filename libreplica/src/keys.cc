#include "podkit/replica/keys.h"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "common/text.h"
#include "fmt/format.h"
#include "podkit/replica/chunk.h"

namespace podkit::replica {
namespace {

constexpr std::string_view kFormat = "podkit-replica-1";
constexpr size_t kMaxSigner = 64;
constexpr size_t kBase64Signature = 88;  // Of 64 bytes, padded.

void InitSodium() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) std::abort();  // No source of randomness: nothing can be signed or verified.
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// What a signature covers.
std::string Tagged(SignedFor purpose, std::string_view bytes) {
  const std::string_view name = purpose == SignedFor::kRequest ? "request"
                                : purpose == SignedFor::kReply ? "reply"
                                                               : "read";
  return fmt::format("{} {}\n{}", kFormat, name, bytes);
}

bool IsSigner(std::string_view text) {
  return !text.empty() && text.size() <= kMaxSigner &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (AsciiLower(c) >= 'a' && AsciiLower(c) <= 'z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

std::string Base64(std::string_view bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), Bytes(bytes), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // The terminating zero.
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0) {
    return std::nullopt;
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string PublicKey::Hex() const {
  return HexEncode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

absl::StatusOr<PublicKey> PublicKey::FromHex(std::string_view hex) {
  const auto parsed = ChunkHash::FromHex(hex);
  if (!parsed) return absl::InvalidArgumentError("a public key is 64 hexadecimal digits");
  return PublicKey{parsed->bytes};
}

SigningKey SigningKey::Generate() {
  InitSodium();
  SigningKey key;
  crypto_sign_keypair(key.public_key_.bytes.data(), key.secret_.data());
  return key;
}

absl::StatusOr<SigningKey> SigningKey::FromSeed(std::string_view seed) {
  InitSodium();
  if (seed.size() != crypto_sign_SEEDBYTES) {
    return absl::InvalidArgumentError(
        fmt::format("the seed of a signing key has 32 bytes, not {}", seed.size()));
  }
  SigningKey key;
  crypto_sign_seed_keypair(key.public_key_.bytes.data(), key.secret_.data(), Bytes(seed));
  return key;
}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

std::string SigningKey::Sign(SignedFor purpose, std::string_view bytes) const {
  const std::string message = Tagged(purpose, bytes);
  std::string signature(crypto_sign_BYTES, '\0');
  crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr, Bytes(message),
                       message.size(), secret_.data());
  return signature;
}

std::string SigningKey::SignText(SignedFor purpose, std::string_view signer,
                                 std::string_view bytes) const {
  return fmt::format("{} {} {}\n{}", kFormat, signer, Base64(Sign(purpose, bytes)), bytes);
}

bool Verify(const PublicKey& key, SignedFor purpose, std::string_view bytes,
            std::string_view signature) {
  InitSodium();
  const std::string message = Tagged(purpose, bytes);
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(Bytes(signature), Bytes(message), message.size(),
                                     key.bytes.data()) == 0;
}

std::optional<SignedText> SignedText::Split(std::string_view text) {
  const size_t end = text.substr(0, kFormat.size() + kMaxSigner + kBase64Signature + 3).find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto words = SplitText(text.substr(0, end), ' ');
  if (words.size() != 3 || words[0] != kFormat || !IsSigner(words[1]) ||
      words[2].size() != kBase64Signature) {
    return std::nullopt;
  }
  auto signature = FromBase64(words[2]);
  if (!signature || signature->size() != crypto_sign_BYTES) return std::nullopt;
  return SignedText{words[1], *std::move(signature), text.substr(end + 1)};
}

}  // namespace podkit::replica
