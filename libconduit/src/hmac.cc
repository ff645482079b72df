#include "hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/mutex.h"
#include "common/text.h"

namespace podkit::conduit::internal {
namespace {

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};
struct FreeContext {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<EVP_MAC_CTX, FreeContext>;

constexpr size_t kDigestBytes = 32;

void FillRandom(void* bytes, size_t size) {
  if (RAND_bytes(static_cast<unsigned char*>(bytes), static_cast<int>(size)) != 1) std::abort();
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

struct HmacKey::Contexts {
  static constexpr size_t kMaxSpare = 64;

  ContextPtr keyed;  // Never updated itself: the others are its copies.
  Mutex mutex;
  std::vector<ContextPtr> spare ABSL_GUARDED_BY(mutex);

  // A context ready for a message; null if OpenSSL has no memory.
  ContextPtr Take() {
    ContextPtr context;
    {
      MutexLock lock(&mutex);
      if (!spare.empty()) {
        context = std::move(spare.back());
        spare.pop_back();
      }
    }
    if (context == nullptr) return ContextPtr(EVP_MAC_CTX_dup(keyed.get()));
    // Without a key it begins anew with the one that it has.
    if (EVP_MAC_init(context.get(), nullptr, 0, nullptr) != 1) return nullptr;
    return context;
  }

  void Return(ContextPtr context) {
    MutexLock lock(&mutex);
    if (spare.size() < kMaxSpare) spare.push_back(std::move(context));
  }
};

absl::StatusOr<HmacKey> HmacKey::Create(std::string_view key) {
  const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  auto contexts = std::make_shared<Contexts>();
  if (mac != nullptr) contexts->keyed.reset(EVP_MAC_CTX_new(mac.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  if (contexts->keyed == nullptr ||
      EVP_MAC_init(contexts->keyed.get(), Bytes(key), key.size(), parameters) != 1) {
    return absl::InternalError("OpenSSL offers no HMAC-SHA256");
  }
  return HmacKey(std::move(contexts));
}

absl::StatusOr<std::string> HmacKey::Sign(std::initializer_list<std::string_view> parts) const {
  ContextPtr context = contexts_->Take();
  bool good = context != nullptr;
  for (const std::string_view part : parts) {
    good = good && EVP_MAC_update(context.get(), Bytes(part), part.size()) == 1;
  }
  unsigned char digest[kDigestBytes];
  size_t size = 0;
  good = good && EVP_MAC_final(context.get(), digest, &size, sizeof(digest)) == 1;
  if (!good || size != kDigestBytes) return absl::InternalError("OpenSSL failed to sign");
  contexts_->Return(std::move(context));
  return HexEncode({reinterpret_cast<const char*>(digest), kDigestBytes});
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string RandomHex(size_t bytes) {
  std::string random(bytes, '\0');
  FillRandom(random.data(), bytes);
  return HexEncode(random);
}

uint64_t RandomSeed() {
  uint64_t seed = 0;
  FillRandom(&seed, sizeof(seed));
  return seed;
}

}  // namespace podkit::conduit::internal
