// Sends over links to the hosts that know them, and over HTTP to those that do not: decided for
// each host of a pod by itself, so that a pod may be updated host by host.
//
//   auto links = MuxTransport::Create(pods, ...);
//   HttpTransport http;
//   LinksOrHttp transport(links->get(), &http);
//   Conduit conduit(pods, &transport, ...);
//
// A host counts as one that knows links until it answers a dial as an HTTP server that does not;
// the call that found out goes on over HTTP at once. It is dialled again every 10 seconds. Without
// TLS, whoever sits on the way can give that answer, too: requests and replies are then signed, as
// always over HTTP, but can be read. docs/conduit-security.md.
//
// Thread-safe. Ownership: both transports outlive it. Serve, ConnectAll, Drain and Stop are called
// on the links themselves.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "podkit/conduit/mux_transport.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

class LinksOrHttp final : public Transport {
 public:
  // `http` carries signed requests; an HttpTransport.
  LinksOrHttp(MuxTransport* links, Transport* http) : links_(links), http_(http) {}

  TransportTraits traits() const override { return http_->traits(); }
  TransportTraits TraitsTo(const Pod& pod, std::string_view host) const override;
  std::vector<std::string> HostsOf(const Pod& pod) const override { return links_->HostsOf(pod); }
  // With those that are called over HTTP, which keeps no connection that one could wait for.
  std::vector<std::string> ConnectedHostsOf(const Pod& pod) const override;
  HostLink LinkTo(const Pod& pod, std::string_view host) const override;
  void ConnectTo(const Pod& pod) override { links_->ConnectTo(pod); }
  std::shared_ptr<void> WatchConnections(ConnectionWatcher changed) override;
  void Send(Sending sending) override;

 private:
  MuxTransport* const links_;
  Transport* const http_;
};

}  // namespace podkit::conduit
