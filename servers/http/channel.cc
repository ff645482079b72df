#include "servers/http/channel.h"

#include <sys/socket.h>

#include <cerrno>

namespace podkit::servers {
namespace {

Channel::Moved FromErrno(Channel::Outcome when_blocked) {
  const bool blocked = errno == EAGAIN || errno == EWOULDBLOCK;
  return {blocked ? when_blocked : Channel::Outcome::kClosed};
}

}  // namespace

Channel::Moved Channel::Read(std::span<char> buffer) {
  for (;;) {
    const ssize_t n = recv(socket_, buffer.data(), buffer.size(), 0);
    if (n > 0) return {Outcome::kDone, static_cast<size_t>(n)};
    if (n == 0) return {Outcome::kClosed};
    if (errno != EINTR) return FromErrno(Outcome::kWantRead);
  }
}

Channel::Moved Channel::Write(std::string_view bytes) {
  for (;;) {
    const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) return {Outcome::kDone, static_cast<size_t>(n)};
    if (errno != EINTR) return FromErrno(Outcome::kWantWrite);
  }
}

void Channel::CloseWrite() { shutdown(socket_, SHUT_WR); }

}  // namespace podkit::servers
