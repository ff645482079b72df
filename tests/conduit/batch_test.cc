// Batches between two pods: one suite for every transport.
#include "podkit/conduit/batch.h"

#include <string>
#include <utility>
#include <vector>

#include "lists.h"
#include "mux_bed.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/client.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;
using Words = std::vector<std::string>;

CallStats SentOf(const Conduit& conduit, std::string_view command) {
  for (const CommandStats& one : conduit.Stats()) {
    if (one.command == command) return one.sent;
  }
  return {};
}

CallStats ReceivedOf(const Conduit& conduit, std::string_view command) {
  for (const CommandStats& one : conduit.Stats()) {
    if (one.command == command) return one.received;
  }
  return {};
}

// In process, with threads of the network's own: what a call waits for can happen meanwhile.
struct BatchThreadsBed : InProcessBed {
  BatchThreadsBed() : InProcessBed({.meet_hosts = false}, 4) {}
  ~BatchThreadsBed() { network.Connect("B", {}); }
};

// On a shop that does not know this command.
struct Unheard : AddItem {
  static constexpr CommandInfo kInfo = {.name = "unheard", .since = 9};
};

// Types are checked when the program is compiled.
template <typename C, typename Member, typename Value>
concept Settable = requires(const BatchedResult<C>& call, Member C::Arguments::*argument,
                            const LaterValue<Value>& value) { call.Set(argument, value); };
template <typename C, typename Member, typename Value>
concept TargetSettable = requires(const BatchedResult<C>& call, Member C::Target::*member,
                                  const LaterValue<Value>& value) { call.Set(member, value); };
static_assert(Settable<AddItem, std::string, std::string>);
static_assert(!Settable<AddItem, std::string, int64_t>);
static_assert(!Settable<AddItem, int64_t, int32_t>);
static_assert(TargetSettable<AddItem, std::optional<std::string>, std::string>);
static_assert(!TargetSettable<AddItem, std::string, std::optional<std::string>>);
template <typename Value, typename Part>
concept HasPart = requires(const LaterValue<Value>& value, Part part) { value[part]; };
static_assert(HasPart<CreateList::Response, std::string CreateList::Response::*>);
static_assert(!HasPart<CreateList::Response, std::string AddItem::Arguments::*>);
static_assert(HasPart<std::vector<std::string>, size_t>);
static_assert(!HasPart<std::string, size_t>);

}  // namespace

