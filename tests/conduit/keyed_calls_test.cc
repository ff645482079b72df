// Calls with keys: executed once, whatever becomes of their answers.
#include "keyed_calls.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cheese.h"
#include "common/mutex.h"
#include "mux_bed.h"
#include "podkit/conduit/answers.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using Fault = InProcessNetwork::Fault;
using podkit::testing::ValueOf;

// A write that nobody should do twice.
struct Order {
  static constexpr CommandInfo kInfo = {.name = "order"};
  struct Arguments {
    std::string cheese;
    static constexpr auto Fields() {
      return std::make_tuple(Required("cheese", &Arguments::cheese));
    }
  };
  struct Response {
    int64_t number = 0;  // Of all orders that were taken.
    static constexpr auto Fields() {
      return std::make_tuple(Required("number", &Response::number));
    }
  };
  using Errors = ErrorList<NoSuchCheese, ShopClosed>;
};

struct Later : ShopClosed {
  static constexpr std::string_view kClass = "Later";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
};

struct Cancel : Order {
  static constexpr CommandInfo kInfo = {.name = "cancel-order"};
};

// Takes orders and numbers them.
class Shop {
 public:
  absl::StatusOr<Order::Response> Take(const CallContext& context) {
    if (context.reply_payload != nullptr) *context.reply_payload = "receipt";
    last_key = context.key;
    keyed = context.keyed != nullptr;
    return Order::Response{.number = ++taken};
  }
  template <typename C = Order>
  void Open(Conduit& conduit, AnswerStore* answers) {
    conduit.Handle<C>(
        [this](const CallContext& context, const Order::Arguments&) { return Take(context); },
        {.answers = answers});
  }

  std::atomic<int64_t> taken = 0;
  std::string last_key;
  bool keyed = false;
};

// Answers in memory that tell what they are asked.
class WatchedAnswers final : public AnswerStore {
 public:
  explicit WatchedAnswers(std::function<void(int begun, const absl::Status&)> watch)
      : watch_(std::move(watch)) {}
  std::string Id() const override { return kept_->Id(); }
  absl::Duration Window() const override { return kept_->Window(); }
  absl::StatusOr<std::optional<WireReply>> Begin(const KeyedCall& call) override {
    auto begun = kept_->Begin(call);
    watch_(++begun_, begun.status());
    return begun;
  }
  absl::Status End(const KeyedCall& call, const WireReply* reply) override {
    return kept_->End(call, reply);
  }
  size_t Keys() const override { return kept_->Keys(); }

 private:
  const std::function<void(int, const absl::Status&)> watch_;
  const std::unique_ptr<AnswerStore> kept_ = MakeMemoryAnswers();
  std::atomic<int> begun_ = 0;
};

template <typename Bed>
absl::StatusOr<int64_t> PlaceOrder(Bed& bed, const CallOptions& options,
                                   const std::string& cheese = "brie") {
  const auto answer = bed.a.template Call<Order>("B", {.cheese = cheese}, options);
  if (!answer.ok()) return answer.status();
  return answer->number;
}

bool IsOrder(const WireRequest& request) {
  return request.body.find(R"("action":"order")") != std::string::npos;
}

// The answer to the first order on its way is lost; `then` happens before it could be repeated.
void LoseFirstAnswer(
    InProcessNetwork& network, std::function<void()> then = [] {}) {
  const auto lost = std::make_shared<std::atomic<bool>>(false);
  network.SetTap([&network, lost, then = std::move(then)](
                     std::string_view host, const WireRequest& request, const WireReply&) {
    const bool lose = IsOrder(request) && !lost->exchange(true);
    network.SetFault(host, lose ? Fault::kLoseReply : Fault::kNone);
    if (lose) then();
  });
}

TEMPLATE_TEST_CASE("A repeat with the same key is answered the same, and not executed",
                   "[conduit][keys]", InProcessBed, HttpBed, MuxBed) {
  const auto answers = MakeMemoryAnswers();
  Shop shop;
  TestType bed(ConduitOptions{});
  shop.Open(bed.b, answers.get());
  for (int i = 0; i < 3; ++i) {
    const CallOptions options{.key = "k1", .reply_payload = std::make_shared<std::string>()};
    CHECK(ValueOf(PlaceOrder(bed, options)) == 1);
    CHECK(*options.reply_payload == "receipt");
  }
  CHECK(shop.keyed);
  const CallOptions other{.key = "k2", .reply_payload = std::make_shared<std::string>()};
  CHECK(ValueOf(PlaceOrder(bed, other)) == 2);
  const KeyStats stats = bed.b.Keys();
  CHECK(stats.executed == 2);
  CHECK(stats.repeats == 2);
  CHECK(stats.held == 2);
  // Both are answers to calls.
  for (const CommandStats& command : bed.b.Stats()) {
    if (command.command != "order") continue;
    CHECK(command.received.calls == 4);
    CHECK(command.received.failed == 0);
  }
}

