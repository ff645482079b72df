// Calls that do not wait, calls that are stopped, and what travels with a call.
#include <algorithm>
#include <future>
#include <map>
#include <set>
#include <stop_token>

#include "admission.h"
#include "cheese.h"
#include "mux_bed.h"
#include "podkit/conduit/client_errors.h"
#include "running_calls.h"
#include "two_pods.h"
#include "waiting.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

// A write, which must not happen twice.
struct Add {
  static constexpr CommandInfo kInfo = {.name = "add", .effect = Effect::kWrite};
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};

void ServeOrigin(Conduit& conduit, const std::string& origin) {
  conduit.Handle<EatCheez>(
      [origin](const CallContext&,
               const EatCheez::Arguments&) -> absl::StatusOr<EatCheez::Response> {
        return EatCheez::Response{.rating = 1, .text = origin};
      });
}

}  // namespace

TEMPLATE_TEST_CASE("A result comes through a future or a callback", "[conduit][async]",
                   InProcessBed, HttpBed, MuxBed, ThreadedBed) {
  TestType bed;
  ServeOrigin(bed.b, "b");
  auto first = bed.a.template CallAsync<EatCheez>("B", {}, {.name = "gouda"});
  auto second = bed.a.template CallAsync<EatCheez>("C", {}, {.name = "gouda"});
  std::promise<std::string> called;
  bed.a.template Start<EatCheez>("B", {}, {.name = "edam"}, {},
                                 [&](const absl::StatusOr<EatCheez::Response>& answer) {
                                   called.set_value(answer.ok() ? answer->text : "failed");
                                 });
  CHECK(ValueOf(first.get()).text == "b");
  CHECK(second.get().status().code() == absl::StatusCode::kNotFound);
  CHECK(called.get_future().get() == "b");
}

TEMPLATE_TEST_CASE("A stop ends the call here and reaches the responder", "[conduit][async][stop]",
                   HttpBed, MuxBed, ThreadedBed) {
  TestType bed;
  Waiting waiting;
  waiting.Serve(bed.b);
  std::stop_source stop;
  auto result = bed.a.template CallAsync<Wait>("B", {}, {}, {.stop = stop.get_token()});
  waiting.AwaitStart();
  stop.request_stop();
  const absl::Status status = result.get().status();
  CHECK(OutcomeOf(status) == Outcome::kCancelled);
  CHECK(status.code() == absl::StatusCode::kCancelled);
  while (!waiting.stopped()) std::this_thread::yield();
}

TEST_CASE("A call that was stopped before it began is not sent", "[conduit][async][stop]") {
  InProcessBed bed;
  int requests = 0;
  bed.network.SetTap([&](std::string_view, const WireRequest&, const WireReply&) { ++requests; });
  std::stop_source stop;
  stop.request_stop();
  const absl::Status status = bed.a.Call<Ping>("B", {}, {.stop = stop.get_token()}).status();
  CHECK(OutcomeOf(status) == Outcome::kCancelled);
  CHECK(requests <= 1);  // Only the word that it is wanted no more.
}

// The transport answers before it returns, and this read may be sent to a second host.
TEST_CASE("A call is stopped while it is being sent", "[conduit][async][stop]") {
  InProcessBed bed;
  std::stop_source stop;
  bed.b.Handle<Wait>([&](const CallContext&, const Nothing&) {
    stop.request_stop();
    return absl::OkStatus();
  });
  for (const char* host : {"B1", "B2"}) {
    bed.network.ConnectHost("B", host,
                            [&](const WireRequest& request) { return bed.b.Receive(request); });
  }
  CHECK(OutcomeOf(bed.a.Call<Wait>("B", {}, {.stop = stop.get_token()}).status()) ==
        Outcome::kCancelled);
}

