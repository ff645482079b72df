// What every server is told: where it listens, where its data are, its certificate, log and limits.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "servers/common/flags.h"
#include "servers/http/http_options.h"

namespace podkit::servers {

struct ListenAddress {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: a free one.

  // "http://127.0.0.1:8201" or "https://[::1]:8201".
  std::string Url(bool tls) const;
};

// From "127.0.0.1:8201" or "[::1]:8201", as --listen has it.
absl::StatusOr<ListenAddress> ParseListen(std::string_view text);

struct ServingSettings {
  std::optional<std::string> listen;
  std::optional<std::string> data;
  std::optional<std::string> tls_certificate_file;
  std::optional<std::string> tls_key_file;
  std::optional<std::string> log_level;
  std::optional<int64_t> max_connections;
  std::optional<int64_t> threads;
};

// The settings with defaults, checked. Each server has its own defaults for the first three.
struct ServingConfig {
  ListenAddress listen;
  std::string data;                  // A folder.
  int threads = 1;                   // Requests in work at a time.
  std::string tls_certificate_file;  // PEM, like the key. Both or none.
  std::string tls_key_file;
  std::string log_level = "info";
  size_t max_connections = 4096;

  // Where the server answers, as others would call it.
  std::string url() const { return listen.Url(!tls_key_file.empty()); }
};

// All flags of a server, as --help lists them: who it is, then those of `settings` with their
// defaults, then its own.
std::vector<Flag> ServingFlags(Flag identity, ServingSettings* settings,
                               const ServingConfig& defaults, const std::vector<Flag>& own);

// Sets in `config`, which has the defaults, what the settings say.
absl::Status CheckServing(const ServingSettings& settings, ServingConfig* config);

// OK if the certificate and the key, where there are any, can be read and belong together.
absl::Status CheckTlsFiles(const ServingConfig& config);

HttpServerOptions ServingHttpOptions(const ServingConfig& config);

// Sets `out` if there is a value, which must be between `least` and `most`.
template <typename Int>
absl::Status TakeNumber(std::string_view flag, const std::optional<int64_t>& value, int64_t least,
                        Int* out, int64_t most = std::numeric_limits<int>::max()) {
  if (!value) return absl::OkStatus();
  if (*value < least || *value > most) {
    return WrongFlag(flag, fmt::format("{} is not between {} and {}", *value, least, most));
  }
  *out = static_cast<Int>(*value);
  return absl::OkStatus();
}

}  // namespace podkit::servers
