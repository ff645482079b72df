// Clients are found, chosen and waited for.
#include "podkit/conduit/clients.h"

#include <atomic>
#include <set>
#include <thread>

#include "cheese.h"
#include "mux_bed.h"
#include "podkit/conduit/testing/manual_scheduler.h"
#include "watchers.h"

namespace podkit::conduit {
namespace {

using conduit::testing::ManualScheduler;
using podkit::testing::ValueOf;

// Keeps connections that the test makes and breaks; carries nothing. Thread-safe.
class FakeConnections final : public Transport {
 public:
  void Connect(const std::string& pod, const std::string& host) {
    {
      MutexLock lock(&mutex_);
      connected_[pod].insert(host);
    }
    watchers_.Tell({.kind = HostEvent::Kind::kConnected, .pod = pod, .host = host});
  }
  void Disconnect(const std::string& pod) {
    {
      MutexLock lock(&mutex_);
      connected_.erase(pod);
    }
    watchers_.Tell({.kind = HostEvent::Kind::kDisconnected, .pod = pod});
  }
  std::vector<std::string> asked_for() const {
    MutexLock lock(&mutex_);
    return asked_for_;
  }

  std::vector<std::string> ConnectedHostsOf(const Pod& pod) const override {
    MutexLock lock(&mutex_);
    const auto hosts = connected_.find(pod.id);
    if (hosts == connected_.end()) return {};
    return {hosts->second.begin(), hosts->second.end()};
  }
  void ConnectTo(const Pod& pod) override {
    MutexLock lock(&mutex_);
    asked_for_.push_back(pod.id);
  }
  std::shared_ptr<void> WatchConnections(ConnectionWatcher changed) override {
    return watchers_.Add(std::move(changed));
  }
  void Send(Sending sending) override {
    sending.done(TransportError(Outcome::kNotExecuted, "it carries nothing"));
  }

 private:
  internal::Watchers<HostEvent> watchers_;
  mutable Mutex mutex_;
  std::map<std::string, std::set<std::string>> connected_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> asked_for_ ABSL_GUARDED_BY(mutex_);
};

std::shared_ptr<Pods> FourPods() {
  std::vector<Pod> pods = {{.id = "A"}};
  for (const std::string id : {"B", "C", "D"}) {
    pods.push_back(
        {.id = id, .hosts = {"http://" + id + ":1"}, .keys = {id + std::string(32, 'k')}});
  }
  return ValueOf(Pods::Create(std::move(pods), "A"));
}

struct ClientsBed {
  std::shared_ptr<ManualScheduler> scheduler = std::make_shared<ManualScheduler>();
  std::shared_ptr<Pods> pods = FourPods();
  FakeConnections transport;
  Conduit conduit{pods, &transport};
  size_t choice = 0;
  std::optional<Clients> clients;

  ClientsBed() {
    clients.emplace(&conduit, ClientsOptions{.scheduler = scheduler,
                                             .choose = [this](size_t) { return choice; }});
  }

