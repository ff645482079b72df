// Batches and hosts: which one is called, with which calls, and when it is called again.
#include <string>
#include <utility>
#include <vector>

#include "held_transport.h"
#include "lists.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/batch.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using Fault = InProcessNetwork::Fault;
using podkit::testing::ValueOf;
using Words = std::vector<std::string>;

int64_t TimesReceived(const Conduit& conduit, std::string_view command) {
  for (const CommandStats& one : conduit.Stats()) {
    if (one.command == command) return one.received.calls;
  }
  return 0;
}

bool IsBatch(const WireRequest& request) {
  return request.body.find(R"("action":"batch")") != std::string::npos;
}

// The answer to the first batch is lost; `then` happens before it could be repeated.
void LoseFirstBatch(
    InProcessNetwork& network, std::function<void()> then = [] {}) {
  const auto lost = std::make_shared<std::atomic<bool>>(false);
  network.SetTap([&network, lost, then = std::move(then)](
                     std::string_view host, const WireRequest& request, const WireReply&) {
    const bool lose = IsBatch(request) && !lost->exchange(true);
    network.SetFault(host, lose ? Fault::kLoseReply : Fault::kNone);
    if (lose) then();
  });
}

// Pod B with two hosts, each a server of its own.
struct BatchHosts {
  InProcessNetwork network;
  Conduit a{PodsOf("A"), &network, {.seed = 7}};
  Conduit b1{PodsOf("B"), &network, {.version = "1.1"}};
  Conduit b2{PodsOf("B"), &network, {.version = "1.2"}};
  BatchHosts() {
    for (Conduit* const host : {&b1, &b2}) {
      network.ConnectHost("B", host == &b1 ? "b1" : "b2",
                          [host](const WireRequest& request) { return host->Receive(request); });
    }
  }
};

absl::StatusOr<EatCheez::Response> EatAny(const CallContext&, const EatCheez::Arguments&) {
  return EatCheez::Response{.rating = 5};
}

absl::StatusOr<Bytes> EchoAny(const CallContext&, const Echo::Arguments& arguments) {
  return std::get<0>(arguments);
}

// As another version has it.
struct OtherEatCheez : EatCheez {
  struct Arguments {
    std::string name;
    int64_t grams = 0;
    static constexpr auto Fields() {
      return std::make_tuple(Required("name", &Arguments::name),
                             Required("grams", &Arguments::grams));
    }
  };
};

}  // namespace

TEST_CASE("Only those calls of a batch fail that the host cannot serve, and before it is sent",
          "[conduit][batch][meeting]") {
  InProcessBed bed(ConduitOptions{.version = "7.1"});
  Lists lists;
  lists.Serve(bed.b);
  bed.b.Handle<OtherEatCheez>(
      [](const CallContext&,
         const OtherEatCheez::Arguments&) -> absl::StatusOr<EatCheez::Response> {
        return EatCheez::Response{};
      });
  std::string sent;
  bed.network.SetTap([&](std::string_view, const WireRequest& request, const WireReply&) {
    if (IsBatch(request)) sent = request.body;
  });
  Batch batch;
  const auto changed = batch.Add<EatCheez>({.name = "x"});
  const auto unknown = batch.Add<Echo>({Bytes{"x"}});
  const auto made = batch.Add<CreateList>({.name = "c1"});
  const auto uses = batch.AddTarget<AddItem>({.list = "l"}, {})
                        .Set(&AddItem::Arguments::text, changed[&EatCheez::Response::text]);
  CHECK(OutcomeOf(bed.a.Call("B", batch)) == Outcome::kNotImplemented);
  CHECK(
      unknown.result().status().message() ==
      "pod 'B' (version 7.1) does not know 'echo', which exists since version 1: update that pod");
  CHECK_THAT(std::string(changed.result().status().message()),
             Catch::StartsWith("pod 'B' (version 7.1) has another 'eat-cheez'"));
  CHECK(GetError<EarlierCallFailed>(uses.result().status())->call == 0);
  CHECK(made.result().ok());
  CHECK(sent.find("eat-cheez") == std::string::npos);
  CHECK(sent.find("echo") == std::string::npos);
  CHECK(sent.find("create-list") != std::string::npos);
  CHECK(TimesReceived(bed.b, "hello") == 1);
}