TEST_CASE("A repeat is answered with the same bytes", "[conduit][keys]") {
  const auto answers = MakeMemoryAnswers();
  Shop shop;
  InProcessBed bed(ConduitOptions{});
  shop.Open(bed.b, answers.get());
  std::vector<std::string> bodies;
  bed.network.SetTap([&](std::string_view, const WireRequest& request, const WireReply& reply) {
    if (IsOrder(request)) bodies.push_back(reply.content_type + reply.body);
  });
  const CallOptions options{.key = "k", .reply_payload = std::make_shared<std::string>()};
  for (int i = 0; i < 2; ++i) REQUIRE(PlaceOrder(bed, options).ok());
  REQUIRE(bodies.size() == 2);
  CHECK(bodies[0] == bodies[1]);
  CHECK(ValueOf(AnswerWith(Order::Response{.number = 1}, "receipt")).body ==
        bodies[0].substr(bodies[0].find('\0')));
}

TEMPLATE_TEST_CASE("An answer that is lost is asked for again, and the order is taken once",
                   "[conduit][keys]", InProcessBed, HttpBed) {
  std::function<void()> second = [] {};
  WatchedAnswers answers([&](int begun, const absl::Status&) {
    if (begun == 3) second();
  });
  Shop shop;
  TestType bed(ConduitOptions{});
  shop.Open(bed.b, &answers);
  second = [&] { bed.SetTrouble(Trouble::kNone); };
  const auto payload = std::make_shared<std::string>();
  REQUIRE(ValueOf(PlaceOrder(bed, {.key = "first", .reply_payload = payload})) == 1);
  bed.SetTrouble(Trouble::kLoseReply);
  CHECK(ValueOf(PlaceOrder(bed, {.make_key = true, .reply_payload = payload})) == 2);
  CHECK(shop.taken == 2);
  CHECK(shop.last_key.size() == 32);
  CHECK(bed.b.Keys().repeats == 1);
}

TEMPLATE_TEST_CASE("A key repeats nothing where no answers are kept, or nobody said that they are",
                   "[conduit][keys]", InProcessBed, HttpBed) {
  const bool meets = GENERATE(false, true);
  const auto answers = MakeMemoryAnswers();
  Shop shop;
  TestType bed(ConduitOptions{.meet_hosts = meets});
  shop.Open(bed.b, meets ? nullptr : answers.get());
  const auto payload = std::make_shared<std::string>();
  REQUIRE(ValueOf(PlaceOrder(bed, {.key = "first", .reply_payload = payload})) == 1);
  bed.SetTrouble(Trouble::kLoseReply);
  const absl::Status lost = PlaceOrder(bed, {.key = "k", .reply_payload = payload}).status();
  CHECK(OutcomeOf(lost) == Outcome::kUnknown);
  CHECK(shop.taken == 2);
}

TEST_CASE("Only writes are given keys, and only if they have none", "[conduit][keys]") {
  InProcessBed bed;
  std::vector<std::string> keys;
  bed.b.Handle<EatCheez>([&](const CallContext& context, const EatCheez::Arguments&) {
    keys.push_back(context.key);
    CHECK(context.keyed == nullptr);
    return absl::StatusOr<EatCheez::Response>(EatCheez::Response());
  });
  Shop shop;
  shop.Open(bed.b, nullptr);
  const auto payload = std::make_shared<std::string>();
  REQUIRE(bed.a.Call<EatCheez>("B", {.name = "brie"}, {.make_key = true}).ok());
  CHECK(keys == std::vector<std::string>{""});
  REQUIRE(PlaceOrder(bed, {.key = "own", .make_key = true, .reply_payload = payload}).ok());
  CHECK(shop.last_key == "own");
  REQUIRE(PlaceOrder(bed, {.make_key = true, .reply_payload = payload}).ok());
  const std::string made = shop.last_key;
  REQUIRE(PlaceOrder(bed, {.make_key = true, .reply_payload = payload}).ok());
  CHECK(shop.last_key != made);
}

