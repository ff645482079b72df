// Sends requests as HTTP POST with libcurl: kept connections, a deadline on every call, TLS when
// the host's address says https.
//
// Thread-safe. One thread carries all requests. Up to `max_connections` requests per host are in
// flight at a time; the next one waits for its turn within its deadline. Destroying the transport
// ends what is in flight.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

namespace internal {
class HttpLoop;
}  // namespace internal

struct HttpTransportOptions {
  size_t max_connections = 64;  // Per host.
  absl::Duration connect_timeout = absl::Seconds(3);
  // Of a kept connection. Keep it below the idle time-out of the servers called.
  absl::Duration max_idle = absl::Seconds(30);
  size_t max_reply_bytes = size_t{64} << 20;
  std::string user_agent = "podkit";
  std::function<absl::Time()> now = [] {
    return absl::Now();
  };  // What deadlines are compared with.
};

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(HttpTransportOptions options = {});
  ~HttpTransport() override;

  void Send(Sending sending) override;

 private:
  const std::unique_ptr<internal::HttpLoop> loop_;
};

}  // namespace podkit::conduit