TEST_CASE("A batch of which nothing can be served is not sent", "[conduit][batch][meeting]") {
  InProcessBed bed(ConduitOptions{});
  Batch batch;
  batch.Add<EatCheez>({.name = "x"});
  const auto echo = batch.Add<Echo>({Bytes{"x"}});
  CHECK(OutcomeOf(bed.a.Call("B", batch)) == Outcome::kNotImplemented);
  CHECK_THAT(std::string(echo.result().status().message()), Catch::Contains("'echo'"));
  CHECK(TimesReceived(bed.b, "batch") == 0);
}

TEST_CASE("A call that the host does not know makes the caller meet it again",
          "[conduit][batch][meeting]") {
  // Whichever pod answers under that name says in hello what the first one serves.
  InProcessNetwork network;
  Conduit a{PodsOf("A"), &network, {}};
  Conduit before{PodsOf("B"), &network, {}};
  Conduit after{PodsOf("B"), &network, {}};
  Lists lists;
  lists.Serve(before);
  before.Handle<Echo>(EchoAny);
  lists.Serve(after);
  network.Connect("B", [&](const WireRequest& request) { return before.Receive(request); });
  const auto call = [&] {
    Batch batch;
    batch.Add<CreateList>({.name = "c1"});
    const auto echo = batch.Add<Echo>({Bytes{"x"}});
    static_cast<void>(a.Call("B", batch));
    return echo.result().status();
  };
  REQUIRE(call() == absl::OkStatus());
  network.Connect("B", [&](const WireRequest& request) { return after.Receive(request); });
  CHECK(OutcomeOf(call()) == Outcome::kNotImplemented);
  CHECK(TimesReceived(after, "hello") == 0);
  CHECK(OutcomeOf(call()) == Outcome::kNotImplemented);
  CHECK(TimesReceived(after, "hello") == 1);
  CHECK(lists.Done() == Words{"create c1", "create c1", "create c1"});
}

TEST_CASE("A pod that does not know batches yet executes nothing", "[conduit][batch][meeting]") {
  HeldTransport transport;
  const podkit::testing::FakeClock clock;
  Conduit a{PodsOf("A"), &transport, {.meet_hosts = false, .now = clock.function()}};
  transport.AnswerAtOnce();
  transport.Serve("B", [](const ReceivedCall& call) {
    call.reply({.status = 400,
                .content_type = "application/json",
                .body = R"({"result":"exception","class":"UnknownAction","code":"unimplemented",)"
                        R"("details":"?","fields":{"action":"batch","version":"0.0"}})"});
  });
  Batch batch;
  const auto one = batch.Add<Echo>({Bytes{"x"}});
  const absl::Status ended = a.Call("B", batch);
  CHECK(OutcomeOf(ended) == Outcome::kNotImplemented);
  CHECK(one.result().status() == ended);
  CHECK(ended.message() ==
        "pod 'B' (version 0.0) does not know 'batch', which exists since version 3: update that "
        "pod");
}

// A key whose calls `a` sends to this host of pod B.
std::string KeyOf(Conduit& a, const std::string& host) {
  for (int i = 0;; ++i) {
    const std::string key = std::to_string(i);
    const auto used = std::make_shared<std::string>();
    REQUIRE(a.Call<EatCheez>("B", {.name = "x"}, {.balance_key = key, .used_host = used}).ok());
    if (*used == host) return key;
  }
}

TEST_CASE("A batch goes to the host that serves the most of it", "[conduit][batch][hosts]") {
  for (int round = 0; round < 10; ++round) {
    BatchHosts hosts;
    hosts.b1.Handle<EatCheez>(EatAny);
    hosts.b1.Handle<Echo>(EchoAny);
    hosts.b2.Handle<EatCheez>(EatAny);
    Batch batch;
    const auto eat = batch.Add<EatCheez>({.name = "x"});
    const auto echo = batch.Add<Echo>({Bytes{"x"}});
    const auto list = batch.Add<CreateList>({.name = "x"});
    CHECK(OutcomeOf(hosts.a.Call("B", batch)) == Outcome::kNotImplemented);
    CHECK(eat.result().ok());
    CHECK(echo.result().ok());
    CHECK(OutcomeOf(list.result().status()) == Outcome::kNotImplemented);
    CHECK(TimesReceived(hosts.b1, "batch") == 1);
    CHECK(TimesReceived(hosts.b2, "batch") == 0);
  }
}

