#include "mux/link_pool.h"

#include <algorithm>
#include <set>
#include <utility>

#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

constexpr std::string_view kLinkOnly = "link:";
// What calls get that are under way to a host that the pod has no more.
constexpr absl::Duration kGoneGrace = absl::Seconds(30);
// Until a host is dialled again that answered as one that does not know links.
constexpr absl::Duration kOnlyHttpWait = absl::Seconds(10);

bool CanDial(std::string_view host) { return !host.starts_with(kLinkOnly); }

bool HasHost(const Pod& pod, std::string_view host) {
  return std::find(pod.hosts.begin(), pod.hosts.end(), host) != pod.hosts.end();
}

}  // namespace

absl::StatusOr<std::shared_ptr<LinkPool>> LinkPool::Create(LinkPoolOptions options) {
  if (options.dialer == nullptr) {
    auto dialer = Dialer::Create({.scheduler = options.scheduler});
    if (!dialer.ok()) return dialer.status();
    options.dialer = *std::move(dialer);
  }
  // Not make_shared: the constructor is private.
  return std::shared_ptr<LinkPool>(new LinkPool(std::move(options)));
}

LinkPool::LinkPool(LinkPoolOptions options)
    : options_(std::move(options)), dialer_(options_.dialer), random_(options_.seed) {}

LinkPool::~LinkPool() = default;

LinkPool::Host& LinkPool::HostOf(const Key& key) {
  return hosts_.try_emplace(key, options_.backoff).first->second;
}

std::vector<std::shared_ptr<MuxLink>> LinkPool::AllLinks() const {
  std::vector<std::shared_ptr<MuxLink>> all;
  for (const auto& [key, host] : hosts_) {
    for (const auto& link : host.links) all.push_back(link->mux);
  }
  for (const auto& link : opening_) all.push_back(link->mux);
  return all;
}

void LinkPool::Stop() {
  std::vector<std::shared_ptr<MuxLink>> links;
  std::vector<std::shared_ptr<PendingCall>> waiting;
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    links = AllLinks();
    for (auto& [key, host] : hosts_) {
      waiting.insert(waiting.end(), host.waiting.begin(), host.waiting.end());
      host.waiting.clear();
    }
  }
  for (const auto& link : links) link->Close(absl::OkStatus());
  dialer_->Stop();
  for (const auto& call : waiting) {
    call->Finish(TransportError(Outcome::kNotExecuted, "this side ends"));
  }
}

void LinkPool::Drain(absl::Duration grace) {
  std::vector<std::shared_ptr<MuxLink>> links;
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    links = AllLinks();
  }
  for (const auto& link : links) link->Shutdown(grace);
}

StreamAcceptor LinkPool::Acceptor() {
  return
      [weak = weak_from_this()](std::shared_ptr<ByteStream> stream) -> std::shared_ptr<StreamUser> {
        const auto self = weak.lock();
        return self == nullptr ? nullptr : self->AcceptLink(std::move(stream));
      };
}

std::shared_ptr<StreamUser> LinkPool::OpenLink(const Key& key, std::shared_ptr<const Pod> pod,
                                               std::shared_ptr<ByteStream> stream) {
  const auto link = std::make_shared<Link>(Link{.key = key, .dialled = true});
  auto mux = MuxLink::Dial(std::move(stream), std::move(pod), ConfigOf(link));
  if (Enlist(link, mux)) return mux;
  OnDialFailed(key, absl::CancelledError("this side ends"));
  return nullptr;
}

std::shared_ptr<StreamUser> LinkPool::AcceptLink(std::shared_ptr<ByteStream> stream) {
  const auto link = std::make_shared<Link>();
  auto mux = MuxLink::Accept(std::move(stream), ConfigOf(link));
  return Enlist(link, mux) ? mux : nullptr;
}

bool LinkPool::Enlist(const std::shared_ptr<Link>& link, const std::shared_ptr<MuxLink>& mux) {
  MutexLock lock(&mutex_);
  if (draining_) return false;
  if (link->closed) return true;  // Already: its stream has yet to hear of it.
  link->mux = mux;
  opening_.push_back(link);
  return true;
}

