// Pods that keep links to each other, through real servers and sockets.

#include "mux/link_pool.h"

#include <fmt/format.h>

#include <atomic>
#include <future>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "mux/upgrade.h"
#include "servers/http/http_server.h"
#include "tests/servers/http_server_bed.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/raw_server.h"

namespace podkit::servers {
namespace {

using conduit::HostConnection;
using conduit::HostEvent;
using conduit::MuxHostLinks;
using conduit::Outcome;
using conduit::OutcomeOf;
using conduit::Pod;
using conduit::Pods;
using conduit::WireReply;
using conduit::internal::IncomingCall;
using conduit::internal::LinkPool;
using conduit::internal::LinkPoolOptions;
using testing::ValueOf;

const std::string kKey = "the key that pods A and B share.....";

std::shared_ptr<Pods> PodsOf(const std::string& own, std::vector<std::string> hosts_of_a,
                             std::vector<std::string> hosts_of_b, const std::string& key = kKey) {
  return ValueOf(Pods::Create({{.id = "A", .hosts = std::move(hosts_of_a), .keys = {key}},
                               {.id = "B", .hosts = std::move(hosts_of_b), .keys = {key}}},
                              own));
}

// One host of a pod: its links, and what came.
class End {
 public:
  explicit End(std::shared_ptr<Pods> known, const std::string& host_name = "somewhere")
      : pods(std::move(known)) {
    LinkPoolOptions options;
    options.identity = {.pods = pods, .host_name = host_name, .software_version = "7"};
    options.scheduler = conduit::MakeSystemScheduler();
    options.backoff = {.first = absl::Milliseconds(1), .max = absl::Milliseconds(20)};
    options.on_call = [this](std::shared_ptr<IncomingCall> call) { OnCall(std::move(call)); };
    options.on_event = [this](const HostEvent& event) { OnEvent(event); };
    pool = ValueOf(LinkPool::Create(std::move(options)));
  }
  ~End() {
    if (server != nullptr) server->Stop(absl::ZeroDuration());
    pool->Stop();
  }

  // Serves at `port`, or a free one.
  uint16_t Serve(uint16_t port = 0) {
    Router router = Routes();
    REQUIRE(router.AddUpgrade(conduit::internal::kUpgradePath, conduit::internal::kUpgradeProtocol,
                              [this](const HttpRequest&) {
                                return HttpResponse::SwitchTo(pool->Acceptor());
                              }) == absl::OkStatus());
    HttpServerOptions options;
    options.port = port;
    server = MustStart(std::move(options), std::move(router));
    return server->port();
  }

  std::future<absl::StatusOr<WireReply>> Start(const std::string& pod, const std::string& host,
                                               const std::string& body,
                                               absl::Duration timeout = absl::Seconds(20),
                                               std::stop_token stop = {}) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<WireReply>>>();
    pool->Send({.pod = pods->Find(pod),
                .host = host,
                .request = {.content_type = "application/json", .body = body},
                .deadline = absl::Now() + timeout,
                .stop = std::move(stop),
                .done = [promise](absl::StatusOr<WireReply> reply) {
                  promise->set_value(std::move(reply));
                }});
    return promise->get_future();
  }
  // The answer's body, or the outcome.
  std::string Call(const std::string& pod, const std::string& host, const std::string& body) {
    const auto reply = Start(pod, host, body).get();
    return reply.ok() ? reply->body
                      : fmt::format("{}", static_cast<int>(OutcomeOf(reply.status())));
  }

  std::vector<HostEvent> Events() {
    MutexLock lock(&mutex);
    return events;
  }
  void AwaitEvents(size_t count) {
    podkit::servers::Await([&] { return Events().size() >= count; });
  }

  const std::shared_ptr<Pods> pods;
  std::shared_ptr<LinkPool> pool;
  std::unique_ptr<HttpServer> server;
  std::atomic<bool> keep = false;  // Calls, in place of answering them.
  Mutex mutex;
  std::vector<std::shared_ptr<IncomingCall>> kept ABSL_GUARDED_BY(mutex);
  std::vector<HostEvent> events ABSL_GUARDED_BY(mutex);

