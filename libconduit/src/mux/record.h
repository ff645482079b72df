// Records: what a multiplexed connection sends at a time, each with its length before it. Until the
// handshake is over a record is one message of it, afterwards any number of whole frames, sealed
// with AES-256-GCM unless TLS protects the connection already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct evp_cipher_ctx_st;

namespace podkit::conduit::internal {

inline constexpr size_t kRecordHeaderBytes = 4;
inline constexpr size_t kMaxRecordBytes = 65536;  // Of the frames in it.
inline constexpr size_t kTagBytes = 16;
inline constexpr size_t kCipherKeyBytes = 32;
inline constexpr size_t kCipherIvBytes = 12;

// Cuts what arrives into records.
class RecordReader {
 public:
  explicit RecordReader(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Of the records that begin from now on.
  void set_max_bytes(size_t max_bytes) { max_bytes_ = max_bytes; }

  // The next record, without its header, taken off `*bytes`; valid until the next call and as long
  // as these bytes. Nothing if it is not whole: what is there is kept and `*bytes` is empty.
  // kInvalidArgument for a length of 0 or beyond the limit, before anything is allocated for it.
  absl::StatusOr<std::optional<std::string_view>> Next(std::string_view* bytes);

 private:
  // The bytes of the record that begins with `start`, with its header.
  absl::StatusOr<size_t> SizeOf(std::string_view start) const;

  size_t max_bytes_;
  std::string partial_;
  bool partial_was_taken_ = false;
};

// One direction of a connection. Each message is sealed under the next number, so that one that is
// lost, repeated or moved does not open. Good for 2^48 messages.
class Cipher {
 public:
  enum class Use { kSeal, kOpen };
  struct Key {
    std::string key;  // kCipherKeyBytes
    std::string iv;   // kCipherIvBytes
  };

  // kInternal: OpenSSL has no AES-256-GCM.
  static absl::StatusOr<Cipher> Create(Use use, const Key& key);

  // Seals what `*message` has from `clear` on, in place, and appends the tag; `aad` is protected
  // too. False: OpenSSL failed or the numbers are used up, and nothing may be sent.
  [[nodiscard]] bool Seal(std::string_view aad, size_t clear, std::string* message);

  // Opens `sealed` into `*plain`. False: it is not the next message of the other side.
  [[nodiscard]] bool Open(std::string_view aad, std::string_view sealed, std::string* plain);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };

  explicit Cipher(std::string iv) : iv_(std::move(iv)) {}
  // Points the context at the next message.
  bool Begin(std::string_view aad);

  std::unique_ptr<evp_cipher_ctx_st, Free> context_;
  std::string iv_;
  uint64_t number_ = 0;
};

}  // namespace podkit::conduit::internal