TEST_CASE("A pod can stop its own calls only", "[conduit][async][stop]") {
  internal::RunningCalls calls;
  std::optional<internal::RunningCalls::Entry> entry(std::in_place, &calls, "A", "1");
  const std::stop_token token = entry->token();
  calls.Stop("B", "1");
  calls.Stop("A", "2");
  CHECK_FALSE(token.stop_requested());
  calls.Stop("A", "1");
  CHECK(token.stop_requested());
  entry.reset();
  calls.Stop("A", "1");
}

// Hosts of pod B, which of them were asked, and one more that is down: "B".
struct SomeHosts {
  explicit SomeHosts(const std::vector<std::string>& names = {"b1", "b2"}) {
    bed.network.Connect("B", {});
    for (const std::string& host : names) {
      bed.network.ConnectHost("B", host, [this, host](const WireRequest& request) {
        asked.push_back(host);
        return bed.b.Receive(request);
      });
    }
  }
  InProcessBed bed;
  std::vector<std::string> asked;
};

using Fault = InProcessNetwork::Fault;

TEST_CASE("A host that cannot be reached costs no call", "[conduit][async][hosts]") {
  SomeHosts hosts;
  for (const std::string down : {"b1", "b2"}) {
    hosts.bed.network.SetFault(down, Fault::kRefuse);
    for (int i = 0; i < 20; ++i) {
      CHECK(hosts.bed.a.Call<Ping>("B", {}, {.max_attempts = 1}).ok());
    }
    hosts.bed.network.SetFault(down, Fault::kNone);
  }
  CHECK(hosts.asked.size() == 40);
}

TEST_CASE("The host that answered is told, else the one that was called last",
          "[conduit][async][hosts]") {
  SomeHosts hosts;
  const CallOptions options{.max_attempts = 1, .used_host = std::make_shared<std::string>()};
  for (int i = 0; i < 20; ++i) {
    CHECK(hosts.bed.a.Call<Ping>("B", {}, options).ok());
    CHECK(*options.used_host == hosts.asked.back());
  }
  for (const std::string host : {"B", "b1"}) hosts.bed.network.SetFault(host, Fault::kRefuse);
  hosts.bed.network.SetFault("b2", Fault::kLoseReply);
  CHECK(OutcomeOf(hosts.bed.a.Call<Ping>("B", {}, options).status()) == Outcome::kUnknown);
  CHECK(*options.used_host == "b2");
}

TEST_CASE("When no host can be reached, the failure says why each was not",
          "[conduit][async][hosts]") {
  SomeHosts hosts;
  for (const std::string host : {"B", "b1", "b2"}) hosts.bed.network.SetFault(host, Fault::kRefuse);
  const absl::Status none = hosts.bed.a.Call<Ping>("B").status();
  CHECK(OutcomeOf(none) == Outcome::kNotExecuted);
  CHECK(none.message() == "pod 'B': it is down");
  CHECK(hosts.asked.empty());
}

TEST_CASE("What may have been executed is sent again only where that is safe",
          "[conduit][async][hosts]") {
  SomeHosts hosts;
  int executed = 0;
  hosts.bed.b.Handle<Add>([&](const CallContext&, const Nothing&) {
    ++executed;
    return absl::OkStatus();
  });
  for (const std::string host : {"b1", "b2"}) {
    hosts.bed.network.SetFault(host, Fault::kLoseReply);
  }
  // A write.
  CHECK(OutcomeOf(hosts.bed.a.Call<Add>("B").status()) == Outcome::kUnknown);
  CHECK(executed == 1);
  // A write with a key that nobody keeps the answer of, and a read.
  CHECK(OutcomeOf(hosts.bed.a.Call<Add>("B", {}, {.key = "k"}).status()) == Outcome::kUnknown);
  CHECK(executed == 2);
  hosts.asked.clear();
  CHECK(OutcomeOf(hosts.bed.a.Call<Ping>("B").status()) == Outcome::kUnknown);
  CHECK(hosts.asked.size() >= 2);
  CHECK(std::set(hosts.asked.begin(), hosts.asked.end()).size() == 2);
}