TEMPLATE_TEST_CASE("A batch creates something and uses it, in one round trip", "[conduit][batch]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  Batch batch;
  const auto made = batch.Add<CreateList>({.name = "party"});
  const auto first = batch.AddTarget<AddItem>({}, {.text = "gouda"})
                         .Set(&AddItem::Target::list, made[&CreateList::Response::id]);
  const auto second = batch.AddTarget<AddItem>({.shelf = "top"}, {.text = "?"})
                          .Set(&AddItem::Target::list, made[&CreateList::Response::id])
                          .Set(&AddItem::Arguments::text, first.value());
  const auto read = batch.Add<ReadItem>({"?", "!"}).template Set<0>(second.value());
  CHECK(first.result().status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(bed.a.Call("B", batch) == absl::OkStatus());
  CHECK(ValueOf(made.result()).id == "id-of-party");
  CHECK(ValueOf(first.result()) == "gouda*1@id-of-party/-");
  CHECK(ValueOf(second.result()) == "gouda*1@id-of-party/-*1@id-of-party/top");
  CHECK(ValueOf(read.result()) == "gouda*1@id-of-party/-*1@id-of-party/top!");
  CHECK(lists.Done().size() == 4);
  CHECK(ReceivedOf(bed.b, "batch").calls == 1);
  CHECK(ReceivedOf(bed.b, "add-item").calls == 2);
}

TEMPLATE_TEST_CASE("A reference leads through fields, elements and keys", "[conduit][batch]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  Batch batch;
  const auto made = batch.Add<CreateList>({.name = "party"});
  const auto put =
      batch.AddTarget<AddItem>({.list = "?"}, {.text = "?"})
          .Set(&AddItem::Target::list, made[&CreateList::Response::parts][1][&CreateList::Part::id])
          .Set(&AddItem::Target::shelf, made[&CreateList::Response::id])  // Into an optional.
          .Set(&AddItem::Arguments::text, made[&CreateList::Response::id])
          .Set(&AddItem::Arguments::count, made[&CreateList::Response::sizes]["x/y"]);
  REQUIRE(bed.a.Call("B", batch) == absl::OkStatus());
  CHECK(ValueOf(put.result()) == "id-of-party*12@second/id-of-party");
}

TEMPLATE_TEST_CASE("Each call of a batch fails by itself", "[conduit][batch][error]", InProcessBed,
                   HttpBed, MuxBed) {
  TestType bed(ConduitOptions{.version = "7.1", .meet_hosts = false});
  Lists lists;
  lists.Serve(bed.b);
  Batch batch;
  const auto brie = batch.Add<CreateList>({.name = "brie"});
  const auto lead = batch.Add<CreateList>({.name = "lead"});
  const auto unheard = batch.AddTarget<Unheard>({.list = "l"}, {.text = "t"});
  const auto uses = batch.AddTarget<AddItem>({}, {.text = "t"})
                        .Set(&AddItem::Target::list, brie[&CreateList::Response::id]);
  const auto uses_that = batch.Add<ReadItem>({"", {}}).template Set<0>(uses.value());
  const auto good = batch.Add<CreateList>({.name = "good"});
  const absl::Status status = bed.a.Call("B", batch);
  // The first error, as the call alone would have given it.
  CHECK(status == brie.result().status());
  CHECK(GetError<NoSuchCheese>(status)->stock == 7);
  CHECK(status.message() == "no cheese 'brie': ask for another");
  CHECK(OutcomeOf(lead.result().status()) == Outcome::kInternalError);
  CHECK(bed.log_b.Contain(GetError<InternalError>(lead.result().status())->reference));
  CHECK(bed.log_a.Contain(GetError<InternalError>(lead.result().status())->reference));
  CHECK(OutcomeOf(unheard.result().status()) == Outcome::kNotImplemented);
  CHECK(unheard.result().status().message() ==
        "pod 'B' (version 7.1) does not know 'unheard', which exists since version 9: update that "
        "pod");
  const auto earlier = GetError<EarlierCallFailed>(uses.result().status());
  REQUIRE(earlier);
  CHECK(earlier->call == 0);
  CHECK(earlier->action == "create-list");
  CHECK(earlier->error == "NoSuchCheese");
  CHECK(OutcomeOf(uses.result().status()) == Outcome::kNotExecuted);
  CHECK(uses.result().status().message() ==
        "uses the answer of call 0 ('create-list'), which failed with NoSuchCheese: the call was "
        "not executed");
  CHECK(GetError<EarlierCallFailed>(uses_that.result().status())->error == "EarlierCallFailed");
  CHECK(ValueOf(good.result()).id == "id-of-good");
  CHECK(lists.Done() == Words{"create good"});
}

TEMPLATE_TEST_CASE("The calls of a batch are counted by their commands", "[conduit][batch]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  Batch batch;
  batch.Add<CreateList>({.name = "brie"});
  batch.Add<CreateList>({.name = "good"});
  batch.Add<ReadItem>({"", {}});
  CHECK_FALSE(bed.a.Call("B", batch).ok());
  for (const CallStats& stats : {SentOf(bed.a, "create-list"), ReceivedOf(bed.b, "create-list")}) {
    CHECK(stats.calls == 2);
    CHECK(stats.failed == 1);
  }
  for (const CallStats& stats : {SentOf(bed.a, "read-item"), ReceivedOf(bed.b, "read-item"),
                                 SentOf(bed.a, "batch"), ReceivedOf(bed.b, "batch")}) {
    CHECK(stats.calls == 1);
    CHECK(stats.failed == 0);
  }
}

TEMPLATE_TEST_CASE("Each call of a batch is made for its own actor and store",
                   "[conduit][batch][security]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  {
    Batch batch;
    batch.Add<CreateList>({.name = "c1"}, {.store_token = StoreToken{"s", 5}});
    batch.Add<CreateList>({.name = "c2"}, {.actor = "bob"});
    CHECK(bed.a.Call("B", batch, {.actor = "ann"}) == absl::OkStatus());
  }
  Batch batch;
  const auto stale = batch.Add<CreateList>({.name = "c3"});
  const auto fresh = batch.Add<CreateList>({.name = "c4"}, {.store_token = StoreToken{"s", 6}});
  CHECK_FALSE(bed.a.Call("B", batch, {.store_token = StoreToken{"s", 4}}).ok());
  CHECK(GetError<StaleToken>(stale.result().status())->seen == 5);
  CHECK(fresh.result().ok());
  CHECK(lists.Done() == Words{"ann: create c1", "bob: create c2", "create c4"});
}