TEST_CASE("A key is for one call: another one is refused, and both are named", "[conduit][keys]") {
  const auto answers = MakeMemoryAnswers();
  Shop shop;
  InProcessBed bed(ConduitOptions{});
  shop.Open(bed.b, answers.get());
  shop.Open<Cancel>(bed.b, answers.get());
  const CallOptions options{.key = "k", .reply_payload = std::make_shared<std::string>()};
  REQUIRE(PlaceOrder(bed, options).ok());
  const absl::Status other = bed.a.Call<Cancel>("B", {.cheese = "brie"}, options).status();
  REQUIRE(GetError<KeyReused>(other));
  CHECK(GetError<KeyReused>(other)->command == "cancel-order");
  CHECK(GetError<KeyReused>(other)->first_command == "order");
  CHECK(other.message() ==
        "key 'k' of pod 'A' is that of a call of 'order': give this call of 'cancel-order' a key "
        "of its own");
  const absl::Status arguments = PlaceOrder(bed, options, "gouda").status();
  REQUIRE(GetError<KeyReused>(arguments));
  CHECK(arguments.message().find("a call of 'order' with other arguments (") !=
        absl::string_view::npos);
  CallOptions actor = options;
  actor.actor = "zoe";
  CHECK(GetError<KeyReused>(PlaceOrder(bed, actor).status()));
  CHECK(shop.taken == 1);
  CHECK(bed.b.Keys().refused == 3);
  CHECK(ValueOf(PlaceOrder(bed, options)) == 1);
}

TEST_CASE("Keys of different pods are different keys", "[conduit][keys]") {
  const auto answers = MakeMemoryAnswers();
  const auto pods = [](const std::string& own) {
    return ValueOf(Pods::Create({Pod{.id = "A", .keys = {kKey}}, Pod{.id = "B", .keys = {kKey}},
                                 Pod{.id = "C", .keys = {kOtherKey}}},
                                own));
  };
  const auto of_c =
      ValueOf(Pods::Create({Pod{.id = "B", .keys = {kOtherKey}}, Pod{.id = "C"}}, "C"));
  InProcessNetwork network;
  Conduit a(pods("A"), &network);
  Conduit b(pods("B"), &network);
  Conduit c(of_c, &network);
  network.Connect("B", [&](const WireRequest& request) { return b.Receive(request); });
  Shop shop;
  shop.Open(b, answers.get());
  const CallOptions options{.key = "k", .reply_payload = std::make_shared<std::string>()};
  CHECK(ValueOf(a.Call<Order>("B", {.cheese = "brie"}, options)).number == 1);
  CHECK(ValueOf(c.Call<Order>("B", {.cheese = "brie"}, options)).number == 2);
  CHECK(ValueOf(a.Call<Order>("B", {.cheese = "brie"}, options)).number == 1);
}

TEST_CASE("A repeat waits for the first call as long as there is time", "[conduit][keys]") {
  Mutex mutex;
  CondVar changed;
  bool told = false;
  int taken = 0;
  WatchedAnswers answers([&](int, const absl::Status& begun) {
    if (!GetError<StillRunning>(begun)) return;
    MutexLock lock(&mutex);
    told = true;
    changed.SignalAll();
  });
  InProcessBed bed(ConduitOptions{}, 2);
  bed.b.Handle<Order>(
      [&](const CallContext&, const Order::Arguments&) -> absl::StatusOr<Order::Response> {
        MutexLock lock(&mutex);
        ++taken;
        changed.SignalAll();
        while (!told) changed.Wait(&mutex);
        return Order::Response{.number = 7};
      },
      {.answers = &answers});
  auto first = bed.a.CallAsync<Order>("B", {}, {.cheese = "brie"}, {.key = "k"});
  {
    MutexLock lock(&mutex);
    while (taken == 0) changed.Wait(&mutex);
  }
  auto second = bed.a.CallAsync<Order>("B", {}, {.cheese = "brie"}, {.key = "k"});
  CHECK(ValueOf(first.get()).number == 7);
  CHECK(ValueOf(second.get()).number == 7);
  CHECK(taken == 1);
  CHECK(bed.b.Keys().still_running >= 1);
}

