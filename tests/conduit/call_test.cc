// Calls between two pods: one suite for every transport.
#include <chrono>
#include <stdexcept>
#include <thread>

#include "call_counter.h"
#include "cheese.h"
#include "mux_bed.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

void ServeCheese(Conduit& conduit) {
  conduit.Handle<EatCheez>(
      [](const CallContext&,
         const EatCheez::Arguments& arguments) -> absl::StatusOr<EatCheez::Response> {
        if (arguments.name == "brie") {
          return MakeError(NoSuchCheese{"brie", 7}, "no cheese 'brie': ask for another");
        }
        if (arguments.name == "lead") return absl::DataLossError("the shelf\nbroke");
        if (arguments.name == "iron") return MakeError(ShopClosed{}, "not what it declares");
        if (arguments.name == "tin") throw std::runtime_error("the knife broke");
        if (arguments.name == "zinc") throw 7;
        if (arguments.name == "rust") return EatCheez::Response{1, "\xff"};
        return EatCheez::Response{static_cast<int64_t>(arguments.name.size()), arguments.origin};
      });
  conduit.Handle<Echo>(
      [](const CallContext&, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
        return std::get<0>(arguments);
      });
}

// The same command as other versions may declare it.
struct OldEatCheez : EatCheez {
  struct Arguments {
    int64_t name = 0;
    static constexpr auto Fields() { return std::make_tuple(Required("name", &Arguments::name)); }
  };
};
struct OtherEatCheez : EatCheez {
  struct Response {
    std::string rating;
    static constexpr auto Fields() {
      return std::make_tuple(Required("rating", &Response::rating));
    }
  };
};
struct SilentEatCheez : EatCheez {
  using Response = Nothing;
};

// What a bed's B did with a call of Rename.
struct Renamed {
  std::atomic<int> times{0};

  void Serve(Conduit& conduit) {
    conduit.Handle<Rename>(
        [this](const CallContext&, const Rename::Target&, const Rename::Arguments&) {
          ++times;
          return absl::OkStatus();
        });
  }
};

template <typename Bed>
absl::Status Eat(Bed& bed, const std::string& name) {
  return bed.a.template Call<EatCheez>("B", {.name = name}).status();
}

template <typename Bed>
absl::Status CallRename(Bed& bed, const CallOptions& options = {}) {
  return bed.a.template CallTarget<Rename>("B", {"home", "child"}, {"new", 1}, options).status();
}

bool Has(const absl::Status& status, std::string_view text) {
  return status.ToString().find(text) != std::string::npos;
}

}  // namespace

TEMPLATE_TEST_CASE("A ping is answered in both directions", "[conduit][call]", InProcessBed,
                   HttpBed, MuxBed) {
  TestType bed;
  CHECK(bed.a.template Call<Ping>("B").status() == absl::OkStatus());
  CHECK(bed.b.template Call<Ping>("A").status() == absl::OkStatus());
}

TEMPLATE_TEST_CASE("A command carries its arguments and its response", "[conduit][call]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.a);
  ServeCheese(bed.b);
  const auto there = ValueOf(bed.a.template Call<EatCheez>("B", {"gouda", "nl"}));
  CHECK(there.rating == 5);
  CHECK(there.text == "nl");
  const auto back = ValueOf(bed.b.template Call<EatCheez>("A", {.name = "comte"}));
  CHECK(back.rating == 5);
  CHECK(back.text == "unknown");
}

TEMPLATE_TEST_CASE("A responder learns target, arguments, caller, actor and deadline",
                   "[conduit][call]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  std::vector<std::string> seen;
  absl::Time deadline;
  bed.b.template Handle<Rename>([&](const CallContext& context, const Rename::Target& target,
                                    const Rename::Arguments& arguments) {
    const auto& [name, number] = arguments;
    seen.push_back(target.home + "/" + target.child.value_or("-") + "/" + name + "/" +
                   std::to_string(number.value_or(-1)) + "/" + context.caller->id + "/" +
                   context.actor);
    deadline = context.deadline;
    return absl::OkStatus();
  });
  CHECK(bed.a.template CallTarget<Rename>("B", {.home = "h"}, {"n", {}}).ok());
  CHECK(deadline == bed.clock.Now() + absl::Seconds(10));
  CHECK(bed.a
            .template CallTarget<Rename>("B", {"h", "c"}, {"n", 4},
                                         {.timeout = absl::Hours(9), .actor = "zo\xc3\xab"})
            .ok());
  CHECK(deadline == bed.clock.Now() + absl::Minutes(5));
  CHECK(CallRename(bed, {.timeout = absl::InfiniteDuration()}).ok());
  REQUIRE(seen.size() >= 3);
  CHECK(seen[0] == "h/-/n/-1/A/");
  CHECK(seen[1] == "h/c/n/4/A/zo\xc3\xab");
}

