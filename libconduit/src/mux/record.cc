#include "mux/record.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "mux/frame.h"

namespace podkit::conduit::internal {
namespace {

constexpr uint64_t kMaxMessages = uint64_t{1} << 48;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(char* text) { return reinterpret_cast<unsigned char*>(text); }

}  // namespace

absl::StatusOr<size_t> RecordReader::SizeOf(std::string_view start) const {
  const size_t length = ReadBigEndian(start.substr(0, kRecordHeaderBytes));
  if (length == 0 || length > max_bytes_) {
    return absl::InvalidArgumentError(
        fmt::format("a record of {} bytes; 1 to {} are allowed", length, max_bytes_));
  }
  return kRecordHeaderBytes + length;
}

absl::StatusOr<std::optional<std::string_view>> RecordReader::Next(std::string_view* bytes) {
  if (std::exchange(partial_was_taken_, false)) std::string().swap(partial_);
  if (partial_.empty() && bytes->size() >= kRecordHeaderBytes) {
    PODKIT_ASSIGN_OR_RETURN(const size_t size, SizeOf(*bytes));
    if (bytes->size() >= size) {
      const auto record = bytes->substr(kRecordHeaderBytes, size - kRecordHeaderBytes);
      bytes->remove_prefix(size);
      return record;
    }
  }
  const auto move_up_to = [&](size_t size) {
    const size_t count = std::min(size - std::min(size, partial_.size()), bytes->size());
    partial_.append(bytes->substr(0, count));
    bytes->remove_prefix(count);
    return partial_.size() >= size;
  };
  if (!move_up_to(kRecordHeaderBytes)) return std::nullopt;
  PODKIT_ASSIGN_OR_RETURN(const size_t size, SizeOf(partial_));
  partial_.reserve(size);
  if (!move_up_to(size)) return std::nullopt;
  partial_was_taken_ = true;
  return std::string_view(partial_).substr(kRecordHeaderBytes);
}

void Cipher::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

absl::StatusOr<Cipher> Cipher::Create(Use use, const Key& key) {
  Cipher cipher(key.iv);
  cipher.context_.reset(EVP_CIPHER_CTX_new());
  if (cipher.context_ == nullptr || key.key.size() != kCipherKeyBytes ||
      key.iv.size() != kCipherIvBytes ||
      EVP_CipherInit_ex(cipher.context_.get(), EVP_aes_256_gcm(), nullptr, Bytes(key.key), nullptr,
                        use == Use::kSeal ? 1 : 0) != 1) {
    return absl::InternalError("OpenSSL offers no AES-256-GCM");
  }
  return cipher;
}

bool Cipher::Begin(std::string_view aad) {
  if (number_ >= kMaxMessages) return false;
  unsigned char iv[kCipherIvBytes];
  std::copy(iv_.begin(), iv_.end(), iv);
  uint64_t number = number_++;
  for (size_t i = kCipherIvBytes; number != 0; number >>= 8) iv[--i] ^= number & 0xff;
  int size = 0;
  // Without a key it keeps the one that it has, and its use.
  return EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, iv, -1) == 1 &&
         (aad.empty() || EVP_CipherUpdate(context_.get(), nullptr, &size, Bytes(aad),
                                          static_cast<int>(aad.size())) == 1);
}

bool Cipher::Seal(std::string_view aad, size_t clear, std::string* message) {
  if (!Begin(aad)) return false;
  const size_t plain = message->size() - clear;
  message->append(kTagBytes, '\0');
  unsigned char* const start = Bytes(message->data() + clear);
  int size = 0;
  int rest = 0;
  return EVP_CipherUpdate(context_.get(), start, &size, start, static_cast<int>(plain)) == 1 &&
         EVP_CipherFinal_ex(context_.get(), start + size, &rest) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, start + plain) == 1;
}

bool Cipher::Open(std::string_view aad, std::string_view sealed, std::string* plain) {
  plain->clear();
  if (sealed.size() < kTagBytes || !Begin(aad)) return false;
  const size_t bytes = sealed.size() - kTagBytes;
  plain->resize(bytes);
  unsigned char tag[kTagBytes];
  std::copy_n(Bytes(sealed) + bytes, kTagBytes, tag);
  unsigned char* const start = Bytes(plain->data());
  int size = 0;
  int rest = 0;
  const bool good =
      EVP_CipherUpdate(context_.get(), start, &size, Bytes(sealed), static_cast<int>(bytes)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) == 1 &&
      EVP_CipherFinal_ex(context_.get(), start + size, &rest) == 1;
  if (!good) plain->clear();  // Nobody may see what is not authentic.
  return good;
}

}  // namespace podkit::conduit::internal
