#include "servers/common/serving.h"

#include <arpa/inet.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "servers/http/tls_context.h"

namespace podkit::servers {
namespace {

absl::Status CheckLogLevel(std::string_view level) {
  constexpr std::string_view kLogLevels[] = {"debug", "info", "warning", "error"};
  if (std::ranges::find(kLogLevels, level) != std::end(kLogLevels)) return absl::OkStatus();
  return WrongFlag("log-level", fmt::format("'{}' is not debug, info, warning or error", level));
}

}  // namespace

std::string ListenAddress::Url(bool tls) const {
  return fmt::format("{}://{}:{}", tls ? "https" : "http",
                     address.find(':') == std::string::npos ? address : '[' + address + ']', port);
}

absl::StatusOr<ListenAddress> ParseListen(std::string_view text) {
  const size_t colon = text.rfind(':');
  std::string_view address = text.substr(0, colon);
  const auto port = colon == std::string_view::npos ? std::nullopt
                                                    : ParseNumber<uint16_t>(text.substr(colon + 1));
  const bool six = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (six) address = address.substr(1, address.size() - 2);
  ListenAddress parsed = {.address = std::string(address)};
  in6_addr bytes;
  if (!port || inet_pton(six ? AF_INET6 : AF_INET, parsed.address.c_str(), &bytes) != 1) {
    return WrongFlag("listen",
                     fmt::format("'{}' is not an IP address and a port, like 127.0.0.1:8201 "
                                 "or [::1]:8201",
                                 text));
  }
  parsed.port = *port;
  return parsed;
}

std::vector<Flag> ServingFlags(Flag identity, ServingSettings* settings,
                               const ServingConfig& defaults, const std::vector<Flag>& own) {
  const auto [address, port] = defaults.listen;
  std::vector<Flag> flags = {
      std::move(identity),
      {"listen", &settings->listen, "ADDRESS:PORT",
       fmt::format("Where to listen [{}:{}]; [::1]:{} for IPv6", address, port, port)},
      {"data", &settings->data, kFolder,
       fmt::format("Folder of the data, made if missing [{}]", defaults.data)},
      {"tls-certificate-file", &settings->tls_certificate_file, kFile,
       "PEM: speak https with this certificate and its chain"},
      {"tls-key-file", &settings->tls_key_file, kFile, "PEM: the key of the certificate"},
      {"log-level", &settings->log_level, "LEVEL",
       fmt::format("debug, info, warning or error [{}]", defaults.log_level)},
      {"max-connections", &settings->max_connections, kNumber,
       fmt::format("Connections at a time [{}]", defaults.max_connections)},
      {"threads", &settings->threads, kNumber,
       fmt::format("Requests in work at a time [{}]", defaults.threads)},
  };
  flags.insert(flags.end(), own.begin(), own.end());
  return flags;
}

absl::Status CheckServing(const ServingSettings& settings, ServingConfig* config) {
  if (settings.listen) {
    PODKIT_ASSIGN_OR_RETURN(config->listen, ParseListen(*settings.listen));
  }
  config->data = settings.data.value_or(config->data);
  if (config->data.empty()) return WrongFlag("data", "name a folder");
  config->tls_certificate_file = settings.tls_certificate_file.value_or("");
  config->tls_key_file = settings.tls_key_file.value_or("");
  if (config->tls_certificate_file.empty() != config->tls_key_file.empty()) {
    return WrongFlag("tls-certificate-file",
                     "goes together with --tls-key-file: give both or none");
  }
  config->log_level = settings.log_level.value_or(config->log_level);
  PODKIT_RETURN_IF_ERROR(CheckLogLevel(config->log_level));
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("max-connections", settings.max_connections, 1, &config->max_connections));
  return TakeNumber("threads", settings.threads, 1, &config->threads, 1024);
}

absl::Status CheckTlsFiles(const ServingConfig& config) {
  if (config.tls_key_file.empty()) return absl::OkStatus();
  return TlsContext::Load(config.tls_certificate_file, config.tls_key_file).status();
}

HttpServerOptions ServingHttpOptions(const ServingConfig& config) {
  HttpServerOptions options;
  options.address = config.listen.address;
  options.port = config.listen.port;
  options.tls_certificate_file = config.tls_certificate_file;
  options.tls_key_file = config.tls_key_file;
  options.max_connections = config.max_connections;
  options.worker_threads = config.threads;
  return options;
}

}  // namespace podkit::servers