MuxLinkConfig LinkPool::ConfigOf(const std::shared_ptr<Link>& link) {
  MuxLinkConfig config{.identity = options_.identity,
                       .options = options_.mux,
                       .scheduler = options_.scheduler,
                       .handlers = {}};
  const auto weak = weak_from_this();
  config.handlers.on_call = options_.on_call;
  config.handlers.on_connected = [weak, link](const MuxPeer& peer) {
    if (const auto self = weak.lock()) self->OnConnected(link, peer);
  };
  config.handlers.on_going_away = [weak, link](GoAwayReason, absl::Duration retry_after) {
    if (const auto self = weak.lock()) self->OnGoingAway(link, retry_after);
  };
  config.handlers.on_closed = [weak, link](const absl::Status& why) {
    if (const auto self = weak.lock()) self->OnClosed(link, why);
  };
  return config;
}

void LinkPool::OnConnected(const std::shared_ptr<Link>& link, const MuxPeer& peer) {
  Effects effects;
  {
    MutexLock lock(&mutex_);
    std::erase(opening_, link);
    if (!link->dialled) {
      const bool listed = HasHost(*peer.pod, peer.host_name);
      link->key = {peer.pod->id, listed ? peer.host_name : std::string(kLinkOnly) + peer.host_name};
    }
    link->connected = true;
    Host& host = HostOf(link->key);
    if (link->dialled) host.dialling = false;
    host.backoff.Reset();
    host.next_dial = absl::InfinitePast();
    host.speaks_only_http = false;
    host.software_version = peer.software_version;
    effects.send.swap(host.waiting);
    effects.send_on = link->mux;
    host.links.push_back(link);
    SetConnection(link->key, HostConnection::kConnected,
                  fmt::format("{}, version {}", link->dialled ? "dialled" : "accepted",
                              peer.software_version),
                  &effects);
  }
  Do(effects);
}

void LinkPool::OnGoingAway(const std::shared_ptr<Link>& link, absl::Duration retry_after) {
  Effects effects;
  {
    MutexLock lock(&mutex_);
    if (!link->connected) return;
    Host& host = HostOf(link->key);
    effects.key = link->key;
    if (BestLink(host) == nullptr) {
      SetConnection(link->key, HostConnection::kDisconnected, "it takes no more calls", &effects);
      DialLater(host, retry_after, &effects);
      if (retry_after > absl::ZeroDuration()) {
        host.next_dial = options_.scheduler->Now() + retry_after;
      }
    }
  }
  Do(effects);
}

void LinkPool::OnClosed(const std::shared_ptr<Link>& link, const absl::Status& why) {
  Effects effects;
  std::shared_ptr<MuxLink> released;
  {
    MutexLock lock(&mutex_);
    link->closed = true;
    released.swap(link->mux);
    std::erase(opening_, link);
    if (!link->connected) {
      if (link->dialled) DialFailed(link->key, why, &effects);
    } else {
      Host& host = HostOf(link->key);
      std::erase(host.links, link);
      host.last_error = why;
      effects.key = link->key;
      if (BestLink(host) == nullptr) {
        SetConnection(link->key, HostConnection::kDisconnected,
                      why.ok() ? std::string("it was closed") : std::string(why.message()),
                      &effects);
      }
      if (host.links.empty()) {
        // A call that comes before that dials at once, for the host was well until now.
        DialLater(host, absl::ZeroDuration(), &effects);
        if (!CanDial(link->key.second)) hosts_.erase(link->key);
      }
    }
  }
  Do(effects);
}

void LinkPool::OnDialFailed(const Key& key, const absl::Status& why) {
  Effects effects;
  {
    MutexLock lock(&mutex_);
    DialFailed(key, why, &effects);
  }
  Do(effects);
}

void LinkPool::DialFailed(const Key& key, const absl::Status& why, Effects* effects) {
  Host& host = HostOf(key);
  host.dialling = false;
  host.last_error = why;
  effects->key = key;
  effects->fail.swap(host.waiting);
  effects->why = why;
  const bool only_http = absl::IsUnimplemented(why);
  const bool news = only_http && !host.speaks_only_http;
  if (only_http) host.speaks_only_http = true;
  if (!draining_ && BestLink(host) == nullptr) {
    SetConnection(key, HostConnection::kDisconnected, std::string(why.message()), effects, news);
  }
  DialLater(host, only_http ? kOnlyHttpWait : absl::ZeroDuration(), effects);
  if (effects->dial_at < absl::InfiniteFuture()) host.next_dial = effects->dial_at;
}

