// Reads and writes one connected socket without ever blocking, in clear or through TLS.
//
// Owner-thread. The socket is the caller's: non-blocking, and open as long as the channel.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace podkit::servers {

class Channel {
 public:
  enum class Outcome {
    kDone,
    kWantRead,   // Try again when the socket is readable,
    kWantWrite,  // or writable.
    kClosed,     // The peer has gone or broke the protocol: close.
  };
  struct Moved {
    Outcome outcome;
    size_t bytes = 0;  // More than 0 if kDone.
  };

  explicit Channel(int socket) : socket_(socket) {}
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Must be done before anything else; again after kWantRead and kWantWrite.
  virtual Outcome Handshake() { return Outcome::kDone; }
  virtual Moved Read(std::span<char> buffer);
  virtual Moved Write(std::string_view bytes);
  // True if a Read that filled less than its buffer may find more without the socket being
  // readable.
  virtual bool MayHoldInput() const { return false; }
  // Tells the peer that nothing follows.
  virtual void CloseWrite();

  // Reads past the protocol, to drop what the peer still sends.
  Moved ReadRaw(std::span<char> buffer) { return Channel::Read(buffer); }

 protected:
  int socket() const { return socket_; }

 private:
  const int socket_;
};

// The certificate and the settings that TLS connections share. Thread-safe.
class TlsContext {
 public:
  // PEM files. The error names the file and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Load(const std::string& certificate_file,
                                                          const std::string& key_file);
  ~TlsContext();

  // Null if memory is short. The channel may outlive the context.
  std::unique_ptr<Channel> NewChannel(int socket) const;

 private:
  struct Native;

  explicit TlsContext(std::unique_ptr<Native> native);

  const std::unique_ptr<Native> native_;
};

}  // namespace podkit::servers
