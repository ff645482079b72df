#include "hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
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

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

struct HmacKey::Context {
  ContextPtr keyed;  // Never updated itself: each message uses a copy.
};

absl::StatusOr<HmacKey> HmacKey::Create(std::string_view key) {
  const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  auto context = std::make_shared<Context>();
  if (mac != nullptr) context->keyed.reset(EVP_MAC_CTX_new(mac.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  if (context->keyed == nullptr ||
      EVP_MAC_init(context->keyed.get(), Bytes(key), key.size(), parameters) != 1) {
    return absl::InternalError("OpenSSL offers no HMAC-SHA256");
  }
  return HmacKey(std::move(context));
}

absl::StatusOr<std::string> HmacKey::Sign(std::initializer_list<std::string_view> parts) const {
  const ContextPtr context(EVP_MAC_CTX_dup(context_->keyed.get()));
  bool good = context != nullptr;
  for (const std::string_view part : parts) {
    good = good && EVP_MAC_update(context.get(), Bytes(part), part.size()) == 1;
  }
  unsigned char digest[kDigestBytes];
  size_t size = 0;
  good = good && EVP_MAC_final(context.get(), digest, &size, sizeof(digest)) == 1;
  if (!good || size != kDigestBytes) return absl::InternalError("OpenSSL failed to sign");
  return HexEncode({reinterpret_cast<const char*>(digest), kDigestBytes});
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string RandomHex(size_t bytes) {
  std::string random(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) != 1) {
    std::abort();
  }
  return HexEncode(random);
}

}  // namespace podkit::conduit::internal