TEST_CASE("A batch that did not arrive goes on with what another host serves",
          "[conduit][batch][hosts]") {
  for (int round = 0; round < 5; ++round) {
    BatchHosts hosts;
    hosts.b1.Handle<EatCheez>(EatAny);
    hosts.b1.Handle<Echo>(EchoAny);
    hosts.b2.Handle<EatCheez>(EatAny);
    Conduit a(PodsOf("A"), &hosts.network, {.balance = Balance::kByKey});
    // It is the one that is asked first, is met, and then gone.
    const std::string key = KeyOf(a, "b1");
    hosts.network.SetFault("b1", Fault::kRefuse);
    Batch batch;
    const auto eat = batch.Add<EatCheez>({.name = "x"});
    const auto echo = batch.Add<Echo>({Bytes{"x"}});
    CHECK(OutcomeOf(a.Call("B", batch, {.balance_key = key})) == Outcome::kNotImplemented);
    CHECK(eat.result().ok());
    CHECK(OutcomeOf(echo.result().status()) == Outcome::kNotImplemented);
  }
}

// Answers HeldElsewhere, or eats.
void ServeHeld(Conduit& conduit, const std::string& holder) {
  conduit.Handle<EatCheez>(
      [holder](const CallContext&,
               const EatCheez::Arguments&) -> absl::StatusOr<EatCheez::Response> {
        if (!holder.empty()) return MakeError(HeldElsewhere{holder}, "held by another host");
        return EatCheez::Response{.rating = 5};
      });
}

TEST_CASE("A batch goes to the host that holds what all of it is for", "[conduit][batch][hosts]") {
  BatchHosts hosts;
  ServeHeld(hosts.b1, "b2");
  ServeHeld(hosts.b2, "");
  Batch batch;
  const auto one = batch.Add<EatCheez>({.name = "x"});
  const auto two =
      batch.Add<EatCheez>({}).Set(&EatCheez::Arguments::name, one[&EatCheez::Response::text]);
  const auto host = std::make_shared<std::string>();
  CHECK(hosts.a.Call("B", batch, {.balance_key = "k", .used_host = host}) == absl::OkStatus());
  CHECK(*host == "b2");
  CHECK(TimesReceived(hosts.b2, "eat-cheez") == 2);
}

TEST_CASE("A batch is not split over hosts", "[conduit][batch][hosts]") {
  BatchHosts hosts;
  ServeHeld(hosts.b1, "b2");
  ServeHeld(hosts.b2, "");
  int64_t echoed = 0;
  for (Conduit* const host : {&hosts.b1, &hosts.b2}) {
    host->Handle<Echo>([&](const CallContext& context, const Echo::Arguments& arguments) {
      ++echoed;
      return EchoAny(context, arguments);
    });
  }
  // Whether what was executed comes before what is held elsewhere or behind it.
  for (const bool first : {true, false}) {
    Batch mixed;
    std::vector<BatchedResult<Echo>> echoes;
    if (first) echoes.push_back(mixed.Add<Echo>({Bytes{"x"}}));
    const auto eat = mixed.Add<EatCheez>({.name = "x"});
    if (!first) echoes.push_back(mixed.Add<Echo>({Bytes{"x"}}));
    const CallOptions options{.balance_key = "k", .host = "b1"};
    CHECK(OutcomeOf(hosts.a.Call("B", mixed, options)) == Outcome::kNotExecuted);
    CHECK(echoes.at(0).result().ok());
    CHECK(GetError<HeldElsewhere>(eat.result().status())->host == "b2");
  }
  CHECK(echoed == 2);
  CHECK(TimesReceived(hosts.b2, "batch") == 0);
}