TEST_CASE("Declared errors are kept, and those that may go better later are not",
          "[conduit][keys]") {
  const auto answers = MakeMemoryAnswers();
  InProcessBed bed(ConduitOptions{});
  std::vector<absl::Status> errors;
  size_t executed = 0;
  bed.b.Handle<Order>(
      [&](const CallContext&, const Order::Arguments&) -> absl::StatusOr<Order::Response> {
        return errors.at(executed++);
      },
      {.answers = answers.get()});
  errors = {MakeError(NoSuchCheese{.name = "brie"}, "no brie"),
            absl::InternalError("the knife broke"), MakeError(InvalidArguments{}, "not now"),
            MakeError(ShopClosed{}, "closed")};
  const auto place = [&](const std::string& key) {
    return PlaceOrder(bed, {.key = key, .max_attempts = 1}).status();
  };
  for (int i = 0; i < 2; ++i) CHECK(place("k1").message() == "no brie");
  CHECK(executed == 1);
  CHECK(OutcomeOf(place("k2")) == Outcome::kInternalError);
  CHECK(GetError<InvalidArguments>(place("k2")));
  for (int i = 0; i < 2; ++i) CHECK(GetError<ShopClosed>(place("k2")));
  CHECK(executed == 4);
  CHECK(internal::HoldsForRepeats(MakeError(ShopClosed{}, "")));
  CHECK_FALSE(internal::HoldsForRepeats(MakeError(Later{}, "")));
}

TEST_CASE("What a restart forgot is not executed again", "[conduit][keys]") {
  const auto before = MakeMemoryAnswers();
  const auto after = MakeMemoryAnswers();
  Shop shop;
  InProcessNetwork network;
  Conduit a(PodsOf("A"), &network);
  Conduit old(PodsOf("B"), &network);
  Conduit restarted(PodsOf("B"), &network);
  shop.Open(old, before.get());
  shop.Open(restarted, after.get());
  std::atomic<Conduit*> running = &old;
  network.Connect("B",
                  [&](const WireRequest& request) { return running.load()->Receive(request); });
  LoseFirstAnswer(network, [&] { running = &restarted; });
  const auto payload = std::make_shared<std::string>();
  const absl::Status lost =
      a.Call<Order>("B", {.cheese = "brie"}, {.key = "k", .reply_payload = payload}).status();
  CHECK(OutcomeOf(lost) == Outcome::kUnknown);
  CHECK(lost.message().find("a restart forgot it") != absl::string_view::npos);
  CHECK(shop.taken == 1);
  // What counts on nothing that was lost is executed: the host is met anew.
  const auto next = a.Call<Order>("B", {.cheese = "brie"}, {.key = "k2", .reply_payload = payload});
  CHECK(ValueOf(next).number == 2);
  running = &old;
  CHECK(ValueOf(a.Call<Order>("B", {.cheese = "brie"}, {.key = "k3", .reply_payload = payload}))
            .number == 3);
  CHECK(old.Keys().forgotten == 1);
}

TEST_CASE("A repeat goes to the host that has the answer, and to no other", "[conduit][keys]") {
  const bool keeps_losing = GENERATE(false, true);
  const auto answers1 = MakeMemoryAnswers();
  const auto answers2 = MakeMemoryAnswers();
  Shop shop;
  InProcessNetwork network;
  Conduit a(PodsOf("A"), &network);
  Conduit b1(PodsOf("B"), &network);
  Conduit b2(PodsOf("B"), &network);
  shop.Open(b1, answers1.get());
  shop.Open(b2, answers2.get());
  network.ConnectHost("B", "b1", [&](const WireRequest& request) { return b1.Receive(request); });
  network.ConnectHost("B", "b2", [&](const WireRequest& request) { return b2.Receive(request); });
  const CallOptions options{.key = "k", .reply_payload = std::make_shared<std::string>()};
  std::atomic<bool> lost = false;
  network.SetTap([&](std::string_view host, const WireRequest& request, const WireReply&) {
    const bool lose = IsOrder(request) && (keeps_losing || !lost);
    network.SetFault(host, lose ? Fault::kLoseReply : Fault::kNone);
    if (lose) lost = true;
  });
  const auto answer = a.Call<Order>("B", {.cheese = "brie"}, options);
  CHECK(shop.taken == 1);
  if (keeps_losing) {
    CHECK(OutcomeOf(answer.status()) == Outcome::kUnknown);
  } else {
    CHECK(ValueOf(answer).number == 1);
  }
}

// What answers in memory are asked by themselves.
class Asked {
 public:
  KeyedCall Call(std::string key, std::string caller = "A") const {
    return {.caller = std::move(caller),
            .key = std::move(key),
            .command = "order",
            .digest = "d",
            .request = document_.root()};
  }

 private:
  const JsonDocument document_ = ValueOf(JsonDocument::Parse("{}"));
};