 private:
  void OnCall(std::shared_ptr<IncomingCall> call) {
    if (keep) {
      MutexLock lock(&mutex);
      kept.push_back(std::move(call));
      return;
    }
    const std::string body = call->caller()->id + " said " + call->request().body;
    call->Reply({.status = 200, .content_type = "application/json", .body = body});
  }
  void OnEvent(const HostEvent& event) {
    MutexLock lock(&mutex);
    events.push_back(event);
  }
};

bool IsConnected(const HostEvent& event) { return event.kind == HostEvent::Kind::kConnected; }

std::string Url(uint16_t port) { return fmt::format("http://127.0.0.1:{}", port); }

std::string Text(Outcome outcome) { return fmt::format("{}", static_cast<int>(outcome)); }

}  // namespace

TEST_CASE("LinkPool dials on demand and both ends call", "[links]") {
  End b(PodsOf("B", {}, {}));
  const std::string url = Url(b.Serve());
  End a(PodsOf("A", {}, {url}), "a-host");
  CHECK(a.pool->HostsOf(*a.pods->Find("B")) == std::vector<std::string>{url});
  CHECK(a.Call("B", url, "hello") == "A said hello");
  // B lists no host of A and calls it all the same.
  b.AwaitEvents(1);
  CHECK(b.pool->HostsOf(*b.pods->Find("A")) == std::vector<std::string>{"link:a-host"});
  CHECK(b.Call("A", "link:a-host", "and back") == "B said and back");
  CHECK(b.Call("A", "link:other", "x") == Text(Outcome::kNotExecuted));
  a.AwaitEvents(1);
  const std::vector<HostEvent> events = a.Events();
  CHECK(IsConnected(events[0]));
  CHECK(events[0].pod == "B");
  CHECK(events[0].host == url);
  CHECK(events[0].reason == "dialled, version 7");
  CHECK(b.server->counters().upgraded == 1);
  const std::vector<MuxHostLinks> status = b.pool->Status();
  REQUIRE(status.size() == 1);
  CHECK(status[0].accepted == 1);
  CHECK(status[0].dialled == 0);
  CHECK(status[0].software_version == "7");
  CHECK(status[0].link.connection == HostConnection::kConnected);
  CHECK(b.Events()[0].reason == "accepted, version 7");
  const auto pod = a.pods->Find("B");
  CHECK(a.pool->LinkTo(*pod, url).since == events[0].at);
  CHECK(a.pool->LinkTo(*pod, "http://127.0.0.1:1").connection == HostConnection::kNotKept);
}

TEST_CASE("LinkPool sends all calls that wait for one dial", "[links]") {
  End b(PodsOf("B", {}, {}));
  const std::string url = Url(b.Serve());
  End a(PodsOf("A", {}, {url}));
  std::vector<std::future<absl::StatusOr<WireReply>>> calls;
  for (int i = 0; i < 50; ++i) calls.push_back(a.Start("B", url, std::to_string(i)));
  for (int i = 0; i < 50; ++i) {
    CHECK(ValueOf(calls[static_cast<size_t>(i)].get()).body == fmt::format("A said {}", i));
  }
  CHECK(b.server->counters().upgraded == 1);
}

TEST_CASE("LinkPool keeps what it was told to connect", "[links]") {
  auto b = std::make_unique<End>(PodsOf("B", {}, {}));
  const uint16_t port = b->Serve();
  const std::string url = Url(port);
  End a(PodsOf("A", {}, {url}), "a-host");
  a.pool->ConnectAll();
  a.AwaitEvents(1);
  b.reset();
  a.AwaitEvents(2);
  CHECK_FALSE(IsConnected(a.Events()[1]));
  b = std::make_unique<End>(PodsOf("B", {}, {}));
  b->Serve(port);
  a.AwaitEvents(3);
  const std::vector<HostEvent> events = a.Events();
  CHECK(IsConnected(events[2]));
  CHECK(events[2].downtime == events[2].at - events[1].at);
  CHECK(events[2].downtime > absl::ZeroDuration());
  b->AwaitEvents(1);
  CHECK(b->Call("A", "link:a-host", "found you") == "B said found you");
}