void LinkPool::DialLater(Host& host, absl::Duration at_least, Effects* effects) {
  if (!host.wanted || draining_ || host.dialling) return;
  const absl::Time wanted =
      options_.scheduler->Now() + std::max(host.backoff.Next(random_), at_least);
  effects->dial_at = std::max(wanted, host.next_dial);
}

void LinkPool::SetConnection(const Key& key, HostConnection connection, std::string reason,
                             Effects* effects, bool news) {
  HostLink& link = HostOf(key).link;
  if (link.connection == connection && !news) return;
  const absl::Time now = options_.scheduler->Now();
  const bool connected = connection == HostConnection::kConnected;
  const bool was_down = link.connection == HostConnection::kDisconnected;
  effects->events.push_back(
      {.kind = connected ? HostEvent::Kind::kConnected : HostEvent::Kind::kDisconnected,
       .pod = key.first,
       .host = key.second,
       .at = now,
       .reason = reason,
       .downtime = connected && was_down ? now - link.since : absl::ZeroDuration()});
  link = {.connection = connection, .since = now, .reason = std::move(reason)};
}

void LinkPool::Do(const Effects& effects) {
  for (const HostEvent& event : effects.events) options_.on_event(event);
  for (const auto& call : effects.send) call->SendOn(effects.send_on);
  for (const auto& call : effects.fail) {
    call->Finish(TransportError(Outcome::kNotExecuted, std::string(effects.why.message())));
  }
  if (effects.dial_at == absl::InfiniteFuture()) return;
  options_.scheduler->At(effects.dial_at, [weak = weak_from_this(), key = effects.key] {
    if (const auto self = weak.lock()) self->DialNow(key);
  });
}

void LinkPool::DialNow(const Key& key) {
  {
    const auto pod = options_.identity.pods->Find(key.first);
    MutexLock lock(&mutex_);
    Host& host = HostOf(key);
    if (pod == nullptr || !HasHost(*pod, key.second)) host.wanted = false;
    if (!host.wanted || draining_ || BestLink(host) != nullptr) return;
    if (std::exchange(host.dialling, true)) return;
  }
  Dial(key);
}

void LinkPool::Dial(const Key& key) {
  const auto pod = options_.identity.pods->Find(key.first);
  if (pod == nullptr) {
    return OnDialFailed(key, absl::NotFoundError(fmt::format("there is no pod '{}'", key.first)));
  }
  dialer_->Dial(
      {.host = key.second,
       .ca_file = pod->ca_file,
       .deadline = options_.scheduler->Now() + options_.connect_timeout},
      [weak = weak_from_this(), key,
       pod](std::shared_ptr<ByteStream> stream) -> std::shared_ptr<StreamUser> {
        const auto self = weak.lock();
        return self == nullptr ? nullptr : self->OpenLink(key, pod, std::move(stream));
      },
      [weak = weak_from_this(), key](const absl::Status& why) {
        if (const auto self = weak.lock()) self->OnDialFailed(key, why);
      });
}

void LinkPool::ConnectAll() {
  const auto pods = options_.identity.pods->All();
  CloseGone(pods);
  for (const auto& pod : pods) {
    if (pod->id != options_.identity.pods->own_id()) ConnectTo(*pod);
  }
}

void LinkPool::CloseGone(const std::vector<std::shared_ptr<const Pod>>& pods) {
  std::set<Key> listed;
  for (const auto& pod : pods) {
    for (const std::string& host : pod->hosts) listed.emplace(pod->id, host);
  }
  std::vector<std::shared_ptr<MuxLink>> gone;
  {
    MutexLock lock(&mutex_);
    for (auto& [key, host] : hosts_) {
      if (listed.contains(key)) continue;
      host.wanted = false;
      for (const auto& link : host.links) {
        if (link->dialled) gone.push_back(link->mux);
      }
    }
  }
  for (const auto& link : gone) link->Shutdown(kGoneGrace);
}