  // What comes of waiting for the pod.
  std::shared_ptr<std::optional<absl::StatusOr<Client>>> Await(const std::string& pod,
                                                               absl::Duration limit,
                                                               std::stop_token stop = {}) {
    auto result = std::make_shared<std::optional<absl::StatusOr<Client>>>();
    clients->AwaitClient(
        pod, limit,
        [result](absl::StatusOr<Client> client) {
          REQUIRE_FALSE(result->has_value());
          result->emplace(std::move(client));
        },
        std::move(stop));
    return result;
  }
};

std::string PodsOfClients(const std::vector<Client>& clients) {
  std::string pods;
  for (const Client& client : clients) pods += client.pod();
  return pods;
}

void CheckNoConnections(const absl::Status& status, const std::string& pod,
                        const std::string& message) {
  const auto error = GetError<NoConnectionsAvailable>(status);
  REQUIRE(error);
  CHECK(error->pod == pod);
  CHECK(status.message() == message);
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
}

}  // namespace

TEST_CASE("A client that can be had is had at once", "[conduit][clients]") {
  ClientsBed bed;
  bed.transport.Connect("B", "b1");
  const Client b = ValueOf(bed.clients->ClientFor("B"));
  CHECK(b.pod() == "B");
  CHECK(b.host().empty());
  CHECK(b == Client(&bed.conduit, "B"));
  CHECK(bed.clients->ClientFor("A").status().code() == absl::StatusCode::kInvalidArgument);
  CheckNoConnections(bed.clients->ClientFor("C").status(), "C",
                     "pod 'C' cannot be called: none of its hosts is connected");
  CheckNoConnections(bed.clients->ClientFor("nobody").status(), "nobody",
                     "pod 'nobody' cannot be called: it is not in the pods file");
  CHECK(bed.transport.asked_for().empty());
  CHECK(bed.scheduler->pending() == 0);
}

TEST_CASE("Many wait for a pod, each until it can be called", "[conduit][clients][wait]") {
  ClientsBed bed;
  std::vector<std::shared_ptr<std::optional<absl::StatusOr<Client>>>> waits;
  for (int i = 0; i < 100; ++i) waits.push_back(bed.Await("B", absl::Seconds(30)));
  const auto c = bed.Await("C", absl::Seconds(30));
  CHECK(bed.clients->waiting() == 101);
  CHECK(bed.transport.asked_for().size() == 101);
  bed.transport.Connect("B", "b1");
  for (const auto& wait : waits) {
    REQUIRE(wait->has_value());
    CHECK(ValueOf(**wait).pod() == "B");
  }
  CHECK_FALSE(c->has_value());
  CHECK(bed.clients->waiting() == 1);
  CHECK(bed.scheduler->pending() == 1);
  bed.transport.Connect("C", "c1");
  CHECK(c->has_value());
  CHECK(bed.scheduler->pending() == 0);
}

TEST_CASE("A wait that times out leaves nothing behind", "[conduit][clients][wait]") {
  ClientsBed bed;
  const auto brief = bed.Await("B", absl::Seconds(5));
  const auto patient = bed.Await("B", absl::Seconds(30));
  bed.scheduler->Advance(absl::Seconds(5));
  REQUIRE(brief->has_value());
  CheckNoConnections((*brief)->status(), "B",
                     "pod 'B' cannot be called: none of its hosts is connected; waited for 5s");
  CHECK(bed.clients->waiting() == 1);
  CHECK(bed.scheduler->pending() == 1);
  bed.scheduler->Advance(absl::Seconds(25));
  REQUIRE(patient->has_value());
  CHECK(bed.clients->waiting() == 0);
  CHECK(bed.scheduler->pending() == 0);
  bed.transport.Connect("B", "b1");  // Nobody is told any more.
}

TEST_CASE("A pod may come while it is waited for, and its hosts too", "[conduit][clients][wait]") {
  auto scheduler = std::make_shared<ManualScheduler>();
  const auto pods =
      ValueOf(Pods::Create({{.id = "A"}, {.id = "B", .keys = {std::string(32, 'k')}}}, "A"));
  HttpTransport transport;  // Keeps no connections: a host that is known is enough.
  Conduit conduit(pods, &transport);
  Clients clients(&conduit, {.scheduler = scheduler});
  std::optional<absl::StatusOr<Client>> result;
  clients.AwaitClient("B", absl::Seconds(1),
                      [&](absl::StatusOr<Client> client) { result.emplace(std::move(client)); });
  CHECK_FALSE(result);
  CheckNoConnections(clients.ClientFor("B").status(), "B",
                     "pod 'B' cannot be called: no host of it is known");
  REQUIRE(pods->SetHosts({{"B", {"http://b:1"}}}, "listed") == absl::OkStatus());
  REQUIRE(result);
  CHECK(result->ok());
  CHECK(clients.HostClients("B") == std::vector<Client>{Client(&conduit, "B", "http://b:1")});
}

TEST_CASE("Waits end with the clients", "[conduit][clients][wait]") {
  ClientsBed bed;
  const auto wait = bed.Await("B", absl::Seconds(5));
  bed.clients.reset();
  REQUIRE(wait->has_value());
  CheckNoConnections((*wait)->status(), "B", "pod 'B' is not waited for any more");
  CHECK(bed.scheduler->pending() == 0);
  bed.transport.Connect("B", "b1");
}

TEST_CASE("A stop ends a wait and leaves nothing behind", "[conduit][clients][wait][stop]") {
  ClientsBed bed;
  std::stop_source stop;
  const auto wait = bed.Await("B", absl::Seconds(30), stop.get_token());
  const auto patient = bed.Await("B", absl::Seconds(30));
  CHECK_FALSE(wait->has_value());
  stop.request_stop();
  REQUIRE(wait->has_value());
  CHECK(OutcomeOf((*wait)->status()) == Outcome::kCancelled);
  CHECK((*wait)->status().message() == "pod 'B' is not waited for any more");
  CHECK(bed.clients->waiting() == 1);
  CHECK(bed.scheduler->pending() == 1);
  // What was stopped before does not wait, and what can be had is had.
  CHECK(OutcomeOf((**bed.Await("C", absl::Seconds(30), stop.get_token())).status()) ==
        Outcome::kCancelled);
  CHECK(OutcomeOf(bed.clients->ClientFor("C", absl::Seconds(30), stop.get_token()).status()) ==
        Outcome::kCancelled);
  bed.transport.Connect("B", "b1");
  CHECK(ValueOf(**patient).pod() == "B");
  CHECK(ValueOf(bed.clients->ClientFor("B", absl::Seconds(1), stop.get_token())).pod() == "B");
  CHECK(bed.scheduler->pending() == 0);
}

TEST_CASE("A wait ends once, whether its stop or the connection is first",
          "[conduit][clients][wait][stop][threads]") {
  FakeConnections transport;
  Conduit conduit(FourPods(), &transport);
  Clients clients(&conduit);
  for (int round = 0; round < 300; ++round) {
    std::stop_source stop;
    std::atomic<int> ends = 0;
    clients.AwaitClient(
        "B", absl::Seconds(30), [&](const absl::StatusOr<Client>&) { ++ends; }, stop.get_token());
    std::thread stopper([&] { stop.request_stop(); });
    transport.Connect("B", "b1");
    stopper.join();
    while (ends == 0) std::this_thread::yield();
    transport.Disconnect("B");
    CHECK(ends == 1);
  }
  CHECK(clients.waiting() == 0);
}

TEST_CASE("All clients are those of pods that can be called", "[conduit][clients]") {
  ClientsBed bed;
  CHECK(bed.clients->AllClients().empty());
  bed.transport.Connect("D", "d1");
  bed.transport.Connect("B", "b1");
  bed.transport.Connect("B", "b2");
  bed.transport.Connect("A", "a1");
  CHECK(PodsOfClients(bed.clients->AllClients()) == "BD");
  const auto hosts = bed.clients->HostClients("B");
  REQUIRE(hosts.size() == 2);
  CHECK(hosts[0].host() == "b1");
  CHECK(hosts[1].host() == "b2");
  CHECK(bed.clients->HostClients("C").empty());
}

TEST_CASE("Any client is chosen among those that can be called, until there is none",
          "[conduit][clients]") {
  ClientsBed bed;
  bed.transport.Connect("B", "b1");
  bed.transport.Connect("D", "d1");
  CHECK(ValueOf(bed.clients->AnyClient()).pod() == "B");
  bed.choice = 1;
  CHECK(ValueOf(bed.clients->AnyClient()).pod() == "D");
  CHECK(ValueOf(bed.clients->AnyClient({"C", "B"})).pod() == "B");
  CheckNoConnections(bed.clients->AnyClient({"C", "nobody"}).status(), "",
                     "none of the pods 'C', 'nobody' can be called");
  bed.transport.Disconnect("B");
  bed.transport.Disconnect("D");
  CheckNoConnections(bed.clients->AnyClient().status(), "", "no pod can be called");
}

TEST_CASE("Any client is any of them, in the long run", "[conduit][clients]") {
  ClientsBed bed;
  Clients clients(&bed.conduit, {.scheduler = bed.scheduler});
  for (const std::string pod : {"B", "C", "D"}) bed.transport.Connect(pod, "host");
  std::map<std::string, int> chosen;
  for (int i = 0; i < 600; ++i) ++chosen[ValueOf(clients.AnyClient()).pod()];
  for (const std::string pod : {"B", "C", "D"}) CHECK(chosen[pod] > 100);
}

TEST_CASE("Clients of a list are all there, or the missing ones are named", "[conduit][clients]") {
  ClientsBed bed;
  bed.transport.Connect("B", "b1");
  bed.transport.Connect("D", "d1");
  CHECK(PodsOfClients(ValueOf(bed.clients->ClientsOf({"D", "B"}))) == "DB");
  CHECK(ValueOf(bed.clients->ClientsOf({})).empty());
  CheckNoConnections(bed.clients->ClientsOf({"D", "C", "B", "nobody", "A"}).status(), "C",
                     "pod 'C' cannot be called: none of its hosts is connected; pod 'nobody' "
                     "cannot be called: it is not in the pods file; pod 'A' cannot be called: it "
                     "is the own pod");
}

TEST_CASE("Threads wait while the connection comes and goes", "[conduit][clients][threads]") {
  FakeConnections transport;
  Conduit conduit(FourPods(), &transport);
  Clients clients(&conduit);
  std::atomic<int> found = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        if (clients.ClientFor("B", absl::Seconds(30)).ok()) ++found;
      }
    });
  }
  while (found < 800) {
    transport.Connect("B", "b1");
    transport.Disconnect("B");
  }
  for (auto& thread : threads) thread.join();
  CHECK(clients.waiting() == 0);
}

TEST_CASE("Waiting for a pod opens the link to it, or takes the one that it opened",
          "[conduit][clients][wait][mux]") {
  MuxBed bed;
  Clients of_a(&bed.a);
  Clients of_b(&bed.b);
  // A dialled; B knows no host of A and has the link that A opened.
  CHECK(ValueOf(of_a.ClientFor("B", absl::Seconds(30))).Call<Ping>().ok());
  CHECK(ValueOf(of_b.ClientFor("A", absl::Seconds(30))).Call<Ping>().ok());
  CHECK(of_b.HostClients("A").size() == 1);
  bed.SetTrouble(Trouble::kDown);
  while (!of_a.AllClients().empty()) std::this_thread::yield();
  CHECK(GetError<NoConnectionsAvailable>(of_a.ClientFor("B").status()));
}

}  // namespace podkit::conduit