TEST_CASE("LinkPool closes its links to hosts that are gone", "[links]") {
  End b(PodsOf("B", {}, {}));
  End second(PodsOf("B", {}, {}));
  End third(PodsOf("B", {}, {}));
  const std::vector<std::string> hosts = {Url(b.Serve()), Url(second.Serve())};
  const std::string stays = Url(third.Serve());
  End a(PodsOf("A", {}, {hosts[0], hosts[1], stays}));
  a.pool->ConnectAll();
  a.AwaitEvents(3);
  b.keep = true;
  auto under_way = a.Start("B", hosts[0], "x");
  Await([&] {
    MutexLock lock(&b.mutex);
    return !b.kept.empty();
  });
  // Two at once.
  REQUIRE(a.pods->SetHosts({{"B", {stays}}}, "two are gone") == absl::OkStatus());
  a.pool->ConnectAll();
  a.AwaitEvents(4);
  CHECK(a.pool->ConnectedHostsOf(*a.pods->Find("B")) == std::vector<std::string>{stays});
  CHECK(a.pool->HostsOf(*a.pods->Find("B")) == std::vector<std::string>{stays});
  {
    MutexLock lock(&b.mutex);
    b.kept[0]->Reply({.status = 200, .body = "late"});
    b.kept.clear();
  }
  CHECK(ValueOf(under_way.get()).body == "late");
  a.AwaitEvents(5);
  std::vector<std::string> lost;
  for (const HostEvent& event : a.Events()) {
    if (!IsConnected(event)) lost.push_back(event.host);
  }
  std::sort(lost.begin(), lost.end());
  std::vector<std::string> gone = {hosts[0], hosts[1]};
  std::sort(gone.begin(), gone.end());
  CHECK(lost == gone);
  CHECK(a.Call("B", stays, "y") == "A said y");
  // And back.
  b.keep = false;
  REQUIRE(a.pods->SetHosts({{"B", {stays, hosts[1]}}}, "one is back") == absl::OkStatus());
  a.pool->ConnectAll();
  a.AwaitEvents(6);
  CHECK(a.Call("B", hosts[1], "z") == "A said z");
}

TEST_CASE("LinkPool uses links that cross", "[links]") {
  const uint16_t port_a = podkit::testing::FreePort();
  const uint16_t port_b = podkit::testing::FreePort();
  const auto pods = [&](const std::string& own) {
    return PodsOf(own, {Url(port_a)}, {Url(port_b)});
  };
  End a(pods("A"), Url(port_a));
  End b(pods("B"), Url(port_b));
  a.Serve(port_a);
  b.Serve(port_b);
  a.pool->ConnectAll();
  b.pool->ConnectAll();
  for (int i = 0; i < 20; ++i) {
    CHECK(a.Call("B", Url(port_b), "x") == "A said x");
    CHECK(b.Call("A", Url(port_a), "y") == "B said y");
  }
  // Whoever dialled, the host is one.
  CHECK(a.pool->HostsOf(*a.pods->Find("B")) == std::vector<std::string>{Url(port_b)});
  CHECK(a.pool->Status().size() == 1);
}

TEST_CASE("LinkPool says why a host is not in reach", "[links]") {
  const std::string url = Url(podkit::testing::FreePort());
  End a(PodsOf("A", {}, {url}));
  const absl::Status why = a.Start("B", url, "x").get().status();
  CHECK(OutcomeOf(why) == Outcome::kNotExecuted);
  CHECK(why.ToString().find("Connection refused") != std::string::npos);
  CHECK(a.pool->Status()[0].last_error.code() == absl::StatusCode::kUnavailable);
  REQUIRE(a.Events().size() == 1);
  CHECK_FALSE(IsConnected(a.Events()[0]));
  CHECK_THAT(a.Events()[0].reason, Catch::Contains("Connection refused"));
  CHECK(a.pool->LinkTo(*a.pods->Find("B"), url).reason == a.Events()[0].reason);

  const auto plain = MustStart();
  End old(PodsOf("A", {}, {Url(plain->port())}));
  CHECK(old.Call("B", Url(plain->port()), "x") == Text(Outcome::kNotExecuted));
  CHECK(old.pool->Status()[0].last_error.code() == absl::StatusCode::kUnimplemented);

  End b(PodsOf("B", {}, {}, "another key, which A does not have.."));
  const std::string strange = Url(b.Serve());
  End stranger(PodsOf("A", {}, {strange}));
  CHECK(stranger.Call("B", strange, "x") == Text(Outcome::kNotExecuted));
  CHECK(b.Events().empty());
}