TEMPLATE_TEST_CASE("The calls of a batch have bytes beside them, there and back",
                   "[conduit][batch][payload]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  bed.b.template Handle<EatCheez>(
      [](const CallContext& context,
         const EatCheez::Arguments&) -> absl::StatusOr<EatCheez::Response> {
        if (context.reply_payload != nullptr) {
          *context.reply_payload = std::string("got ") + std::string(context.payload);
        }
        return EatCheez::Response{static_cast<int64_t>(context.payload.size()), "payload"};
      });
  const std::string bytes("\0\xff{", 3);
  Batch batch;
  const auto back = std::make_shared<std::string>();
  const auto with = batch.Add<EatCheez>(
      {.name = "a"}, {.payload = std::make_shared<std::string>(bytes), .reply_payload = back});
  // It did not ask for the bytes, which spoils nobody else's answer.
  const auto refuses = batch.Add<EatCheez>({.name = "b"});
  const auto after =
      batch.Add<EatCheez>({.name = "?"}, {.reply_payload = std::make_shared<std::string>()})
          .Set(&EatCheez::Arguments::name, with[&EatCheez::Response::text]);
  CHECK_FALSE(bed.a.Call("B", batch).ok());
  CHECK(ValueOf(with.result()).rating == 3);
  CHECK(*back == "got " + bytes);
  CHECK(OutcomeOf(refuses.result().status()) == Outcome::kUnknown);
  CHECK(after.result().ok());
}

TEMPLATE_TEST_CASE("What is left of a batch when its time is over is not executed",
                   "[conduit][batch]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  // A caller that waits for longer than it said, as clocks may have it.
  lists.on_read = [&] { bed.clock.Advance(absl::Seconds(11)); };
  Batch batch;
  const auto read = batch.Add<ReadItem>({"x", {}});
  const auto late = batch.Add<CreateList>({.name = "late"});
  static_cast<void>(bed.a.Call("B", batch));
  CHECK(lists.Done() == Words{"read x"});
  CHECK(ReceivedOf(bed.b, "create-list").failed == 1);
  CHECK_FALSE(late.result().ok());
}

TEMPLATE_TEST_CASE("A stop in the middle of a batch ends what has not begun", "[conduit][batch]",
                   BatchThreadsBed, HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  std::stop_source stop;
  std::stop_token seen;
  bed.b.template Handle<EatCheez>(
      [&](const CallContext& context,
          const EatCheez::Arguments&) -> absl::StatusOr<EatCheez::Response> {
        stop.request_stop();
        // It comes over the network; the time of the test itself is the limit.
        while (!context.stop.stop_requested()) std::this_thread::yield();
        return EatCheez::Response{};
      });
  Batch batch;
  const auto eat = batch.Add<EatCheez>({.name = "x"});
  const auto next = batch.Add<CreateList>({.name = "next"});
  const absl::Status status =
      bed.a.Call("B", batch, {.timeout = absl::Minutes(4), .stop = stop.get_token()});
  CHECK(OutcomeOf(status) == Outcome::kCancelled);
  CHECK(OutcomeOf(next.result().status()) == Outcome::kCancelled);
  while (ReceivedOf(bed.b, "batch").calls == 0) std::this_thread::yield();
  CHECK(lists.Done().empty());
  CHECK(ReceivedOf(bed.b, "create-list").failed == 1);
}

TEMPLATE_TEST_CASE("A batch that does not arrive, or whose answer does not, says so of each call",
                   "[conduit][batch]", InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  const auto call = [&] {
    Batch batch;
    const auto one = batch.Add<CreateList>({.name = "c1"});
    const auto two = batch.Add<ReadItem>({"x", {}});
    const absl::Status status = bed.a.Call("B", batch, {.max_attempts = 1});
    CHECK(one.result().status() == status);
    CHECK(two.result().status() == status);
    return OutcomeOf(status);
  };
  SECTION("lost") {
    bed.SetTrouble(Trouble::kLoseReply);
    CHECK(call() == Outcome::kUnknown);
    CHECK(lists.Done() == Words{"create c1", "read x"});
  }
  SECTION("down") {
    bed.SetTrouble(Trouble::kDown);
    CHECK(call() == Outcome::kNotExecuted);
    CHECK(lists.Done().empty());
  }
  CHECK(SentOf(bed.a, "create-list").failed == 1);
  CHECK(SentOf(bed.a, "read-item").failed == 1);
}

