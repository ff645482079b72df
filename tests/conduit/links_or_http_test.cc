// Pods of which some hosts know links and others do not.
#include "podkit/conduit/links_or_http.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "linked_host.h"
#include "podkit/conduit/batch.h"
#include "podkit/conduit/clients.h"
#include "waiting.h"

namespace podkit::conduit {
namespace {

using podkit::testing::LoopbackServer;
using podkit::testing::ValueOf;

// A host of pod B from before links.
class HttpHost {
 public:
  HttpHost() {
    conduit_.Handle<Count>([this](const CallContext&, const Nothing&) {
      ++counted_;
      return absl::OkStatus();
    });
    waiting.Serve(conduit_);
    server_ =
        std::make_unique<LoopbackServer>([this](const podkit::testing::LoopbackRequest& request) {
          return Mount(conduit_, request);
        });
  }

  std::string url() const { return server_->address(); }
  uint16_t port() const { return server_->port(); }
  int counted() const { return counted_; }

  Waiting waiting;

 private:
  std::atomic<int> counted_ = 0;
  HttpTransport transport_;
  Conduit conduit_{PodsOf("B"), &transport_, {.meet_hosts = false}};
  std::unique_ptr<LoopbackServer> server_;
};

// Pod A, which calls B at these hosts.
class Caller {
 public:
  explicit Caller(const std::vector<std::string>& hosts, const ConduitOptions& options = {})
      : pods(PodsOf("A", {kKey}, {}, hosts)),
        links(ValueOf(MuxTransport::Create(pods, {.host_name = "a"}))),
        transport(links.get(), &http_),
        conduit(pods, &transport, options) {}
  ~Caller() { links->Stop(); }

  absl::Status CallOnce(const std::string& host = {}) {
    return conduit.Call<Count>("B", {}, {.max_attempts = 1, .host = host}).status();
  }

  const std::shared_ptr<Pods> pods;
  const std::unique_ptr<MuxTransport> links;

 private:
  HttpTransport http_;

 public:
  LinksOrHttp transport;
  Conduit conduit;
};

}  // namespace

TEST_CASE("Each host of a pod is called as it can be", "[conduit][links_or_http]") {
  HttpHost old;
  LinkedHost linked;
  Caller a({old.url(), linked.url()}, {.balance = Balance::kRandom});
  for (int i = 0; i < 60; ++i) CHECK(a.CallOnce() == absl::OkStatus());
  CHECK(old.counted() + linked.counted() == 60);
  // Evenly: the one that has no link is no worse for it.
  CHECK(old.counted() > 10);
  CHECK(linked.counted() > 10);
  const auto b = a.pods->Find("B");
  CHECK(a.links->SpeaksOnlyHttp(*b, old.url()));
  CHECK_FALSE(a.links->SpeaksOnlyHttp(*b, linked.url()));
  CHECK(a.transport.ConnectedHostsOf(*b) == std::vector<std::string>{old.url(), linked.url()});
  CHECK(a.transport.LinkTo(*b, old.url()).reason == "over HTTP, for it does not know links");
  for (const HostStatus& host : a.conduit.Hosts("B")) {
    CHECK(host.link.connection == HostConnection::kConnected);
    CHECK(host.failures == 0);
  }
}

TEST_CASE("A host that does not know links is waited for, called in batches and stopped",
          "[conduit][links_or_http]") {
  HttpHost old;
  Caller a({old.url()});
  Clients clients(&a.conduit);
  CHECK(ValueOf(clients.ClientFor("B", absl::Seconds(30))).Call<Ping>().ok());
  Batch batch;
  for (int i = 0; i < 3; ++i) batch.Add<Count>({});
  CHECK(a.conduit.Call("B", batch) == absl::OkStatus());
  CHECK(old.counted() == 3);
  std::stop_source stop;
  auto wait = a.conduit.CallAsync<Wait>("B", {}, {}, {.stop = stop.get_token()});
  old.waiting.AwaitStart();
  stop.request_stop();
  CHECK(OutcomeOf(wait.get().status()) == Outcome::kCancelled);
  while (!old.waiting.stopped()) std::this_thread::yield();
}

TEST_CASE("A host that learns links is called over them", "[conduit][links_or_http]") {
  auto old = std::make_unique<HttpHost>();
  const std::string url = old->url();
  const uint16_t port = old->port();
  Caller a({url});
  CHECK(a.CallOnce() == absl::OkStatus());
  const auto b = a.pods->Find("B");
  CHECK(a.links->SpeaksOnlyHttp(*b, url));
  old.reset();
  auto linked = std::make_unique<LinkedHost>(port);
  a.links->ConnectAll();  // Now, and not within 10 seconds.
  while (a.links->SpeaksOnlyHttp(*b, url)) std::this_thread::yield();
  CHECK(a.CallOnce() == absl::OkStatus());
  CHECK(linked->counted() == 1);
}

TEST_CASE("A host that cannot be reached is so in either way", "[conduit][links_or_http]") {
  std::string url;
  {
    HttpHost old;
    url = old.url();
  }
  Caller a({url});
  const absl::Status status = a.CallOnce();
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  CHECK_THAT(std::string(status.message()), Catch::Contains("Connection refused"));
}

}  // namespace podkit::conduit