TEST_CASE("Answers in memory are forgotten when their time is over", "[conduit][keys]") {
  podkit::testing::FakeClock clock;
  const auto answers = MakeMemoryAnswers({.window = absl::Minutes(15)}, clock.function());
  const Asked asked;
  const WireReply reply = ValueOf(AnswerWith(Order::Response{.number = 1}));
  const KeyedCall call = asked.Call("k");
  REQUIRE_FALSE(ValueOf(answers->Begin(call)));
  // It runs for as long as it takes.
  clock.Advance(absl::Hours(1));
  CHECK(GetError<StillRunning>(answers->Begin(call).status()));
  REQUIRE(answers->End(call, &reply) == absl::OkStatus());
  clock.Advance(absl::Minutes(15) - absl::Milliseconds(1));
  CHECK(ValueOf(answers->Begin(call))->body == reply.body);
  CHECK(answers->Keys() == 1);
  clock.Advance(absl::Milliseconds(1));
  CHECK_FALSE(ValueOf(answers->Begin(asked.Call("other", "C"))));
  CHECK(answers->Keys() == 1);
  CHECK_FALSE(ValueOf(answers->Begin(call)));
  // What has nothing to keep may run again.
  REQUIRE(answers->End(call, nullptr) == absl::OkStatus());
  CHECK_FALSE(ValueOf(answers->Begin(call)));
}

TEST_CASE("No pod fills the memory for answers, nor takes another one's part", "[conduit][keys]") {
  podkit::testing::FakeClock clock;
  const auto answers = MakeMemoryAnswers(
      {.window = absl::Minutes(15), .max_keys = 3, .max_bytes = 60, .max_answer_bytes = 40},
      clock.function());
  const Asked asked;
  const WireReply small = ValueOf(AnswerWith(Order::Response{.number = 1}));  // 36 bytes.
  REQUIRE(small.body.size() == 36);
  const auto keep = [&](const KeyedCall& call, const WireReply& reply) {
    const auto begun = answers->Begin(call);
    if (!begun.ok()) return begun.status();
    return answers->End(call, &reply);
  };
  SECTION("keys") {
    for (const char* key : {"1", "2", "3"}) CHECK(answers->Begin(asked.Call(key)).ok());
    const absl::Status full = answers->Begin(asked.Call("4")).status();
    REQUIRE(GetError<Overloaded>(full));
    CHECK(OutcomeOf(full) == Outcome::kNotExecuted);
    CHECK(answers->Begin(asked.Call("4", "C")).ok());
  }
  SECTION("bytes") {
    CHECK(keep(asked.Call("1"), small) == absl::OkStatus());
    clock.Advance(absl::Minutes(5));
    CHECK(keep(asked.Call("2"), small) == absl::OkStatus());
    const absl::Status full = answers->Begin(asked.Call("3")).status();
    REQUIRE(GetError<Overloaded>(full));
    CHECK(GetError<Overloaded>(full)->retry_after == absl::Minutes(10));
    CHECK(ValueOf(answers->Begin(asked.Call("1")))->body == small.body);
    CHECK(keep(asked.Call("3", "C"), small) == absl::OkStatus());
    clock.Advance(absl::Minutes(10));
    CHECK(keep(asked.Call("3"), small) == absl::OkStatus());
  }
  SECTION("one answer") {
    const WireReply large = ValueOf(AnswerWith(std::string(100, 'x')));
    CHECK(keep(asked.Call("1"), large) == absl::OkStatus());
    const WireReply kept = *ValueOf(answers->Begin(asked.Call("1")));
    CHECK(kept.status == 413);
    CHECK(kept.body.find("was executed, but its answer of") != std::string::npos);
  }
}

TEST_CASE("What is asked is what counts for a key, not how or when", "[conduit][keys]") {
  const auto digest = [](const std::string& request, std::string_view payload = {}) {
    const auto document = ValueOf(JsonDocument::Parse(request));
    return internal::DigestOf(document.root(), payload);
  };
  const std::string first =
      digest(R"({"action":"x","timeout_ms":9,"key":"k","arguments":[1],"keywords":{}})");
  CHECK(first.size() == 64);
  CHECK(first == digest(R"({"keywords":{}, "arguments":[1],"timeout_ms":8,"action":"x","call":"c",)"
                        R"("trace":"t","answers":"a","store_token":{"store":"s","token":1}})"));
  CHECK(first != digest(R"({"action":"x","arguments":[2],"keywords":{}})"));
  CHECK(first != digest(R"({"action":"y","arguments":[1],"keywords":{}})"));
  CHECK(first != digest(R"({"action":"x","actor":"zoe","arguments":[1],"keywords":{}})"));
  CHECK(first != digest(R"({"action":"x","home":"zoe","arguments":[1],"keywords":{}})"));
  CHECK(first != digest(R"({"action":"x","arguments":[1],"keywords":{}})", "bytes"));
}

}  // namespace
}  // namespace podkit::conduit