TEST_CASE("A call for one host is sent to no other", "[conduit][async][hosts]") {
  SomeHosts hosts;
  for (int i = 0; i < 5; ++i) CHECK(hosts.bed.a.Call<Ping>("B", {}, {.host = "b1"}).ok());
  CHECK(hosts.asked == std::vector<std::string>(5, "b1"));
  hosts.bed.network.SetFault("b1", Fault::kRefuse);
  CHECK(OutcomeOf(hosts.bed.a.Call<Ping>("B", {}, {.host = "b1"}).status()) ==
        Outcome::kNotExecuted);
  CHECK(hosts.asked.size() == 5);
  const absl::Status unknown = hosts.bed.a.Call<Ping>("B", {}, {.host = "b9"}).status();
  CHECK(GetError<NoConnectionsAvailable>(unknown));
  CHECK(OutcomeOf(unknown) == Outcome::kNotExecuted);
}

TEST_CASE("Calls with the same balance key go to the same host", "[conduit][async][hosts]") {
  SomeHosts hosts;
  ConduitOptions options;
  options.now = hosts.bed.clock.function();
  options.balance = Balance::kByKey;
  options.hedge_reads = false;
  Conduit a(PodsOf("A"), &hosts.bed.network, options);
  std::map<std::string, std::set<std::string>> by_key;
  for (int i = 0; i < 60; ++i) {
    const std::string key = std::to_string(i % 20);
    hosts.asked.clear();
    REQUIRE(a.Call<Ping>("B", {}, {.balance_key = key}).ok());
    by_key[key].insert(hosts.asked.begin(), hosts.asked.end());
  }
  std::set<std::string> used;
  for (const auto& [key, asked] : by_key) {
    CHECK(asked.size() == 1);
    used.insert(asked.begin(), asked.end());
  }
  CHECK(used.size() > 1);
}

TEST_CASE("A host that fails again and again is put aside, and that is told",
          "[conduit][async][hosts]") {
  SomeHosts hosts({"b1", "b2", "b3", "b4"});
  std::vector<HostEvent> events;
  ConduitOptions options;
  options.now = hosts.bed.clock.function();
  options.on_host_event = [&](const HostEvent& event) { events.push_back(event); };
  Conduit a(PodsOf("A"), &hosts.bed.network, options);
  hosts.bed.network.SetFault("b1", Fault::kRefuse);
  for (int i = 0; i < 200; ++i) REQUIRE(a.Call<Ping>("B").ok());
  const auto ejected = std::find_if(events.begin(), events.end(), [](const HostEvent& event) {
    return event.kind == HostEvent::Kind::kEjected && event.host == "b1";
  });
  REQUIRE(ejected != events.end());
  CHECK(ejected->pod == "B");
  CHECK(ejected->reason.ends_with("it is down"));
  int64_t failures = 0;
  for (const HostStatus& host : a.Hosts("B")) {
    if (host.host != "b1") continue;
    CHECK(host.state == HostState::kEjected);
    failures = host.failures;
  }
  CHECK(failures > 0);
  CHECK(failures < 50);  // It was not asked any more.
}

TEST_CASE("A read that takes too long is sent to a second host, and the first answer counts",
          "[conduit][async][hosts]") {
  ThreadedBed bed;
  bed.network.Connect("B", {});
  for (const std::string host : {"b1", "b2"}) {
    bed.network.ConnectHost("B", host,
                            [&](const WireRequest& request) { return bed.b.Receive(request); });
  }
  std::atomic<bool> slow = false;
  std::atomic<int> executed = 0;
  std::promise<void> let_go;
  const std::shared_future<void> released = let_go.get_future().share();
  bed.b.Handle<Wait>([&](const CallContext&, const Nothing&) {
    ++executed;
    if (slow.exchange(false)) released.wait();
    return absl::OkStatus();
  });
  for (int i = 0; i < 60; ++i) REQUIRE(bed.a.Call<Wait>("B").ok());
  executed = 0;
  slow = true;
  CHECK(bed.a.Call<Wait>("B", {}, {.timeout = absl::Minutes(1)}).ok());
  CHECK(executed == 2);
  let_go.set_value();
  for (const std::string host : {"b1", "b2"}) bed.network.ConnectHost("B", host, {});
}

