#include "host_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

bool IsHostName(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (const std::string_view label : SplitText(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
      return false;
    }
    const bool good = std::all_of(label.begin(), label.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (!good) return false;
  }
  return true;
}

bool IsIpv6(std::string_view name) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(name).c_str(), &address) == 1;
}

}  // namespace

absl::StatusOr<std::string> NormalHostAddress(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not scheme://host:port: {}", text.substr(0, 300), why));
  };
  std::string address(text);
  std::transform(address.begin(), address.end(), address.begin(), AsciiLower);
  std::string_view rest = address;
  const bool tls = rest.starts_with("https://");
  if (!tls && !rest.starts_with("http://")) return bad("it must start with http:// or https://");
  rest.remove_prefix(tls ? 8 : 7);
  if (rest.find('@') != std::string_view::npos) return bad("it must not have a user or password");
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return bad("nothing may follow the port, not even '/'");
  }
  std::string_view host = rest;
  std::string_view port = tls ? "443" : "80";
  const size_t colon = rest.starts_with('[') ? rest.find(':', rest.find(']')) : rest.find(':');
  if (colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
  }
  const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  if (bracketed ? !IsIpv6(host.substr(1, host.size() - 2)) : !IsHostName(host)) {
    return bad("the host is not a name, an IPv4 address or an IPv6 address in brackets");
  }
  const auto number = ParseNumber<uint16_t>(port);
  if (!number || *number == 0) return bad("the port is not a number from 1 to 65535");
  return fmt::format("{}://{}:{}", tls ? "https" : "http", host, *number);
}

}  // namespace podkit::conduit::internal
