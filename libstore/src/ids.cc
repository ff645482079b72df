#include "ids.h"

#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/text.h"

namespace podkit::store {

std::string NewId() {
  std::array<unsigned char, 16> bytes;
  // Fails only on a machine without randomness, where no id would be safe.
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) std::abort();
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string id = HexEncode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const size_t dash : {8, 13, 18, 23}) id.insert(dash, 1, '-');
  return id;
}

}  // namespace podkit::store