void LinkPool::ConnectTo(const Pod& pod) {
  {
    MutexLock lock(&mutex_);
    for (const std::string& host : pod.hosts) HostOf({pod.id, host}).wanted = true;
  }
  for (const std::string& host : pod.hosts) DialNow({pod.id, host});
}

std::vector<std::string> LinkPool::ConnectedHostsOf(const Pod& pod) const {
  std::vector<std::string> connected;
  const std::vector<std::string> hosts = HostsOf(pod);
  MutexLock lock(&mutex_);
  for (const std::string& name : hosts) {
    const auto host = hosts_.find({pod.id, name});
    if (host != hosts_.end() && BestLink(host->second) != nullptr) connected.push_back(name);
  }
  return connected;
}

std::vector<std::string> LinkPool::HostsOf(const Pod& pod) const {
  std::vector<std::string> hosts = pod.hosts;
  MutexLock lock(&mutex_);
  for (auto it = hosts_.lower_bound({pod.id, ""}); it != hosts_.end() && it->first.first == pod.id;
       ++it) {
    if (!HasHost(pod, it->first.second) && BestLink(it->second) != nullptr) {
      hosts.push_back(it->first.second);
    }
  }
  return hosts;
}

HostLink LinkPool::LinkTo(const Pod& pod, std::string_view host) const {
  MutexLock lock(&mutex_);
  const auto found = hosts_.find({pod.id, std::string(host)});
  return found == hosts_.end() ? HostLink() : found->second.link;
}

bool LinkPool::SpeaksOnlyHttp(const Pod& pod, std::string_view host) const {
  MutexLock lock(&mutex_);
  const auto found = hosts_.find({pod.id, std::string(host)});
  return found != hosts_.end() && found->second.speaks_only_http;
}

std::shared_ptr<MuxLink> LinkPool::BestLink(const Host& host) {
  std::shared_ptr<MuxLink> best;
  for (const auto& link : host.links) {
    if (!link->mux->accepts_calls()) continue;
    if (best == nullptr || link->mux->calls_out() < best->calls_out()) best = link->mux;
  }
  return best;
}

std::string LinkPool::WhyNotWait(const Key& key, const Host& host) const {
  if (!CanDial(key.second)) return "its link takes no more calls";
  if (host.dialling || options_.scheduler->Now() >= host.next_dial) return "";
  return fmt::format("no link to it: {}", host.last_error.ok()
                                              ? "it was closed"
                                              : std::string(host.last_error.message()));
}

void LinkPool::Send(LinkCall call) {
  const Key key(call.pod->id, call.host);
  const auto pending = PendingCall::Begin(std::move(call), options_.scheduler);
  std::shared_ptr<MuxLink> link;
  std::string problem;
  bool dial = false;
  {
    MutexLock lock(&mutex_);
    if (draining_) {
      problem = "this side ends";
    } else if (!CanDial(key.second) && !hosts_.contains(key)) {
      problem = "there is no link to it, and it cannot be dialled";
    } else {
      Host& host = HostOf(key);
      link = BestLink(host);
      if (link == nullptr) problem = WhyNotWait(key, host);
      if (link == nullptr && problem.empty()) {
        host.wanted = true;
        host.waiting.push_back(pending);
        dial = !std::exchange(host.dialling, true);
      }
    }
  }
  if (link != nullptr) return pending->SendOn(link);
  if (dial) return Dial(key);
  if (problem.empty()) return;
  pending->Finish(
      TransportError(Outcome::kNotExecuted, fmt::format("{}: {}", key.second, problem)));
}

std::vector<MuxHostLinks> LinkPool::Status() const {
  std::vector<MuxHostLinks> all;
  MutexLock lock(&mutex_);
  for (const auto& [key, host] : hosts_) {
    MuxHostLinks& status = all.emplace_back(MuxHostLinks{.pod = key.first,
                                                         .host = key.second,
                                                         .link = host.link,
                                                         .dialling = host.dialling,
                                                         .speaks_only_http = host.speaks_only_http,
                                                         .software_version = host.software_version,
                                                         .last_error = host.last_error});
    for (const auto& link : host.links) {
      ++(link->dialled ? status.dialled : status.accepted);
      status.calls_out += link->mux->calls_out();
      status.calls_in += link->mux->calls_in();
    }
  }
  return all;
}

}  // namespace podkit::conduit::internal