TEST_CASE("A batch of which a host knows one part and holds none goes on as a whole",
          "[conduit][batch][hosts]") {
  InProcessNetwork network;
  Conduit a{PodsOf("A"), &network, {.meet_hosts = false}};
  Conduit b1{PodsOf("B"), &network};
  Conduit b2{PodsOf("B"), &network};
  for (Conduit* const host : {&b1, &b2}) {
    network.ConnectHost("B", host == &b1 ? "b1" : "b2",
                        [host](const WireRequest& request) { return host->Receive(request); });
  }
  ServeHeld(b1, "b2");
  ServeHeld(b2, "");
  b2.Handle<Echo>(EchoAny);
  for (int i = 0; i < 10; ++i) {
    Batch batch;
    const auto echo = batch.Add<Echo>({Bytes{"x"}});
    const auto eat = batch.Add<EatCheez>({.name = "x"});
    CHECK(a.Call("B", batch) == absl::OkStatus());
  }
  CHECK(TimesReceived(b1, "batch") > 0);
}

TEST_CASE("A batch that no host holds ends so, and was not executed", "[conduit][batch][hosts]") {
  BatchHosts hosts;
  ServeHeld(hosts.b1, "b2");
  ServeHeld(hosts.b2, "b1");
  Batch batch;
  const auto eat = batch.Add<EatCheez>({.name = "x"});
  CHECK(OutcomeOf(hosts.a.Call("B", batch)) == Outcome::kNotExecuted);
  CHECK(GetError<HeldElsewhere>(eat.result().status()));
  // As of a single call: at first, and after three redirects.
  CHECK(TimesReceived(hosts.b1, "batch") + TimesReceived(hosts.b2, "batch") == 4);
}

TEST_CASE("A batch with a write that has no key is not repeated once it may have been executed",
          "[conduit][batch][keys]") {
  const auto answers = MakeMemoryAnswers();
  InProcessBed bed(ConduitOptions{});
  Lists lists;
  lists.Serve(bed.b, answers.get());
  LoseFirstBatch(bed.network);
  Batch batch;
  batch.Add<ReadItem>({"r", {}});
  batch.Add<CreateList>({.name = "c1"}, {.key = "k1"});
  batch.Add<CreateList>({.name = "c2"});
  CHECK(OutcomeOf(bed.a.Call("B", batch)) == Outcome::kUnknown);
  CHECK(lists.Done() == Words{"read r", "create c1", "create c2"});
}

TEST_CASE("A batch whose writes have keys is repeated, and each of them executed once",
          "[conduit][batch][keys]") {
  const auto answers = MakeMemoryAnswers();
  InProcessBed bed(ConduitOptions{});
  Lists lists;
  lists.Serve(bed.b, answers.get());
  LoseFirstBatch(bed.network);
  Batch batch;
  const auto read = batch.Add<ReadItem>({"r", {}});
  const auto made = batch.Add<CreateList>({.name = "c1"}, {.key = "k1"});
  const auto put = batch.AddTarget<AddItem>({}, {.text = "t"})
                       .Set(&AddItem::Target::list, made[&CreateList::Response::id]);
  CHECK(bed.a.Call("B", batch, {.make_key = true}) == absl::OkStatus());
  CHECK(ValueOf(put.result()) == "t*1@id-of-c1/-");
  CHECK(lists.Done() == Words{"read r", "create c1", "add t*1@id-of-c1/-", "read r"});
}

TEST_CASE("A batch counts on the answers of the host that may have executed it",
          "[conduit][batch][keys]") {
  const auto answers = MakeMemoryAnswers();
  const auto forgotten = MakeMemoryAnswers();
  InProcessNetwork network;
  Conduit a(PodsOf("A"), &network, {});
  Conduit old(PodsOf("B"), &network, {});
  Conduit fresh(PodsOf("B"), &network, {});
  Lists lists;
  Lists restarted;
  lists.Serve(old, answers.get());
  restarted.Serve(fresh, forgotten.get());
  std::atomic<Conduit*> running = &old;
  network.Connect("B",
                  [&](const WireRequest& request) { return running.load()->Receive(request); });
  LoseFirstBatch(network, [&] { running = &fresh; });
  Batch batch;
  batch.Add<CreateList>({.name = "c1"}, {.key = "k1"});
  const absl::Status status = a.Call("B", batch);
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(lists.Done() == Words{"create c1"});
  CHECK(restarted.Done().empty());
}

