// Hosts that drain, and other ways in which a connection ends in good order, cost no call.
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "linked_host.h"
#include "outcome.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

// Calls that may be sent only once, from several threads, until it goes.
class Callers {
 public:
  explicit Callers(Conduit* conduit) {
    for (int i = 0; i < 3; ++i) {
      threads_.emplace_back([this, conduit] {
        while (!stop_) Call(*conduit);
      });
    }
  }
  ~Callers() { Stop(); }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void Await(int more) const {
    const int wanted = done_ + more;
    while (done_ < wanted) std::this_thread::yield();
  }
  int done() const { return done_; }
  std::vector<std::string> failures() const {
    MutexLock lock(&mutex_);
    return failures_;
  }

 private:
  void Call(Conduit& conduit) {
    const absl::Status status = conduit.Call<Count>("B", {}, {.max_attempts = 1}).status();
    ++done_;
    if (status.ok()) return;
    MutexLock lock(&mutex_);
    failures_.emplace_back(status.message());
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int> done_ = 0;
  mutable Mutex mutex_;
  std::vector<std::string> failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

// Replaces the hosts in turn while they are called.
void ReplaceWhileCalled(const std::vector<LinkedHost*>& hosts) {
  std::vector<std::string> urls;
  for (LinkedHost* const host : hosts) urls.push_back(host->url());
  const auto pods = PodsOf("A", {kKey}, {}, urls);
  const auto links = ValueOf(MuxTransport::Create(pods, {.host_name = "a"}));
  {
    Conduit a(pods, links.get(), {.meet_hosts = false});
    links->ConnectAll();
    Callers callers(&a);
    for (int round = 0; round < 24; ++round) {
      callers.Await(20);
      hosts[static_cast<size_t>(round) % hosts.size()]->Replace();
    }
    callers.Await(20);
    callers.Stop();
    CHECK(callers.failures().empty());
    int counted = 0;
    for (LinkedHost* const host : hosts) counted += host->counted();
    CHECK(counted == callers.done());
  }
  links->Stop();
}

// Ends the first calls as it is told, and lets a conduit answer the later ones.
class ReturningTransport final : public Transport {
 public:
  ReturningTransport(std::vector<std::string> hosts, int returned)
      : hosts_(std::move(hosts)), returned_(returned) {}

  std::vector<std::string> HostsOf(const Pod&) const override { return hosts_; }
  void Send(Sending sending) override {
    sent.push_back(sending.host);
    if (returned_-- > 0) {
      return sending.done(
          WithOutcome(absl::AbortedError("it is being closed"), Outcome::kNotExecuted));
    }
    sending.done(receive(sending.request));
  }

  std::vector<std::string> sent;
  std::function<WireReply(const WireRequest&)> receive;

 private:
  const std::vector<std::string> hosts_;
  int returned_;
};

struct ReturningBed {
  ReturningBed(std::vector<std::string> hosts, int returned)
      : transport(std::move(hosts), returned) {
    transport.receive = [this](const WireRequest& request) { return b.Receive(request); };
    b.Handle<Count>([](const CallContext&, const Nothing&) { return absl::OkStatus(); });
  }
  absl::Status Call(CallOptions options = {}) {
    options.max_attempts = 1;
    return a.Call<Count>("B", {}, options).status();
  }

  ReturningTransport transport;
  Conduit a{PodsOf("A"), &transport, {.meet_hosts = false}};
  Conduit b{PodsOf("B"), &transport, {.meet_hosts = false}};
};

}  // namespace

TEST_CASE("A call that a closing connection did not take is sent again at once",
          "[conduit][drain]") {
  ReturningBed two({"b1", "b2"}, 1);
  CHECK(two.Call() == absl::OkStatus());
  REQUIRE(two.transport.sent.size() == 2);
  CHECK(two.transport.sent[0] != two.transport.sent[1]);
  // Nothing is wrong with the host.
  for (const HostStatus& host : two.a.Hosts("B")) CHECK(host.failures == 0);

  ReturningBed only({"b1"}, 3);
  CHECK(only.Call() == absl::OkStatus());
  CHECK(only.transport.sent.size() == 4);

  ReturningBed named({"b1", "b2"}, 1);
  CHECK(named.Call({.host = "b2"}) == absl::OkStatus());
  CHECK(named.transport.sent == std::vector<std::string>{"b2", "b2"});

  ReturningBed always({"b1"}, 100);
  CHECK(OutcomeOf(always.Call()) == Outcome::kNotExecuted);
  CHECK(always.transport.sent.size() == 4);
}

TEST_CASE("Hosts that are replaced one after the other cost no call", "[conduit][drain][mux]") {
  LinkedHost one;
  LinkedHost other;
  ReplaceWhileCalled({&one, &other});
}

TEST_CASE("The only host of a pod is replaced, and that costs no call", "[conduit][drain][mux]") {
  LinkedHost only;
  ReplaceWhileCalled({&only});
}

}  // namespace podkit::conduit
