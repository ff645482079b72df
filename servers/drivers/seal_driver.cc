// A stage that compresses and encrypts chunks before they are stored, and undoes both before they
// are sent: put it in front of any storage. Secrets: {"key": "<64 hexadecimal digits>"}, and while
// a key is changed {"key": "<new>", "old_key": "<old>"}. Config: {"level": "3"} of zstd, optional.
//
// A stored chunk is: "PKS1"; one byte, 1 if it is compressed; the size before compression, 8 bytes,
// little-endian; a nonce of 24 bytes; and the bytes under XChaCha20-Poly1305, which also covers the
// first 13 bytes and the chunk's name, so that no stored chunk can stand in for another.
#include <sodium.h>
#include <unistd.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "podkit/replica/driver.h"
#include "servers/drivers/driver_config.h"

namespace {

constexpr std::string_view kMagic = "PKS1";
constexpr size_t kHead = 13;
constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kKey = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr uint64_t kMaxChunk = uint64_t{1} << 30;
constexpr size_t kMinSaved = 64;  // Compression that saves less is not worth its undoing.

using Key = std::array<unsigned char, kKey>;

struct Sealer {
  Key key = {};
  bool has_old_key = false;
  Key old_key = {};
  int level = 3;
  ~Sealer() {
    sodium_memzero(key.data(), key.size());
    sodium_memzero(old_key.data(), old_key.size());
  }
};

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool ReadKey(std::string hex, Key* key) {
  size_t size = 0;
  const bool good = sodium_hex2bin(key->data(), key->size(), hex.data(), hex.size(), nullptr, &size,
                                   nullptr) == 0 &&
                    size == key->size();
  sodium_memzero(hex.data(), hex.size());
  return good;
}

void* Open(const char* config, const char* secrets, char* error, size_t error_size) {
  auto sealer = std::make_unique<Sealer>();
  const std::string old_key = podkit::drivers::TextMember(secrets, "old_key");
  sealer->has_old_key = !old_key.empty();
  if (sodium_init() < 0 || !ReadKey(podkit::drivers::TextMember(secrets, "key"), &sealer->key) ||
      (sealer->has_old_key && !ReadKey(old_key, &sealer->old_key))) {
    return podkit::drivers::Refuse("the secrets need \"key\", 64 hexadecimal digits", error,
                                   error_size);
  }
  const std::string level = podkit::drivers::TextMember(config, "level");
  if (!level.empty()) sealer->level = std::atoi(level.c_str());
  if (sealer->level < 1 || sealer->level > ZSTD_maxCLevel()) {
    return podkit::drivers::Refuse("the \"level\" of compression is a text from \"1\" to \"22\"",
                                   error, error_size);
  }
  return sealer.release();
}

void Close(void* driver) { delete static_cast<Sealer*>(driver); }

// What the encryption covers beside the bytes.
std::string Covered(std::string_view head, const PodkitReplicaRequest& request) {
  return fmt::format("{}{}.{}.{}.{}.{}.{}", head, request.volume, request.file,
                     request.file_version, request.is_manifest, request.id, request.version);
}

std::string Head(bool compressed, uint64_t size) {
  std::string head(kMagic);
  head.push_back(compressed ? 1 : 0);
  for (int shift = 0; shift < 64; shift += 8) head.push_back(static_cast<char>(size >> shift));
  return head;
}

int WriteBytes(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

// From the wire to the storage.
int Deserialize(void* driver, const PodkitReplicaRequest* request, const void* chunk, size_t size,
                int chunk_fd) {
  const auto& sealer = *static_cast<Sealer*>(driver);
  std::string packed(ZSTD_compressBound(size), '\0');
  const size_t packed_size = ZSTD_compress(packed.data(), packed.size(), chunk, size, sealer.level);
  const bool compressed = ZSTD_isError(packed_size) == 0 && packed_size + kMinSaved <= size;
  const std::string_view clear = compressed
                                     ? std::string_view(packed.data(), packed_size)
                                     : std::string_view(static_cast<const char*>(chunk), size);
  std::string stored = Head(compressed, size);
  const std::string covered = Covered(stored, *request);
  stored.resize(kHead + kNonce + clear.size() + kTag);
  unsigned char* const nonce = Bytes(stored) + kHead;
  randombytes_buf(nonce, kNonce);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonce, nullptr, Bytes(clear), clear.size(),
                                             Bytes(std::string_view(covered)), covered.size(),
                                             nullptr, nonce, sealer.key.data());
  return WriteBytes(chunk_fd, stored);
}

bool Decrypt(const Key& key, std::string_view stored, std::string_view covered,
             std::string* clear) {
  const std::string_view sealed = stored.substr(kHead + kNonce);
  clear->resize(sealed.size() - kTag);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(
             Bytes(*clear), nullptr, nullptr, Bytes(sealed), sealed.size(), Bytes(covered),
             covered.size(), Bytes(stored.substr(kHead, kNonce)), key.data()) == 0;
}

// From the storage to the wire. -EBADMSG if it is not what was stored under this name with a key
// that is known.
int Serialize(void* driver, const PodkitReplicaRequest* request, const void* chunk, size_t size,
              int chunk_fd) {
  const auto& sealer = *static_cast<Sealer*>(driver);
  const std::string_view stored(static_cast<const char*>(chunk), size);
  if (size < kHead + kNonce + kTag || !stored.starts_with(kMagic)) return -EBADMSG;
  const std::string covered = Covered(stored.substr(0, kHead), *request);
  std::string clear;
  if (!Decrypt(sealer.key, stored, covered, &clear) &&
      !(sealer.has_old_key && Decrypt(sealer.old_key, stored, covered, &clear))) {
    return -EBADMSG;
  }
  if (stored[kMagic.size()] == 0) return WriteBytes(chunk_fd, clear);
  uint64_t full_size = 0;
  for (size_t i = 0; i < 8; ++i) {
    full_size |= uint64_t{static_cast<unsigned char>(stored[kMagic.size() + 1 + i])} << (8 * i);
  }
  if (full_size > kMaxChunk) return -EBADMSG;
  std::string full(full_size, '\0');
  const size_t unpacked = ZSTD_decompress(full.data(), full.size(), clear.data(), clear.size());
  if (ZSTD_isError(unpacked) != 0 || unpacked != full_size) return -EBADMSG;
  return WriteBytes(chunk_fd, full);
}

}  // namespace

const PodkitReplicaDriver podkit_replica_driver = {.version = kPodkitReplicaDriverVersion,
                                                   .name = "seal",
                                                   .open = Open,
                                                   .close = Close,
                                                   .read_chunk = nullptr,
                                                   .write_chunk = nullptr,
                                                   .delete_chunk = nullptr,
                                                   .rename_file = nullptr,
                                                   .serialize = Serialize,
                                                   .deserialize = Deserialize};