TEST_CASE("A time-out travels in whole milliseconds from 1 to 5 minutes", "[conduit][call]") {
  InProcessBed bed;
  std::string body;
  bed.network.SetTap(
      [&](std::string_view, const WireRequest& request, const WireReply&) { body = request.body; });
  const auto sent = [&](absl::Duration timeout) {
    CHECK(bed.a.Call<Ping>("B", {}, {.timeout = timeout}).ok());
    return ValueOf(JsonDocument::Parse(body)).root().Member("timeout_ms")->AsInteger();
  };
  CHECK(sent(absl::Microseconds(1)) == 1);
  CHECK(sent(absl::Milliseconds(2.9)) == 2);
  CHECK(sent(absl::InfiniteDuration()) == 300'000);
}

TEMPLATE_TEST_CASE("A declared error comes back as its own type with its fields",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  const absl::Status status = Eat(bed, "brie");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(status.message() == "no cheese 'brie': ask for another");
  CHECK(OutcomeOf(status) == Outcome::kDeclaredError);
  const auto error = GetError<NoSuchCheese>(status);
  REQUIRE(error);
  CHECK(error->name == "brie");
  CHECK(error->stock == 7);
  CHECK(bed.log_b.size() == 0);
}

TEMPLATE_TEST_CASE("An undeclared error comes back as a reference to the other pod's log",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  const absl::Status status =
      bed.a.template Call<EatCheez>("B", {.name = "lead"}, {.actor = "zoe"}).status();
  CHECK(OutcomeOf(status) == Outcome::kInternalError);
  CHECK(status.code() == absl::StatusCode::kInternal);
  const auto error = GetError<InternalError>(status);
  REQUIRE(error);
  CHECK(error->reference.starts_with("B-"));
  CHECK(Has(status, error->reference));
  CHECK_FALSE(Has(status, "shelf"));
  // One line, with everything that somebody needs who looks for it.
  CHECK(bed.log_b.Contain(error->reference +
                          ": 'eat-cheez' called by pod 'A' for 'zoe' failed: DATA_LOSS: the shelf "
                          "broke"));
}

TEMPLATE_TEST_CASE("Whatever goes wrong in a responder is an internal error",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  const std::pair<const char*, const char*> cases[] = {
      {"iron", "not what it declares"},
      {"tin", "the knife broke"},
      {"zinc", "threw something that is not a std::exception"},
      {"rust", "a text in the answer is not UTF-8"}};
  for (const auto& [name, cause] : cases) {
    const absl::Status status = Eat(bed, name);
    CHECK(OutcomeOf(status) == Outcome::kInternalError);
    CHECK_FALSE(Has(status, cause));
    CHECK(bed.log_b.Contain(cause));
  }
  CHECK(Eat(bed, "gouda") == absl::OkStatus());
}

TEMPLATE_TEST_CASE("A command that the other pod does not know says since when it exists",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed(ConduitOptions{.version = "7.1", .meet_hosts = false});
  const absl::Status status = Eat(bed, "brie");
  CHECK(OutcomeOf(status) == Outcome::kNotImplemented);
  CHECK(status.code() == absl::StatusCode::kUnimplemented);
  CHECK(status.message() ==
        "pod 'B' (version 7.1) does not know 'eat-cheez', which exists since version 3: update "
        "that pod");
  CHECK(GetError<UnknownAction>(status)->version == "7.1");
}

TEMPLATE_TEST_CASE("A call that cannot be sent says that nothing happened",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed(ConduitOptions{.max_body_bytes = 1000, .meet_hosts = false});
  Renamed renamed;
  renamed.Serve(bed.b);
  const auto check = [&](const absl::Status& status, absl::StatusCode code, std::string_view text) {
    CHECK(status.code() == code);
    CHECK(Has(status, text));
    CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  };
  check(bed.a.template Call<Ping>("C").status(), absl::StatusCode::kNotFound, "no pod 'C'");
  check(bed.a.template Call<Ping>("A").status(), absl::StatusCode::kInvalidArgument,
        "'ping' is for pod 'A' itself");
  check(CallRename(bed, {.timeout = absl::ZeroDuration()}), absl::StatusCode::kDeadlineExceeded,
        "no time was left");
  check(CallRename(bed, {.timeout = -absl::InfiniteDuration()}),
        absl::StatusCode::kDeadlineExceeded, "no time was left");
  check(CallRename(bed, {.actor = std::string(257, 'a')}), absl::StatusCode::kInvalidArgument,
        "the actor of 'rename' has more than 256 bytes");
  check(CallRename(bed, {.key = std::string(129, 'k')}), absl::StatusCode::kInvalidArgument,
        "the key of 'rename' has more than 128 bytes");
  check(CallRename(bed, {.trace = std::string(129, 't')}), absl::StatusCode::kInvalidArgument,
        "the trace of 'rename' has more than 128 bytes");
  check(CallRename(bed, {.store_token = StoreToken{.store = std::string(257, 's')}}),
        absl::StatusCode::kInvalidArgument, "the store_token of 'rename' has more than 256 bytes");
  check(CallRename(bed, {.actor = "\xff"}), absl::StatusCode::kInvalidArgument, "not UTF-8");
  check(bed.a.template CallTarget<Rename>("B", {"\xff", {}}, {"n", {}}).status(),
        absl::StatusCode::kInvalidArgument, "not UTF-8");
  const absl::Status large =
      bed.a.template CallTarget<Rename>("B", {"h", {}}, {std::string(1000, 'x'), {}}).status();
  check(large, absl::StatusCode::kResourceExhausted, "more than the limit of 1000");
  CHECK(GetError<BodyTooLarge>(large)->limit == 1000);
  CHECK(renamed.times == 0);
  CHECK(CallRename(bed, {.actor = std::string(256, 'a')}) == absl::OkStatus());
}

TEMPLATE_TEST_CASE("An answer that is too large says that the command was executed",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed(ConduitOptions{.max_body_bytes = 1000, .meet_hosts = false});
  // The same bytes as base64 are longer than the request that asked for them.
  bed.b.template Handle<Echo>(
      [](const CallContext&, const Echo::Arguments&) -> absl::StatusOr<Bytes> {
        return Bytes{std::string(1001, 'x')};
      });
  const absl::Status status = bed.a.template Call<Echo>("B", {Bytes{}}).status();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(GetError<BodyTooLarge>(status)->limit == 1000);
  CHECK(Has(status, "was executed"));
}

TEMPLATE_TEST_CASE("A pod that is down, or loses its reply, or stalls, is told apart",
                   "[conduit][call][fault]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  Renamed renamed;
  renamed.Serve(bed.b);
  REQUIRE(CallRename(bed) == absl::OkStatus());

  SECTION("down") {
    bed.SetTrouble(Trouble::kDown);
    const absl::Status status = CallRename(bed);
    CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(renamed.times == 1);
  }
  SECTION("the reply is lost") {
    bed.SetTrouble(Trouble::kLoseReply);
    const absl::Status status = CallRename(bed);
    CHECK(OutcomeOf(status) == Outcome::kUnknown);
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(renamed.times == 2);
  }
  SECTION("it stalls") {
    bed.SetTrouble(Trouble::kStall);
    const auto start = std::chrono::steady_clock::now();
    const absl::Status status = CallRename(bed, {.timeout = absl::Milliseconds(100)});
    CHECK(OutcomeOf(status) == Outcome::kTimedOut);
    CHECK(status.code() == absl::StatusCode::kDeadlineExceeded);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    CHECK(renamed.times == 1);
  }
  CHECK(Has(CallRename(bed, {.timeout = absl::Milliseconds(50)}), "'B'"));
}

TEMPLATE_TEST_CASE("Values of any size and content come back the same", "[conduit][call]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  std::string large;
  while (large.size() < 300'000) large += all;
  for (const std::string& data :
       {std::string(), std::string("caf\xc3\xa9\n"), all, large, std::string(5'000'000, 'x')}) {
    const auto echo = bed.a.template Call<Echo>("B", {Bytes{data}});
    REQUIRE(echo.status() == absl::OkStatus());
    CHECK((echo->data == data));
  }
}

TEMPLATE_TEST_CASE("Arguments that do not fit are refused with their path",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  const absl::Status status = bed.a.template Call<OldEatCheez>("B", {.name = 1}).status();
  CHECK(status.message() ==
        "the call of 'eat-cheez' does not fit: $.keywords.name: expected string, got integer");
  CHECK(ErrorClass(status) == "InvalidArguments");
  CHECK(OutcomeOf(status) == Outcome::kDeclaredError);
}

TEMPLATE_TEST_CASE("A response that does not fit leaves the outcome unknown",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  const absl::Status status = bed.a.template Call<OtherEatCheez>("B", {.name = "gouda"}).status();
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(Has(status, "the answer of pod 'B' to 'eat-cheez' does not fit: $.value.rating"));
  CHECK(bed.a.template Call<SilentEatCheez>("B", {.name = "gouda"}).ok());
}

TEMPLATE_TEST_CASE("Many threads call in both directions at the same time",
                   "[conduit][call][threads]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.a);
  ServeCheese(bed.b);
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Conduit& caller = t % 2 == 0 ? bed.a : bed.b;
      const char* const target = t % 2 == 0 ? "B" : "A";
      for (int i = 0; i < 50; ++i) {
        const std::string origin = std::to_string(t) + "/" + std::to_string(i);
        const auto answer = caller.template Call<EatCheez>(target, {"gouda", origin});
        if (answer.ok() && answer->text == origin) ++good;
        if (caller.template Call<EatCheez>(target, {.name = "brie"}).status().code() ==
            absl::StatusCode::kNotFound) {
          ++good;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 800);
}

TEMPLATE_TEST_CASE("Stats count each command in both directions", "[conduit][call]", InProcessBed,
                   HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  CHECK(Eat(bed, "gouda").ok());
  CHECK_FALSE(Eat(bed, "brie").ok());
  CHECK_FALSE(Eat(bed, "lead").ok());
  CHECK(bed.a.template Call<Ping>("B").ok());
  const auto find = [](const Conduit& conduit, std::string_view command) {
    for (CommandStats& one : conduit.Stats()) {
      if (one.command == command) return one;
    }
    return CommandStats{};
  };
  const CommandStats sent = find(bed.a, "eat-cheez");
  CHECK(sent.sent.calls == 3);
  CHECK(sent.sent.failed == 2);
  CHECK(sent.received.calls == 0);
  const CommandStats received = find(bed.b, "eat-cheez");
  CHECK(received.received.calls == 3);
  CHECK(received.received.failed == 2);
  CHECK(received.sent.calls == 0);
  CHECK(find(bed.b, "ping").received.calls == 1);
  CHECK(find(bed.a, "ping").sent.calls == 1);
  // The clock of the beds stands still.
  CHECK(sent.sent.latencies[0] == 3);
}

TEMPLATE_TEST_CASE("A call that failed leaves a line in the log, a declared error does not",
                   "[conduit][call][error]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeCheese(bed.b);
  CHECK_FALSE(Eat(bed, "brie").ok());
  CHECK(bed.log_a.size() == 0);
  const auto error = GetError<InternalError>(Eat(bed, "lead"));
  REQUIRE(error);
  CHECK(bed.log_a.Contain("'eat-cheez' on pod 'B' ended as internal_error after "));
  CHECK(bed.log_a.Contain(error->reference));
  // No flood of them fills the log.
  for (int i = 0; i < 20; ++i) CHECK_FALSE(Eat(bed, "lead").ok());
  CHECK(bed.log_a.size() == 10);
}

TEST_CASE("Durations are counted in classes, and those at the bounds below them",
          "[conduit][call]") {
  internal::CallCounter counter;
  counter.Add(true, absl::ZeroDuration());
  counter.Add(true, absl::Milliseconds(1));
  counter.Add(false, absl::Milliseconds(1) + absl::Nanoseconds(1));
  counter.Add(true, absl::Seconds(11));
  const CallStats stats = counter.Get();
  CHECK(stats.calls == 4);
  CHECK(stats.failed == 1);
  CHECK(stats.latencies[0] == 1);
  CHECK(stats.latencies[3] == 1);
  CHECK(stats.latencies[4] == 1);
  CHECK(stats.latencies.back() == 1);
}

}  // namespace podkit::conduit
