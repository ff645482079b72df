#include "servers/common/signing_key.h"

#include <fmt/format.h>

#include <string_view>

#include "common/status_macros.h"
#include "servers/common/files.h"

namespace podkit::servers {

absl::StatusOr<replica::SigningKey> ReadSigningKey(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(const std::string text, ReadSecret(path));
  const auto seed = replica::PublicKey::FromHex(text);  // The same form.
  if (!seed.ok()) {
    return absl::InvalidArgumentError(fmt::format(
        "'{}' is no signing key, which is 64 hexadecimal digits: make one with 'podctl chunk "
        "keygen'",
        path));
  }
  return replica::SigningKey::FromSeed(
      {reinterpret_cast<const char*>(seed->bytes.data()), seed->bytes.size()});
}

}  // namespace podkit::servers
