// HMAC-SHA256 with one key, and random bytes, from OpenSSL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace podkit::conduit::internal {

// Thread-safe; copies share their contexts. The algorithm is fetched and the key expanded once, and
// contexts are used again: a fresh one for each message costs more than the message.
class HmacKey {
 public:
  // kInternal: OpenSSL has no HMAC-SHA256.
  static absl::StatusOr<HmacKey> Create(std::string_view key);

  // The signature of the parts, as if they were one text, in 64 lower-case hexadecimal digits.
  absl::StatusOr<std::string> Sign(std::initializer_list<std::string_view> parts) const;

 private:
  struct Contexts;
  explicit HmacKey(std::shared_ptr<Contexts> contexts) : contexts_(std::move(contexts)) {}
  std::shared_ptr<Contexts> contexts_;
};

// True if both are the same; the time that it takes depends on their sizes only.
bool EqualInConstantTime(std::string_view a, std::string_view b);

// `bytes` unpredictable bytes as hexadecimal digits. Never fails: a machine without randomness
// cannot run a pod, and the program ends.
std::string RandomHex(size_t bytes);

// What a generator of random numbers that are no secrets starts from. Never fails either.
uint64_t RandomSeed();

}  // namespace podkit::conduit::internal
