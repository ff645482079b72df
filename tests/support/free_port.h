// A TCP port on loopback that nobody listens on right now.
//
// Only for a process that must be told its port. A server in the test itself listens on port 0 and
// says what it got.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace podkit::testing {

// Throws std::system_error when the machine gives none. The kernel hands out another port on each
// call until it has been through its range, so tests that run side by side do not meet.
inline uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  const bool bound = fd >= 0 && bind(fd, raw, size) == 0 && getsockname(fd, raw, &size) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!bound) throw std::system_error(error, std::generic_category(), "no free port on loopback");
  return ntohs(address.sin_port);
}

}  // namespace podkit::testing