TEST_CASE("What an earlier attempt may have executed is never said not to be",
          "[conduit][batch][keys]") {
  const auto answers = MakeMemoryAnswers();
  InProcessBed bed(ConduitOptions{});
  Lists lists;
  lists.Serve(bed.b, answers.get());
  bed.b.Handle<EatCheez>(EatAny);
  // Refuses the second time, and does so for one call only.
  std::atomic<int> times = 0;
  bed.b.Handle<Echo>(
      [&](const CallContext&, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
        if (++times > 1) return MakeError(Overloaded{absl::Hours(1)}, "later");
        return std::get<0>(arguments);
      });
  LoseFirstBatch(bed.network);
  Batch batch;
  const auto eat = batch.Add<EatCheez>({.name = "x"});
  const auto echo = batch.Add<Echo>({Bytes{"x"}});
  CHECK(OutcomeOf(bed.a.Call("B", batch)) == Outcome::kUnknown);
  CHECK(eat.result().ok());
  CHECK(GetError<Overloaded>(echo.result().status()).has_value());
  CHECK(OutcomeOf(echo.result().status()) == Outcome::kUnknown);
  CHECK(times == 2);
}

TEST_CASE("A batch of reads is repeated when its answer is lost", "[conduit][batch]") {
  InProcessBed bed;
  Lists lists;
  lists.Serve(bed.b);
  LoseFirstBatch(bed.network);
  Batch batch;
  batch.Add<ReadItem>({"r1", {}});
  batch.Add<ReadItem>({"r2", {}});
  CHECK(bed.a.Call("B", batch) == absl::OkStatus());
  CHECK(lists.Done() == Words{"read r1", "read r2", "read r1", "read r2"});
}

TEST_CASE("A batch of which a call is still running comes back for it", "[conduit][batch][keys]") {
  // Says once that the first call still runs.
  class Running final : public AnswerStore {
   public:
    std::string Id() const override { return kept_->Id(); }
    absl::Duration Window() const override { return kept_->Window(); }
    absl::StatusOr<std::optional<WireReply>> Begin(const KeyedCall& call) override {
      if (call.key == "k2" && !said_.exchange(true)) return StillRunningError(call);
      return kept_->Begin(call);
    }
    absl::Status End(const KeyedCall& call, const WireReply* reply) override {
      return kept_->End(call, reply);
    }
    size_t Keys() const override { return kept_->Keys(); }

   private:
    std::atomic<bool> said_ = false;
    const std::unique_ptr<AnswerStore> kept_ = MakeMemoryAnswers();
  };
  Running answers;
  InProcessBed bed(ConduitOptions{});
  Lists lists;
  lists.Serve(bed.b, &answers);
  Batch batch;
  batch.Add<CreateList>({.name = "c1"}, {.key = "k1"});
  batch.Add<CreateList>({.name = "c2"}, {.key = "k2"});
  CHECK(bed.a.Call("B", batch) == absl::OkStatus());
  CHECK(lists.Done() == Words{"create c1", "create c2"});
  CHECK(TimesReceived(bed.b, "batch") == 2);
}

TEST_CASE("A batch that is refused whole for want of room is sent again", "[conduit][batch]") {
  InProcessBed bed;
  std::atomic<int> times = 0;
  bed.b.Handle<EatCheez>(
      [&](const CallContext&, const EatCheez::Arguments&) -> absl::StatusOr<EatCheez::Response> {
        if (++times <= 2) return MakeError(Overloaded{absl::Milliseconds(1)}, "later");
        return EatCheez::Response{.rating = 5};
      });
  Batch batch;
  batch.Add<EatCheez>({.name = "x"});
  batch.Add<EatCheez>({.name = "y"});
  CHECK(bed.a.Call("B", batch) == absl::OkStatus());
  CHECK(times == 4);
}

}  // namespace podkit::conduit
