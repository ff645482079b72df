#include "peer_schemas.h"

#include "cheese.h"
#include "podkit/conduit/call_codec.h"
#include "podkit/conduit/error.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

using Step = PeerSchemas::Step;

const PeerSchemas::Peer kPeer = {"B", "b1"};
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

template <Command C>
PeerSchemas::Own OwnOf() {
  const CommandSchema schema = SchemaOf<C>();
  return {schema, Fingerprint(schema)};
}

// Command C as version "7.1" of the other pod serves it.
struct Theirs {
  Hello::Response hello = {.version = "7.1", .commands = {}};
  DescribeCommands::Response description;

  Theirs& Serve(const CommandSchema& schema) {
    hello.commands.push_back({schema.name, schema.since, Fingerprint(schema)});
    description.schemas[schema.name] = {ToJson(schema)};
    return *this;
  }
};

// A pod that calls eat-cheez on another one.
struct Calling {
  PeerSchemas peers;
  PeerSchemas::Own own = OwnOf<EatCheez>();
  absl::Time now = kNow;

  PeerSchemas::Decision Decide(const EatCheez::Arguments& arguments = {.name = "brie"}) {
    return peers.Decide(kPeer, own, EncodeCall<EatCheez>({}, arguments), now);
  }
  // Through the steps that it takes, to its end.
  PeerSchemas::Decision Meet(const Theirs& theirs,
                             const EatCheez::Arguments& arguments = {.name = "brie"}) {
    REQUIRE(Decide(arguments).step == Step::kHello);
    peers.Met(kPeer, theirs.hello, now);
    if (Decide(arguments).step == Step::kDescribe) {
      peers.Described(kPeer, own.schema.name, theirs.description);
    }
    return Decide(arguments);
  }
};

// eat-cheez as a version has it that made something of its schema.
template <typename Change>
CommandSchema Changed(const Change& change) {
  CommandSchema schema = SchemaOf<EatCheez>();
  change(schema);
  return schema;
}

FieldSchema& Field(TypeSchema& type, std::string_view name) {
  for (FieldSchema& field : type.fields) {
    if (field.name == name) return field;
  }
  FAIL("no such field");
  return type.fields.front();
}

}  // namespace

TEST_CASE("A host is met before the first call, and again after a minute", "[conduit][peers]") {
  Calling calling;
  CHECK(calling.Meet(Theirs().Serve(SchemaOf<EatCheez>())).step == Step::kSend);
  calling.now += PeerSchemas::kGoodFor - absl::Milliseconds(1);
  CHECK(calling.Decide().step == Step::kSend);
  calling.now += absl::Milliseconds(1);
  CHECK(calling.Decide().step == Step::kHello);
  calling.now = kNow - absl::Seconds(1);  // The clock was set back.
  CHECK(calling.Decide().step == Step::kHello);
}

TEST_CASE("Each host of a pod is met by itself", "[conduit][peers]") {
  Calling calling;
  REQUIRE(calling.Meet(Theirs().Serve(SchemaOf<EatCheez>())).step == Step::kSend);
  for (const PeerSchemas::Peer& other : {PeerSchemas::Peer{"B", "b2"}, {"C", "b1"}}) {
    CHECK(calling.peers.Decide(other, calling.own, "{}", kNow).step == Step::kHello);
  }
  calling.peers.Forget(kPeer);
  CHECK(calling.Decide().step == Step::kHello);
}

TEST_CASE("A host that does not know hello is just called", "[conduit][peers]") {
  Calling calling;
  calling.peers.Silent(kPeer, kNow);
  CHECK(calling.Decide().step == Step::kSend);
  calling.now += PeerSchemas::kGoodFor;
  CHECK(calling.Decide().step == Step::kHello);
}

TEST_CASE("A call of a command that the host lacks is refused with the versions",
          "[conduit][peers]") {
  Calling calling;
  const auto decision = calling.Meet(Theirs().Serve(SchemaOf<Ping>()));
  REQUIRE(decision.step == Step::kRefuse);
  CHECK(OutcomeOf(decision.refusal) == Outcome::kNotImplemented);
  CHECK(decision.refusal.code() == absl::StatusCode::kUnimplemented);
  CHECK(decision.refusal.message() ==
        "pod 'B' (version 7.1) does not know 'eat-cheez', which exists since version 3: update "
        "that pod");
  CHECK(GetError<UnknownAction>(decision.refusal)->version == "7.1");
}

TEST_CASE("A refusal is good for five seconds, so that an updated pod is noticed",
          "[conduit][peers]") {
  Calling calling;
  REQUIRE(calling.Meet(Theirs().Serve(SchemaOf<Ping>())).step == Step::kRefuse);
  calling.now += PeerSchemas::kRefusedFor - absl::Milliseconds(1);
  CHECK(calling.Decide().step == Step::kRefuse);
  calling.now += absl::Milliseconds(1);
  CHECK(calling.Meet(Theirs().Serve(SchemaOf<EatCheez>())).step == Step::kSend);
}