TEMPLATE_TEST_CASE("A key means the same in a batch and alone", "[conduit][batch][keys]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed(ConduitOptions{});
  const auto answers = MakeMemoryAnswers();
  Lists lists;
  lists.Serve(bed.b, answers.get());
  const auto call = [&](const std::string& text) {
    Batch batch;
    const auto made = batch.Add<CreateList>({.name = "c1"}, {.key = "k1"});
    const auto put = batch.AddTarget<AddItem>({}, {.text = text}, {.key = "k2"})
                         .Set(&AddItem::Target::list, made[&CreateList::Response::id]);
    static_cast<void>(bed.a.Call("B", batch));
    return put.result();
  };
  CHECK(ValueOf(call("t")) == "t*1@id-of-c1/-");
  CHECK(ValueOf(call("t")) == "t*1@id-of-c1/-");
  // By itself, with the value that the reference stood for.
  CHECK(ValueOf(bed.a.template CallTarget<AddItem>("B", {.list = "id-of-c1"}, {.text = "t"},
                                                   {.key = "k2"})) == "t*1@id-of-c1/-");
  CHECK(GetError<KeyReused>(call("other").status())->key == "k2");
  CHECK(lists.Done() == Words{"create c1", "add t*1@id-of-c1/-"});
}

TEMPLATE_TEST_CASE("A client calls a batch without waiting", "[conduit][batch]", InProcessBed,
                   HttpBed, MuxBed) {
  TestType bed;
  Lists lists;
  lists.Serve(bed.b);
  Batch batch;
  const auto made = batch.Add<CreateList>({.name = "c1"});
  std::promise<absl::Status> ended;
  Client(&bed.a, "B").Start(batch, {}, [&](absl::Status status) {
    ended.set_value(std::move(status));
  });
  CHECK(ended.get_future().get() == absl::OkStatus());
  CHECK(ValueOf(made.result()).id == "id-of-c1");
}

TEST_CASE("What is not put together well is not sent, and keeps nothing else from being sent",
          "[conduit][batch]") {
  InProcessBed bed;
  Lists lists;
  lists.Serve(bed.b);
  Batch other;
  const auto elsewhere = other.Add<CreateList>({.name = "other"});
  Batch batch;
  const auto made = batch.Add<CreateList>({.name = "c1"});
  std::vector<absl::StatusOr<std::string>> bad;
  const auto foreign = batch.AddTarget<AddItem>({}, {.text = "t"})
                           .Set(&AddItem::Target::list, elsewhere[&CreateList::Response::id]);
  const auto later = batch.AddTarget<AddItem>({}, {.text = "t"});
  later.Set(&AddItem::Arguments::text, later.value());
  const auto unlisted = batch.AddTarget<AddItem>({}, {.text = "t"})
                            .Set(&AddItem::Target::list, made[&CreateList::Response::unlisted]);
  const auto long_key = batch.Add<CreateList>({.name = "c"}, {.key = std::string(129, 'k')});
  const auto not_text = batch.Add<ReadItem>({"\xff", {}});
  const auto uses = batch.Add<ReadItem>({"?", {}}).Set<0>(unlisted.value());
  const auto good = batch.Add<CreateList>({.name = "c2"});
  CHECK_FALSE(bed.a.Call("B", batch).ok());
  for (const absl::Status& status :
       {foreign.result().status(), later.result().status(), unlisted.result().status(),
        long_key.result().status(), not_text.result().status()}) {
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  }
  CHECK(unlisted.result().status().message() ==
        "'add-item' in a batch: '/list' is set from a member that is not listed in Fields()");
  CHECK(GetError<EarlierCallFailed>(uses.result().status())->call == 3);
  CHECK(uses.result().status().message() ==
        "uses the answer of call 3 (''), which was left out: the call was not executed");
  CHECK(lists.Done() == Words{"create c1", "create c2"});
  CHECK(good.result().ok());
}

TEST_CASE("A batch is called once, and its options belong to all its calls", "[conduit][batch]") {
  InProcessBed bed({.max_batch_calls = 2, .meet_hosts = false});
  Lists lists;
  lists.Serve(bed.b);
  Batch none;
  CHECK(bed.a.Call("B", none) == absl::OkStatus());
  const auto refused = [&](Batch& batch, const CallOptions& options, std::string_view why) {
    const absl::Status status = bed.a.Call("B", batch, options);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
    CHECK_THAT(std::string(status.message()), Catch::Contains(std::string(why)));
  };
  Batch batch;
  const auto made = batch.Add<CreateList>({.name = "c1"});
  refused(batch, {.key = "k"}, "a key is that of one call");
  refused(batch, {.payload = std::make_shared<std::string>("x")}, "a payload is that of one call");
  CHECK(bed.a.Call("B", batch) == absl::OkStatus());
  refused(batch, {}, "it was called before");
  CHECK(made.result().ok());
  Batch many;
  for (int i = 0; i < 3; ++i) many.Add<CreateList>({.name = "c"});
  refused(many, {}, "a batch of 3 calls for pod 'B': more than 2: make several");
  CHECK(lists.Done() == Words{"create c1"});
}

}  // namespace podkit::conduit
