// Reads and writes one connected socket without ever blocking, in clear or through TLS.
//
// Owner-thread; in clear, one thread may read while another one writes. The socket is the caller's:
// non-blocking, and open as long as the channel.
#pragma once

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace podkit {

class Channel {
 public:
  enum class Outcome {
    kDone,
    kWantRead,   // Try again when the socket is readable,
    kWantWrite,  // or writable.
    kEnd,        // The peer sends no more.
    kFailed,     // The connection is of no more use.
  };
  struct Moved {
    Outcome outcome;
    size_t bytes = 0;  // More than 0 if kDone.
    int error = 0;     // If kFailed: an errno, or 0 if the peer broke the protocol.
  };

  explicit Channel(int socket) : socket_(socket) {}
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Must be done before anything else; again after kWantRead and kWantWrite.
  virtual Outcome Handshake() { return Outcome::kDone; }

  virtual Moved Read(std::span<char> buffer) {
    for (;;) {
      const ssize_t n = recv(socket_, buffer.data(), buffer.size(), 0);
      if (n > 0) return {Outcome::kDone, static_cast<size_t>(n)};
      if (n == 0) return {Outcome::kEnd};
      if (errno != EINTR) return FromErrno(Outcome::kWantRead);
    }
  }

  virtual Moved Write(std::string_view bytes) {
    for (;;) {
      const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) return {Outcome::kDone, static_cast<size_t>(n)};
      if (errno != EINTR) return FromErrno(Outcome::kWantWrite);
    }
  }

  // Writes bytes of an open file; kFailed also if the file ends before. SIGPIPE must be blocked.
  virtual Moved WriteFile(int file, uint64_t offset, uint64_t size) {
    auto at = static_cast<off_t>(offset);
    for (;;) {
      const ssize_t n = sendfile(socket_, file, &at, std::min(size, kMaxFilePiece));
      if (n > 0) return {Outcome::kDone, static_cast<size_t>(n)};
      if (n == 0) return {Outcome::kFailed};
      if (errno != EINTR) return FromErrno(Outcome::kWantWrite);
    }
  }

  // True if a Read that filled less than its buffer may find more without the socket being
  // readable.
  virtual bool MayHoldInput() const { return false; }

  // Tells the peer that nothing follows.
  virtual void CloseWrite() { shutdown(socket_, SHUT_WR); }

  // After the handshake: 32 bytes that both ends of the TLS session, and nobody else, can export
  // (RFC 9266). Empty in clear, and for a session of TLS 1.2 in which they would not be unique.
  virtual std::string Binding() const { return {}; }

  // Reads past the protocol, to drop what the peer still sends.
  Moved ReadRaw(std::span<char> buffer) { return Channel::Read(buffer); }

 private:
  static constexpr uint64_t kMaxFilePiece = 1 << 20;

  static Moved FromErrno(Outcome when_blocked) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {when_blocked};
    return {Outcome::kFailed, 0, errno};
  }

  const int socket_;
};

}  // namespace podkit