TEST_CASE("LinkPool ends calls at their deadline and at their caller's stop", "[links]") {
  End b(PodsOf("B", {}, {}));
  const std::string url = Url(b.Serve());
  End a(PodsOf("A", {}, {url}));
  REQUIRE(a.Call("B", url, "w") ==
          "A said w");  // The time is for the call alone, not for its dial.
  b.keep = true;
  const absl::Status late = a.Start("B", url, "x", absl::Milliseconds(300)).get().status();
  CHECK(OutcomeOf(late) == Outcome::kTimedOut);
  std::stop_source stop;
  auto call = a.Start("B", url, "y", absl::Seconds(20), stop.get_token());
  const auto kept = [&] {
    MutexLock lock(&b.mutex);
    return b.kept.size();
  };
  Await([&] { return kept() == 2; });
  stop.request_stop();
  CHECK(OutcomeOf(call.get().status()) == Outcome::kCancelled);
  MutexLock lock(&b.mutex);
  for (const auto& one : b.kept) {
    const std::stop_token token = one->stop_token();
    Await([&] { return token.stop_requested(); });
  }
  b.kept.clear();
}

TEST_CASE("LinkPool waits for a link no longer than a call has time", "[links]") {
  podkit::testing::RawServer silent(
      [](podkit::testing::RawConnection& connection) { connection.AwaitEnd(); });
  End a(PodsOf("A", {}, {silent.address()}));
  const absl::Status why =
      a.Start("B", silent.address(), "x", absl::Milliseconds(30)).get().status();
  CHECK(OutcomeOf(why) == Outcome::kNotExecuted);
  CHECK(why.code() == absl::StatusCode::kDeadlineExceeded);
  auto waiting = a.Start("B", silent.address(), "y");
  a.pool->Stop();
  CHECK(OutcomeOf(waiting.get().status()) == Outcome::kNotExecuted);
}

TEST_CASE("LinkPool drains: what runs is answered, nothing else begins", "[links]") {
  End b(PodsOf("B", {}, {}));
  const std::string url = Url(b.Serve());
  End a(PodsOf("A", {}, {url}), "a-host");
  CHECK(a.Call("B", url, "x") == "A said x");
  b.keep = true;
  auto running = a.Start("B", url, "y");
  const auto kept = [&] {
    MutexLock lock(&b.mutex);
    return b.kept.size();
  };
  Await([&] { return kept() == 1; });
  b.pool->Drain(absl::Hours(1));
  a.AwaitEvents(2);
  CHECK(a.Events()[1].reason == "it takes no more calls");
  CHECK(b.Call("A", "link:a-host", "z") == Text(Outcome::kNotExecuted));
  {
    MutexLock lock(&b.mutex);
    b.kept[0]->Reply({.status = 200, .content_type = "application/json", .body = "late"});
    b.kept.clear();
  }
  CHECK(ValueOf(running.get()).body == "late");
  Await([&] { return a.pool->Status()[0].dialled == 0; });
  CHECK(a.Events().size() == 2);
}

TEST_CASE("LinkPool ends each of many calls once while links are cut", "[links]") {
  End b(PodsOf("B", {}, {}));
  const uint16_t port = b.Serve();
  const std::string url = Url(port);
  End a(PodsOf("A", {}, {url}));
  std::atomic<int> ended = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  std::atomic<int> started = 0;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        ++started;
        static_cast<void>(a.Start("B", url, "x").get());
        ++ended;
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    const int before = ended;
    Await([&] { return ended > before + 50; });
    b.server->Stop(absl::ZeroDuration());
    b.Serve(port);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(ended == started);
}

}  // namespace podkit::servers
