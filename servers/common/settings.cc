#include "servers/common/settings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <iterator>

#include "common/text.h"

namespace podkit::servers {

absl::Status WrongFlag(std::string_view flag, std::string_view text) {
  return absl::InvalidArgumentError(fmt::format("--{}: {}", flag, text));
}

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

absl::Status CheckLogLevel(std::string_view level) {
  constexpr std::string_view kLogLevels[] = {"debug", "info", "warning", "error"};
  if (std::ranges::find(kLogLevels, level) != std::end(kLogLevels)) return absl::OkStatus();
  return WrongFlag("log-level", fmt::format("'{}' is not debug, info, warning or error", level));
}

}  // namespace podkit::servers
