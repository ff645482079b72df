// A connected stream of bytes, between whoever owns the socket and whoever speaks on it.
//
// The owner (an HTTP server after an upgrade, a dialler, a pump of a test) implements ByteStream
// and brings what arrives; the protocol implements StreamUser and is asked for its output whenever
// the socket can take some. So what waits meanwhile leaves in one write, and nothing is queued
// twice.
//
// Ownership: each side holds the other by shared_ptr; the owner lets go of its user after Closed,
// and the user of its stream in Closed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace podkit::conduit {

// Called by its stream only, without locks held. Receive and Closed come one after the other, and
// so do the calls of TakeOutput; but TakeOutput may run while Receive does, on another thread.
class StreamUser {
 public:
  virtual ~StreamUser() = default;

  // Bytes that came, in order and cut anywhere.
  virtual void Receive(std::string_view bytes) = 0;

  // The next bytes to send, at most about 256 KiB; empty if there are none before the next Wake.
  virtual std::string TakeOutput() = 0;

  // Nothing more comes or can be sent: OK after Close or an orderly end of the other side, else
  // what went wrong. The last call, with no other one running.
  virtual void Closed(const absl::Status& why) = 0;
};

// Thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // There is output: TakeOutput is called soon, perhaps before this returns. Call it without a lock
  // that the StreamUser takes. After the end it does nothing.
  virtual void Wake() = 0;

  // Sends what TakeOutput has, then closes; Closed follows. Repeating it does nothing.
  virtual void Close() = 0;

  // 32 bytes that both ends of the TLS session, and nobody else, can export (RFC 9266); empty
  // without TLS.
  virtual std::string ChannelBinding() const = 0;

  // The other end, for logs: "127.0.0.1:40112".
  virtual std::string peer() const = 0;
};

// Takes a stream that was just opened and gives its user, which is asked for its output at once.
using StreamAcceptor = std::function<std::shared_ptr<StreamUser>(std::shared_ptr<ByteStream>)>;

}  // namespace podkit::conduit
