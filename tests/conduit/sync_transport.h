// A transport that a test makes of one function, which answers on the thread that sends.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "podkit/conduit/transport.h"

namespace podkit::conduit {

class SyncTransport : public Transport {
 public:
  virtual absl::StatusOr<WireReply> Exchange(const WireRequest& request) = 0;

  std::vector<std::string> HostsOf(const Pod& pod) const override { return {pod.id}; }
  void Send(Sending sending) override { sending.done(Exchange(sending.request)); }
};

}  // namespace podkit::conduit
