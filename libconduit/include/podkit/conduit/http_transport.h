// Sends requests as HTTP POST with libcurl: kept connections, a deadline on every call, TLS when
// the host's address says https.
//
// Thread-safe. Up to `max_connections` calls per host are in flight at a time; the next one waits
// for its turn within its deadline.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

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

  // Tries the hosts of the pod in turn, beginning with the one that answered last, as long as
  // nothing was executed.
  absl::StatusOr<WireReply> Send(const Pod& pod, const WireRequest& request,
                                 absl::Time deadline) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit
