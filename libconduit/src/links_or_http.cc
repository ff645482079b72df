#include "podkit/conduit/links_or_http.h"

#include <algorithm>
#include <utility>

namespace podkit::conduit {
namespace {

constexpr std::string_view kOverHttp = "over HTTP, for it does not know links";

}  // namespace

TransportTraits LinksOrHttp::TraitsTo(const Pod& pod, std::string_view host) const {
  return links_->SpeaksOnlyHttp(pod, host) ? http_->traits() : links_->traits();
}

std::vector<std::string> LinksOrHttp::ConnectedHostsOf(const Pod& pod) const {
  const std::vector<std::string> linked = links_->ConnectedHostsOf(pod);
  std::vector<std::string> hosts = links_->HostsOf(pod);
  std::erase_if(hosts, [&](const std::string& host) {
    return std::find(linked.begin(), linked.end(), host) == linked.end() &&
           !links_->SpeaksOnlyHttp(pod, host);
  });
  return hosts;
}

HostLink LinksOrHttp::LinkTo(const Pod& pod, std::string_view host) const {
  HostLink link = links_->LinkTo(pod, host);
  if (!links_->SpeaksOnlyHttp(pod, host)) return link;
  return {HostConnection::kConnected, link.since, std::string(kOverHttp)};
}

std::shared_ptr<void> LinksOrHttp::WatchConnections(ConnectionWatcher changed) {
  return links_->WatchConnections([links = links_, changed = std::move(changed)](HostEvent event) {
    // A link that is lost, or refused, is no loss where calls go another way.
    const bool lost = event.kind == HostEvent::Kind::kDisconnected;
    if (lost && links->SpeaksOnlyHttp({.id = event.pod}, event.host)) {
      event.kind = HostEvent::Kind::kConnected;
      event.reason = kOverHttp;
    }
    changed(event);
  });
}

// As the request was made: it is not signed for a link.
void LinksOrHttp::Send(Sending sending) {
  const bool linked = sending.request.authorization.empty();
  (linked ? static_cast<Transport*>(links_) : http_)->Send(std::move(sending));
}

}  // namespace podkit::conduit
