#include "hash.h"

#include <openssl/evp.h>

#include <array>
#include <cstdlib>

#include "common/text.h"

namespace podkit::store {

std::string Sha256Hex(std::string_view bytes) {
  // Fetched once: a fetch costs more than hashing a small text.
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  // Fails only without OpenSSL's default provider or memory: nothing can be told apart then.
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, sha256, nullptr) != 1) {
    std::abort();
  }
  return HexEncode({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace podkit::store
