// The links between this host and the hosts of the other pods: dialled on demand and then kept, or
// accepted; and the calls that wait for one.
//
// Which side dialled does not matter: a pod that can only dial out is called over the link that it
// opened. Several links to one host do no harm, all of them are used.
//
// Thread-safe. Callbacks run without locks held, on the threads of links and of the scheduler, so
// they must not block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "hosts/backoff.h"
#include "hosts/random.h"
#include "mux/dialer.h"
#include "mux/link.h"
#include "mux/pending_call.h"
#include "podkit/conduit/mux_transport.h"

namespace podkit::conduit::internal {

struct LinkPoolOptions {
  // host_name: the address at which others reach this host, if there is one.
  HandshakeConfig identity;
  MuxOptions mux = {};
  std::shared_ptr<Scheduler> scheduler;
  std::shared_ptr<StreamDialer> dialer = nullptr;  // Null: a Dialer.
  absl::Duration connect_timeout = absl::Seconds(5);
  BackoffOptions backoff = {
      .first = absl::Milliseconds(100), .max = absl::Seconds(5), .jitter = Jitter::kEqual};
  uint64_t seed = 0;  // Of the jitter.
  std::function<void(std::shared_ptr<IncomingCall>)> on_call;
  std::function<void(const HostEvent&)> on_event = [](const HostEvent&) {};
};

class LinkPool : public std::enable_shared_from_this<LinkPool> {
 public:
  // Without a dialler it fails as Dialer::Create does.
  static absl::StatusOr<std::shared_ptr<LinkPool>> Create(LinkPoolOptions options);
  ~LinkPool();
  LinkPool(const LinkPool&) = delete;
  LinkPool& operator=(const LinkPool&) = delete;

  // Ends all links and calls. Call it before the last reference goes; not in a callback.
  void Stop();

  // For streams that other hosts open.
  StreamAcceptor Acceptor();

  // Dials every host of the other pods to which there is no link, now and whenever it is lost, so
  // that it can call here too. Again when the pods have changed: links that this side dialled to
  // hosts that are gone then take no more calls, and are closed when those under way have ended.
  void ConnectAll();

  // The same for the hosts of `pod`.
  void ConnectTo(const Pod& pod);

  // The hosts of `pod`, and "link:<name>" for each host that is in reach only because it opened a
  // link.
  std::vector<std::string> HostsOf(const Pod& pod) const;

  // Those of them to which there is a link that takes calls.
  std::vector<std::string> ConnectedHostsOf(const Pod& pod) const;

  HostLink LinkTo(const Pod& pod, std::string_view host) const;
  bool SpeaksOnlyHttp(const Pod& pod, std::string_view host) const;

  // `done` gets kNotExecuted at once while the host is not in reach and not due to be dialled.
  void Send(LinkCall call);

  // Takes no more calls on any link, and closes each when those under way have ended, at the latest
  // after `grace`.
  void Drain(absl::Duration grace);

  std::vector<MuxHostLinks> Status() const;

 private:
  using Key = std::pair<std::string, std::string>;  // Pod and host.
  struct Link {
    Key key;
    bool dialled = false;
    bool connected = false;
    bool closed = false;
    std::shared_ptr<MuxLink> mux;  // Until it is closed.
  };
  struct Host {
    explicit Host(const BackoffOptions& backoff_options) : backoff(backoff_options) {}

    Backoff backoff;
    bool wanted = false;    // Dial it again when it is lost.
    bool dialling = false;  // Up to the end of the handshake.
    bool speaks_only_http = false;
    absl::Time next_dial = absl::InfinitePast();  // Not before, though a call wants it.
    HostLink link;
    std::string software_version;
    absl::Status last_error;
    std::vector<std::shared_ptr<Link>> links;  // Connected.
    std::vector<std::shared_ptr<PendingCall>> waiting;
  };
  // What follows from a change, once the lock is off.
  struct Effects {
    std::vector<HostEvent> events;
    std::vector<std::shared_ptr<PendingCall>> send;
    std::shared_ptr<MuxLink> send_on;
    std::vector<std::shared_ptr<PendingCall>> fail;
    absl::Status why;
    absl::Time dial_at = absl::InfiniteFuture();
    Key key;
  };

  explicit LinkPool(LinkPoolOptions options);

  std::shared_ptr<StreamUser> OpenLink(const Key& key, std::shared_ptr<const Pod> pod,
                                       std::shared_ptr<ByteStream> stream);
  std::shared_ptr<StreamUser> AcceptLink(std::shared_ptr<ByteStream> stream);
  MuxLinkConfig ConfigOf(const std::shared_ptr<Link>& link);
  bool Enlist(const std::shared_ptr<Link>& link, const std::shared_ptr<MuxLink>& mux);

  void OnConnected(const std::shared_ptr<Link>& link, const MuxPeer& peer);
  void OnGoingAway(const std::shared_ptr<Link>& link, absl::Duration retry_after);
  void OnClosed(const std::shared_ptr<Link>& link, const absl::Status& why);
  void OnDialFailed(const Key& key, const absl::Status& why);
  void Do(const Effects& effects);

  void CloseGone(const std::vector<std::shared_ptr<const Pod>>& pods);
  // Starts to dial `key` unless there is a link, or it is being dialled.
  void DialNow(const Key& key);
  void Dial(const Key& key);

  Host& HostOf(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Notes that the host is so now, and what is to be told if it was not, or if that is `news`.
  void SetConnection(const Key& key, HostConnection connection, std::string reason,
                     Effects* effects, bool news = false) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DialFailed(const Key& key, const absl::Status& why, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After a wait of its own, or `at_least`.
  void DialLater(Host& host, absl::Duration at_least, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<MuxLink>> AllLinks() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why a call fails at once in place of waiting for a link; empty if it may wait.
  std::string WhyNotWait(const Key& key, const Host& host) const;
  // The one with the fewest calls under way; null if none takes calls.
  static std::shared_ptr<MuxLink> BestLink(const Host& host);

  const LinkPoolOptions options_;
  std::shared_ptr<StreamDialer> dialer_;

  mutable Mutex mutex_;
  std::map<Key, Host> hosts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Link>> opening_ ABSL_GUARDED_BY(mutex_);  // Not connected yet.
  Random random_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace podkit::conduit::internal
