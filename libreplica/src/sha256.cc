#include "sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

namespace podkit::replica {
namespace {

// These fail only without memory or OpenSSL's default provider: nothing can be verified then.
void Require(bool good) {
  if (!good) std::abort();
}

}  // namespace

struct Sha256::Context {
  EVP_MD_CTX* native = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(native); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) { Begin(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Begin() {
  // Fetched once: a fetch costs more than hashing a small chunk.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Require(context_->native != nullptr &&
          EVP_DigestInit_ex2(context_->native, algorithm, nullptr) == 1);
}

void Sha256::Update(std::string_view bytes) {
  Require(EVP_DigestUpdate(context_->native, bytes.data(), bytes.size()) == 1);
}

ChunkHash Sha256::Finish() {
  ChunkHash hash;
  unsigned int size = 0;
  Require(EVP_DigestFinal_ex(context_->native, hash.bytes.data(), &size) == 1 &&
          size == ChunkHash::kSize);
  Begin();
  return hash;
}

ChunkHash HashOf(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

}  // namespace podkit::replica