TEST_CASE("A pod without hosts cannot be called", "[conduit][async][hosts]") {
  HttpTransport transport;
  Conduit a(PodsOf("A"), &transport);
  const absl::Status status = a.Call<Ping>("B").status();
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  CHECK(status.message() == "pod 'B': no host of it is known");
}

TEMPLATE_TEST_CASE("What travels with a call reaches the responder", "[conduit][async][context]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  std::optional<CallContext> seen;
  bed.b.template Handle<Wait>([&](const CallContext& context, const Nothing&) {
    seen = context;
    return absl::OkStatus();
  });
  const StoreToken token{.store = "s", .token = 7, .transaction = 3};
  REQUIRE(
      bed.a
          .template Call<Wait>(
              "B", {}, {.actor = "zoe", .key = "k1", .trace = "00-1-2-01", .store_token = token})
          .ok());
  REQUIRE(seen);
  CHECK(seen->actor == "zoe");
  CHECK(seen->key == "k1");
  CHECK(seen->trace == "00-1-2-01");
  CHECK(seen->store_token == token);
  CHECK_FALSE(seen->stop.stop_requested());
  // A call inside the answer has what is left of the time.
  const CallOptions inner = CallOptions::Within(*seen, seen->deadline - absl::Seconds(4));
  CHECK(inner.timeout == absl::Seconds(4));
  CHECK(inner.actor == "zoe");
  CHECK(inner.trace == "00-1-2-01");
  CHECK(inner.key.empty());
}

TEMPLATE_TEST_CASE("A stale token is refused before anything is done", "[conduit][async][context]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  int executed = 0;
  bed.b.template Handle<Wait>([&](const CallContext&, const Nothing&) {
    ++executed;
    return absl::OkStatus();
  });
  const auto call = [&](const std::string& store, int64_t token) {
    return bed.a
        .template Call<Wait>("B", {}, {.store_token = StoreToken{.store = store, .token = token}})
        .status();
  };
  CHECK(call("s", 7) == absl::OkStatus());
  CHECK(call("s", 7) == absl::OkStatus());
  CHECK(call("s", 8) == absl::OkStatus());
  CHECK(call("other", 1) == absl::OkStatus());
  const absl::Status stale = call("s", 7);
  CHECK(stale.code() == absl::StatusCode::kFailedPrecondition);
  const auto error = GetError<StaleToken>(stale);
  REQUIRE(error);
  CHECK(error->store == "s");
  CHECK(error->token == 7);
  CHECK(error->seen == 8);
  CHECK(executed == 4);
}

TEST_CASE("A responder that has enough to do refuses the next call", "[conduit][async][limits]") {
  ThreadedBed bed;
  Waiting waiting;
  waiting.Serve(bed.b, {.max_in_flight = 1});
  std::stop_source stop;
  auto first = bed.a.CallAsync<Wait>("B", {}, {}, {.stop = stop.get_token()});
  waiting.AwaitStart();
  const absl::Status status = bed.a.Call<Wait>("B", {}, {.max_attempts = 1}).status();
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  const auto error = GetError<Overloaded>(status);
  REQUIRE(error);
  CHECK(error->retry_after > absl::ZeroDuration());
  CHECK(bed.a.Call<Ping>("B").ok());
  stop.request_stop();
  CHECK(OutcomeOf(first.get().status()) == Outcome::kCancelled);
  while (!waiting.stopped()) std::this_thread::yield();
}

TEST_CASE("One pod cannot take all calls", "[conduit][async][limits]") {
  internal::Admission admission(2);
  CHECK(admission.Enter("A"));
  CHECK(admission.Enter("A"));
  CHECK_FALSE(admission.Enter("A"));
  CHECK(admission.Enter("B"));
  admission.Leave("A");
  CHECK(admission.Enter("A"));
}

