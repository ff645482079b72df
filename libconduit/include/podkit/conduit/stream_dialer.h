// Opens the connections that links run on. MuxTransport has one of its own, for TCP and TLS;
// another one lets links run on somebody else's sockets or event loop, or on a network that a test
// simulates (testing/simulated_network.h).
//
// Thread-safe.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/conduit/byte_stream.h"

namespace podkit::conduit {

struct DialTarget {
  std::string host;     // As in Pod::hosts: scheme://host:port, http or https.
  std::string ca_file;  // As in Pod.
  absl::Time deadline = absl::InfiniteFuture();  // For all up to the stream.
};

class StreamDialer {
 public:
  virtual ~StreamDialer() = default;

  // Connects to `target`, whose other end is given the stream by its own StreamAcceptor, and calls
  // either `opened` with the stream or `failed`, once, and not inside this call. They do not block.
  // Each message of a failure names the host.
  virtual void Dial(DialTarget target, StreamAcceptor opened,
                    std::function<void(absl::Status)> failed) = 0;

  // Fails what is being dialled and cuts the streams, and neither `opened` nor `failed` is called
  // nor a stream's user when it has returned; what is dialled afterwards is dropped. Not in a
  // callback. Repeating it does nothing.
  virtual void Stop() = 0;
};

}  // namespace podkit::conduit