TEST_CASE("A compatible other schema is fetched once and then called", "[conduit][peers]") {
  Calling calling;
  Theirs theirs;
  theirs.Serve(Changed([](CommandSchema& schema) {
    schema.arguments.fields.push_back({.name = "age", .required = false});
  }));
  CHECK(calling.Meet(theirs).step == Step::kSend);
  // Also after the next hello, which says that it is the same.
  calling.now += PeerSchemas::kGoodFor;
  calling.peers.Met(kPeer, theirs.hello, calling.now);
  CHECK(calling.Decide().step == Step::kSend);
}

TEST_CASE("A call that cannot be understood is refused before it is sent, naming the field",
          "[conduit][peers]") {
  Calling calling;
  const auto decision = calling.Meet(Theirs().Serve(Changed([](CommandSchema& schema) {
    schema.arguments.fields.push_back({.name = "money", .type = Describe<int>()});
  })));
  REQUIRE(decision.step == Step::kRefuse);
  CHECK(OutcomeOf(decision.refusal) == Outcome::kNotImplemented);
  CHECK(decision.refusal.message() ==
        "pod 'B' (version 7.1) has another 'eat-cheez': the call: $.keywords.money: the responder "
        "requires it, the caller does not send it: run the same version on both pods");
}

TEST_CASE("An answer that could never be understood is refused before the call",
          "[conduit][peers]") {
  Calling calling;
  const auto decision = calling.Meet(Theirs().Serve(Changed([](CommandSchema& schema) {
    Field(schema.response, "rating").type = Describe<std::string>();
  })));
  REQUIRE(decision.step == Step::kRefuse);
  CHECK_THAT(std::string(decision.refusal.message()),
             Catch::Contains("the answer: $.value.rating: the responder sends string"));
}

TEST_CASE("Where it depends on the values, only calls that do not fit are refused",
          "[conduit][peers]") {
  Calling calling;
  Theirs theirs;
  theirs.Serve(Changed([](CommandSchema& schema) {
    // Their list of origins is closed, and an answer may be longer than ours.
    Field(schema.arguments, "origin").type = {.kind = TypeKind::kEnum, .names = {"fr", "nl"}};
    Field(schema.response, "rating").type = Describe<uint64_t>();
  }));
  CHECK(calling.Meet(theirs, {"gouda", "nl"}).step == Step::kSend);
  const auto decision = calling.Decide({"feta", "gr"});
  REQUIRE(decision.step == Step::kRefuse);
  CHECK_THAT(std::string(decision.refusal.message()),
             Catch::Contains("this call: $.keywords.origin: unknown name 'gr' (known: "));
  CHECK(calling.Decide({"brie", "fr"}).step == Step::kSend);
}

TEST_CASE("What a newer host says in unknown words is no reason to refuse", "[conduit][peers]") {
  const auto described = [](DescribeCommands::Response description) {
    Calling calling;
    calling.peers.Met(kPeer, {"9", {{"eat-cheez", 3, "another"}}}, kNow);
    REQUIRE(calling.Decide().step == Step::kDescribe);
    calling.peers.Described(kPeer, "eat-cheez", description);
    return calling.Decide().step;
  };
  CHECK(described({}) == Step::kSend);
  CHECK(described({.schemas = {{"eat-cheez", {"7"}}}}) == Step::kSend);
  CHECK(described({.schemas = {{"eat-cheez", {ToJson(SchemaOf<EatCheez>())}}}}) == Step::kSend);
}

TEST_CASE("A host says for each command where its answers are kept", "[conduit][peers][keys]") {
  PeerSchemas peers;
  const auto answers = [&](const char* command) { return peers.AnswersOf(kPeer, command); };
  CHECK_FALSE(answers("kept"));
  peers.Met(kPeer,
            {.version = "7.1",
             .commands = {{"kept", 1, "x", "id", absl::Minutes(5)},
                          {"not-kept", 1, "x"},
                          {"id-too-long", 1, "x", std::string(65, 'i'), absl::Minutes(5)}}},
            kNow);
  REQUIRE(answers("kept"));
  CHECK(answers("kept")->id == "id");
  CHECK(answers("kept")->window == absl::Minutes(5));
  for (const char* const none : {"not-kept", "id-too-long", "not-served"}) {
    CHECK_FALSE(answers(none));
  }
  // Once it is another one.
  peers.Met(kPeer, {.version = "7.1", .commands = {{"kept", 1, "x", "id2", {}}}}, kNow);
  CHECK(answers("kept")->id == "id2");
  peers.Silent(kPeer, kNow);
  CHECK_FALSE(answers("kept"));
}

TEST_CASE("A host cannot make others remember without end", "[conduit][peers]") {
  Calling calling;
  Theirs theirs;
  for (size_t i = 0; i <= PeerSchemas::kMostCommands; ++i) {
    theirs.hello.commands.push_back({"command-" + std::to_string(i), 1, "x"});
  }
  // It may have said that it serves the command behind what was kept.
  CHECK(calling.Meet(theirs).step == Step::kSend);
  // What was not met is not described.
  calling.peers.Described({"C", ""}, "eat-cheez", {});
  calling.peers.Described(kPeer, "eat-cheez", {});
}

}  // namespace podkit::conduit::internal
