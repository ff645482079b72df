// What carries a request to a host of another pod and brings back its reply.
//
// A transport moves bytes and does not read them. Most leave it to the conduit to sign what it
// sends and to verify what it gets; a transport whose connections are authenticated says so, and
// then tells who called.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/hosts.h"
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

// One request on its way to one host.
struct Sending {
  std::shared_ptr<const Pod> pod;
  std::string host;  // One of HostsOf(pod).
  WireRequest request;
  absl::Time deadline;
  std::stop_token stop = {};  // The caller wants the reply no more.
  // Called once, from any thread and perhaps before Send returns, without locks held.
  std::function<void(absl::StatusOr<WireReply>)> done;
};

// A request that came over a transport which authenticates.
struct ReceivedCall {
  std::shared_ptr<const Pod> caller;
  WireRequest request;
  std::stop_token stop = {};             // The caller cancelled, or is gone.
  std::function<void(WireReply)> reply;  // To be called once, from any thread.
};

struct TransportTraits {
  // Both ends are proven and every byte is protected: requests and replies travel unsigned.
  bool authenticates = false;
  // A stop reaches the responder.
  bool carries_stop = false;
};

// Thread-safe: any number of threads may send at the same time.
class Transport {
 public:
  virtual ~Transport() = default;

  // What holds for every host.
  virtual TransportTraits traits() const { return {}; }

  // What holds for one of HostsOf(pod) now, where that differs: a request is signed or not by this,
  // and Send takes it as it is, though it may hold no more.
  virtual TransportTraits TraitsTo(const Pod& pod, std::string_view host) const {
    (void)pod, (void)host;
    return traits();
  }

  // The hosts of `pod` that can be tried now; may differ from call to call.
  virtual std::vector<std::string> HostsOf(const Pod& pod) const { return pod.hosts; }

  // Those of them that a call reaches without waiting for a connection. All, where none is kept.
  virtual std::vector<std::string> ConnectedHostsOf(const Pod& pod) const { return HostsOf(pod); }

  // The connection to one of HostsOf(pod); no connection is kept by default.
  virtual HostLink LinkTo(const Pod& pod, std::string_view host) const {
    (void)pod, (void)host;
    return {};
  }

  // Somebody waits for the pod: a transport that keeps connections connects to its hosts. Does not
  // block.
  virtual void ConnectTo(const Pod& pod) { (void)pod; }

  // `changed` is told whenever a host was connected or disconnected, and so ConnectedHostsOf and
  // LinkTo may have changed, until what is returned is let go of; without locks held, and perhaps
  // one last time then. Events of threads that cross may come in another order than their times.
  // Null: it never does.
  using ConnectionWatcher = std::function<void(const HostEvent&)>;
  // By value: who overrides it keeps it.
  virtual std::shared_ptr<void> WatchConnections(
      ConnectionWatcher /*changed*/) {  // NOLINT(performance-unnecessary-value-param)
    return nullptr;
  }

  // Sends the request and calls `done` with the reply, whatever its status, or with a
  // TransportError that tells kNotExecuted from kUnknown, kTimedOut (soon after the deadline) and
  // kCancelled (soon after the stop); Overloaded (kNotExecuted) where the host says when to come
  // back; kAborted (kNotExecuted) where the connection was closed in good order, so that nothing is
  // wrong with sending it again at once, to the same host if there is no other. Does not block.
  virtual void Send(Sending sending) = 0;
};

// Sends and waits.
absl::StatusOr<WireReply> SendAndWait(Transport& transport, Sending sending);

}  // namespace podkit::conduit