TEST_CASE("Answer replies from this thread or from one of its own", "[conduit][async][answer]") {
  InProcessBed bed(
      ConduitOptions{.worker_threads = 1, .max_waiting_calls = 1, .meet_hosts = false});
  const auto caller = bed.b.pods().Find("A");
  const auto ask = [&](std::string body, std::stop_token stop = {}) {
    auto reply = std::make_shared<std::promise<WireReply>>();
    auto result = reply->get_future();
    bed.b.Answer({.caller = caller,
                  .request = {.content_type = "application/json", .body = std::move(body)},
                  .stop = std::move(stop),
                  .reply = [reply](WireReply answer) { reply->set_value(std::move(answer)); }});
    return result;
  };
  Waiting waiting;
  waiting.Serve(bed.b);
  std::stop_source stop;
  auto running = ask(R"({"action":"wait"})", stop.get_token());
  waiting.AwaitStart();
  auto queued = ask(R"({"action":"wait"})");
  const WireReply refused = ask(R"({"action":"wait"})").get();
  CHECK(refused.status == 400);
  CHECK(refused.body.find("Overloaded") != std::string::npos);
  CHECK(ask(R"({"action":"ping"})").get().body == R"({"result":"ok"})");
  CHECK(ask("[]").get().body.find("BadJson") != std::string::npos);
  stop.request_stop();
  CHECK(running.get().status == 200);
  CHECK(queued.get().status == 200);
}

TEST_CASE("Answer leaves calls to the executor that it was given", "[conduit][async][answer]") {
  std::vector<std::function<void()>> taken;
  bool takes = true;
  ConduitOptions options{.meet_hosts = false};
  options.executor = [&](std::function<void()> work) {
    if (takes) taken.push_back(std::move(work));
    return takes;
  };
  InProcessBed bed(options);
  bed.b.Handle<Add>([](const CallContext&, const Nothing&) { return absl::OkStatus(); });
  std::vector<std::string> replies;
  const auto answer = [&](const char* action) {
    bed.b.Answer({.caller = bed.b.pods().Find("A"),
                  .request = {.content_type = "application/json",
                              .body = std::string("{\"action\": \"") + action +
                                      "\", \"timeout_ms\": 1000, \"keywords\": {}}"},
                  .reply = [&](const WireReply& reply) { replies.push_back(reply.body); }});
  };
  answer("ping");
  CHECK(replies.size() == 1);
  answer("add");
  CHECK(replies.size() == 1);
  CHECK(bed.b.InFlight() == 1);
  takes = false;
  answer("add");
  REQUIRE(replies.size() == 2);
  CHECK(replies[1].find("Overloaded") != std::string::npos);
  CHECK(bed.b.InFlight() == 1);
  REQUIRE(taken.size() == 1);
  taken[0]();
  REQUIRE(replies.size() == 3);
  CHECK(replies[2].find("\"ok\"") != std::string::npos);
  CHECK(bed.b.InFlight() == 0);
}

TEST_CASE("A call whose time passed while it waited is not begun", "[conduit][async][deadline]") {
  InProcessBed bed(ConduitOptions{.worker_threads = 1, .meet_hosts = false});
  Waiting waiting;
  waiting.Serve(bed.b);
  std::promise<WireReply> first;
  std::promise<WireReply> second;
  std::stop_source stop;
  const auto ask = [&](std::promise<WireReply>& reply, const std::string& action,
                       std::stop_token token) {
    bed.b.Answer({.caller = bed.b.pods().Find("A"),
                  .request = {.content_type = "application/json",
                              .body = R"({"timeout_ms":50,"action":")" + action + "\"}"},
                  .stop = std::move(token),
                  .reply = [&](WireReply answer) { reply.set_value(std::move(answer)); }});
  };
  ask(first, "wait", stop.get_token());
  waiting.AwaitStart();
  ask(second, "wait", {});
  bed.clock.Advance(absl::Milliseconds(50));
  stop.request_stop();
  CHECK(first.get_future().get().status == 200);
  CHECK(second.get_future().get().body.find("TooLate") != std::string::npos);
}

}  // namespace podkit::conduit
