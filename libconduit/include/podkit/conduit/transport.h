// What carries a request to another pod and brings back its reply.
//
// A transport moves bytes: it neither reads nor signs them. The conduit on each side does both, the
// same way for every transport.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/pods.h"

namespace podkit::conduit {

// Where HTTP servers mount the conduit: POST to this path.
inline constexpr std::string_view kConduitPath = "/conduit";

struct WireRequest {
  std::string content_type = {};
  std::string authorization = {};  // The HTTP header "Authorization".
  std::string body = {};
};

struct WireReply {
  int status = 200;  // As in HTTP.
  std::string content_type = {};
  std::string authorization = {};  // The HTTP header "X-Podkit-Authorization".
  std::string body = {};
};

// Thread-safe: any number of threads may send at the same time.
class Transport {
 public:
  virtual ~Transport() = default;

  // Sends `request` to one of the hosts of `pod` and waits for the reply until `deadline`. A
  // failure is a TransportError that tells kNotExecuted from kUnknown and kTimedOut; a reply of any
  // status is a success.
  virtual absl::StatusOr<WireReply> Send(const Pod& pod, const WireRequest& request,
                                         absl::Time deadline) = 0;
};

}  // namespace podkit::conduit
