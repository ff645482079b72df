// Sends requests over links: one connection to a host, kept, on which both ends call each other and
// many calls share the way. It is opened by either side, through an upgrade on the pod's ordinary
// HTTP port, and authenticated before anything is answered. docs/conduit-connection.md has the
// protocol.
//
//   auto transport = MuxTransport::Create(pods, {.host_name = "https://a1.example:8443"});
//   Conduit conduit(pods, transport->get(), ...);
//   (*transport)->Serve([&](ReceivedCall call) { conduit.Answer(std::move(call)); });
//   // The HTTP server: GET kMuxPath with "Upgrade: <kMuxProtocol>" becomes a stream for
//   Acceptor().
//   (*transport)->ConnectAll();
//
// Thread-safe. Ownership: shares `pods`. Outlives the conduit; call Stop before that is destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/byte_stream.h"
#include "podkit/conduit/hosts.h"
#include "podkit/conduit/pods.h"
#include "podkit/conduit/scheduler.h"
#include "podkit/conduit/stream_dialer.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

// Where HTTP servers mount the upgrade (GET), and what it changes to.
inline constexpr std::string_view kMuxPath = "/conduit/connect";
inline constexpr std::string_view kMuxProtocol = "podkit-conduit/1";

// The links to one host. Several do no harm: all of them are used.
struct MuxHostLinks {
  std::string pod;
  std::string host;
  HostLink link = {};   // Whether one of them takes calls.
  size_t dialled = 0;   // Those that this side opened,
  size_t accepted = 0;  // and that the other side did.
  size_t calls_out = 0;
  size_t calls_in = 0;  // Of the other side, that are not done with.
  bool dialling = false;
  bool speaks_only_http = false;      // So it said when it was dialled last and could be reached.
  std::string software_version = {};  // That the host said it runs.
  absl::Status last_error = {};       // Of the last dial or loss.
};

struct MuxTransportOptions {
  // The address at which others reach this host, if there is one; else any name of it.
  std::string host_name = {};
  std::string software_version = {};
  size_t max_body_bytes = size_t{32} << 20;  // Of a call and of a reply, in and out; below 4 GiB.
  size_t max_calls_in = 1024;                // Of one link; the next one is refused.
  absl::Duration connect_timeout = absl::Seconds(5);
  std::shared_ptr<Scheduler> scheduler = nullptr;  // Null: the system's.
  // What it opens links with, as its own only user. Null: TCP, with TLS to https.
  std::shared_ptr<StreamDialer> dialer = nullptr;
  uint64_t seed = 0;  // Of the waits before it dials again; 0: a random one.
  // kConnected and kDisconnected of all hosts, called or not. Called without locks held; must not
  // block. May be empty.
  std::function<void(const HostEvent&)> on_event = {};
};

class MuxTransport final : public Transport {
 public:
  // kInternal, kResourceExhausted: the system has no thread or descriptor left.
  static absl::StatusOr<std::unique_ptr<MuxTransport>> Create(std::shared_ptr<Pods> pods,
                                                              MuxTransportOptions options = {});
  // Stops.
  ~MuxTransport() override;

  // Who answers what other pods call; until then, and if it is empty, they are told to come back.
  void Serve(std::function<void(ReceivedCall)> receiver);

  // For the streams that other hosts open.
  StreamAcceptor Acceptor();

  // Dials every host of the other pods, now and whenever its link is lost, so that it can call
  // here. Again when the pods have changed: links that were dialled to hosts that are gone are
  // closed then, after the calls under way. A host that is called is dialled anyway.
  void ConnectAll();

  // Takes no more calls, and closes each link when those under way have ended, at the latest after
  // `grace`. Does not wait.
  void Drain(absl::Duration grace);

  // Ends all links and calls. Nothing is received when it has returned. Not in a callback.
  void Stop();

  // By pod and host: those that were dialled or that dialled here.
  std::vector<MuxHostLinks> Status() const;

  // True if the host, when it was dialled last and could be reached, spoke HTTP and not this
  // protocol. It is dialled again every 10 seconds.
  bool SpeaksOnlyHttp(const Pod& pod, std::string_view host) const;

  TransportTraits traits() const override { return {.authenticates = true, .carries_stop = true}; }
  // Those of the pods file, and "link:<name>" for each that is in reach only because it opened a
  // link.
  std::vector<std::string> HostsOf(const Pod& pod) const override;
  std::vector<std::string> ConnectedHostsOf(const Pod& pod) const override;
  HostLink LinkTo(const Pod& pod, std::string_view host) const override;
  void ConnectTo(const Pod& pod) override;
  std::shared_ptr<void> WatchConnections(ConnectionWatcher changed) override;
  void Send(Sending sending) override;

 private:
  struct State;
  explicit MuxTransport(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit
