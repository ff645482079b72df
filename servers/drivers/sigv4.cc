#include "servers/drivers/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "common/text.h"
#include "fmt/format.h"

namespace podkit::drivers {
namespace {

constexpr size_t kDigest = 32;
constexpr size_t kDateSize = 8;  // Of a time: "20150830".

std::string Hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, kDigest> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  std::array<unsigned char, kDigest> digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string SigV4Authorization(const SigV4Key& key, const SigV4Request& request,
                               std::string_view time) {
  std::string headers;
  std::string names;
  for (const auto& [name, value] : request.headers) {
    headers += fmt::format("{}:{}\n", name, value);
    names += fmt::format("{}{}", names.empty() ? "" : ";", name);
  }
  const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path,
                                            request.query, headers, names, request.payload_hash);
  const std::string_view date = time.substr(0, kDateSize);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, key.region, key.service);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, Sha256Hex(canonical));
  const std::string dated = Hmac("AWS4" + key.secret_key, date);
  const std::string signing = Hmac(Hmac(Hmac(dated, key.region), key.service), "aws4_request");
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                     key.access_key, scope, names, HexEncode(Hmac(signing, to_sign)));
}

}  // namespace podkit::drivers
