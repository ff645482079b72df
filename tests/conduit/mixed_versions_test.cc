// An old version on one pod and a new one on the other, on every transport.
#include <random>

#include "cheese.h"
#include "meeting.h"
#include "mux_bed.h"
#include "peer_schemas.h"
#include "schema_samples.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

struct Moldy {
  static constexpr std::string_view kClass = "Moldy";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kDataLoss;
  int64_t days = 0;
  static constexpr auto Fields() { return std::make_tuple(Required("days", &Moldy::days)); }
};

// eat-cheez as the next version declares it: more arguments, more to say, one more error.
struct NewEatCheez {
  static constexpr CommandInfo kInfo = {.name = "eat-cheez", .since = 3, .effect = Effect::kRead};
  struct Arguments {
    std::string name;
    std::string origin = "unknown";
    std::optional<int> slices;
    static constexpr auto Fields() {
      return std::make_tuple(Required("name", &Arguments::name),
                             Optional("origin", &Arguments::origin),
                             Optional("slices", &Arguments::slices));
    }
  };
  struct Response {
    int64_t rating = 0;
    std::string text = "none";
    std::vector<std::string> tags = {"untagged"};
    static constexpr auto Fields() {
      return std::make_tuple(Required("rating", &Response::rating),
                             Optional("text", &Response::text), Optional("tags", &Response::tags));
    }
  };
  using Errors = ErrorList<NoSuchCheese, Moldy>;
};

// The same with little to say, and with nothing.
struct Terse : NewEatCheez {
  struct Response {
    std::string text = "none";
    static constexpr auto Fields() { return std::make_tuple(Optional("text", &Response::text)); }
  };
};
struct Mute : NewEatCheez {
  using Response = Nothing;
};

void ServeNew(Conduit& conduit) {
  conduit.Handle<NewEatCheez>(
      [](const CallContext&,
         const NewEatCheez::Arguments& arguments) -> absl::StatusOr<NewEatCheez::Response> {
        if (arguments.name == "old") return MakeError(Moldy{40}, "'old' is moldy: take a new one");
        return NewEatCheez::Response{arguments.slices.value_or(-1), arguments.origin, {"tag"}};
      });
}

void ServeOld(Conduit& conduit) {
  conduit.Handle<EatCheez>(
      [](const CallContext&,
         const EatCheez::Arguments& arguments) -> absl::StatusOr<EatCheez::Response> {
        return EatCheez::Response{7, arguments.origin};
      });
}

}  // namespace

TEMPLATE_TEST_CASE(
    "An error that the caller does not declare keeps class, code, fields and details",
    "[conduit][versions][error]", InProcessBed, HttpBed) {
  TestType bed;
  ServeNew(bed.b);
  const absl::Status status = bed.a.template Call<EatCheez>("B", {.name = "old"}).status();
  CHECK(OutcomeOf(status) == Outcome::kDeclaredError);
  CHECK(ErrorClass(status) == "Moldy");
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(status.message() == "'old' is moldy: take a new one");
  CHECK(ErrorFieldsJson(status) == R"({"days":40})");
  // Nothing was concealed, so the responder's log has nothing to explain.
  CHECK(bed.log_b.size() == 0);
  // Whoever knows the class can still have it.
  CHECK(GetError<Moldy>(status)->days == 40);
}

TEMPLATE_TEST_CASE("An old caller and a new responder understand each other", "[conduit][versions]",
                   InProcessBed, HttpBed) {
  TestType bed;
  ServeNew(bed.b);
  const auto answer = ValueOf(bed.a.template Call<EatCheez>("B", {"gouda", "nl"}));
  CHECK(answer.rating == -1);
  CHECK(answer.text == "nl");
  CHECK(CheckCompatible(SchemaOf<EatCheez>(), SchemaOf<NewEatCheez>()) == absl::OkStatus());
}

TEMPLATE_TEST_CASE("A new caller and an old responder understand each other", "[conduit][versions]",
                   InProcessBed, HttpBed) {
  TestType bed;
  ServeOld(bed.b);
  const auto answer =
      ValueOf(bed.a.template Call<NewEatCheez>("B", {.name = "gouda", .slices = 3}));
  CHECK(answer.rating == 7);
  CHECK(answer.text == "unknown");
  CHECK(answer.tags == std::vector<std::string>{"untagged"});
  CHECK(CheckCompatible(SchemaOf<NewEatCheez>(), SchemaOf<EatCheez>()) == absl::OkStatus());
}

TEMPLATE_TEST_CASE("A response may begin where there was none", "[conduit][versions]", InProcessBed,
                   HttpBed) {
  TestType bed;
  bed.b.template Handle<Mute>(
      [](const CallContext&, const NewEatCheez::Arguments&) { return absl::OkStatus(); });
  CHECK(ValueOf(bed.a.template Call<Terse>("B", {.name = "brie"})).text == "none");
  CHECK(CheckCompatible(SchemaOf<Terse>(), SchemaOf<Mute>()) == absl::OkStatus());
}

TEMPLATE_TEST_CASE("Values of any size up to the limit travel", "[conduit][versions]", InProcessBed,
                   HttpBed) {
  TestType bed(ConduitOptions{.max_body_bytes = size_t{8} << 20, .meet_hosts = false});
  bed.b.template Handle<Echo>(
      [](const CallContext&, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
        return std::get<0>(arguments);
      });
  std::string bytes(size_t{5} << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  for (const size_t size : {size_t{0}, size_t{65'535}, size_t{65'536}, bytes.size()}) {
    const Bytes sent{bytes.substr(0, size)};
    CHECK((ValueOf(bed.a.template Call<Echo>("B", {sent})) == sent));
  }
}

namespace {

// Any type, not too deep; `inside` counts the structures around it.
TypeSchema AnyType(std::mt19937_64& random, int depth, size_t inside) {
  const auto kind = static_cast<TypeKind>(
      random() % (static_cast<uint64_t>(depth > 0 ? TypeKind::kEnclosing : TypeKind::kEnum) + 1));
  constexpr std::string_view kNames[] = {"a", "b", "c"};
  TypeSchema type{.kind = kind, .open = random() % 3 == 0};
  switch (kind) {
    case TypeKind::kEnum:
      for (const std::string_view name : kNames) {
        if (random() % 2 == 0 || name == "b") type.names.emplace_back(name);
      }
      return type;
    case TypeKind::kOptional:
    case TypeKind::kList:
    case TypeKind::kMap:
      type.elements.push_back(AnyType(random, depth - 1, inside));
      break;
    case TypeKind::kTuple:
      for (size_t i = random() % 3; i > 0; --i) {
        type.elements.push_back(AnyType(random, depth - 1, inside));
      }
      break;
    case TypeKind::kStructure:
    case TypeKind::kVariant: {
      const bool structure = kind == TypeKind::kStructure;
      for (const std::string_view name : kNames) {
        if (random() % 2 == 0 && (structure || name != "b")) continue;
        type.fields.push_back({.name = std::string(name),
                               .required = !structure || random() % 2 == 0,
                               .type = AnyType(random, depth - 1, inside + (structure ? 1 : 0))});
      }
      if (structure) type.open = false;
      return type;
    }
    case TypeKind::kEnclosing:
      // Only where a value can end.
      if (inside == 0) return {.kind = TypeKind::kString};
      type = {.kind = TypeKind::kList};
      type.elements.push_back({.kind = TypeKind::kEnclosing, .levels = random() % inside + 1});
      return type;
    default:
      break;
  }
  type.open = false;
  return type;
}

// `type` with one small change somewhere.
void Change(TypeSchema& type, std::mt19937_64& random) {
  if (!type.fields.empty() && random() % 3 != 0) {
    FieldSchema& field = type.fields[random() % type.fields.size()];
    if (type.kind == TypeKind::kStructure && random() % 3 == 0) {
      field.required = !field.required;
    } else {
      Change(field.type, random);
    }
  } else if (!type.fields.empty()) {
    type.fields.erase(type.fields.begin() +
                      static_cast<std::ptrdiff_t>(random() % type.fields.size()));
  } else if (!type.elements.empty()) {
    Change(type.elements[random() % type.elements.size()], random);
  } else if (type.kind == TypeKind::kEnum && random() % 2 == 0) {
    type.open = !type.open;
  } else if (type.kind != TypeKind::kEnclosing) {
    type = AnyType(random, 0, 0);
  }
}

}  // namespace

TEST_CASE("Where no break is found, every value fits", "[conduit][versions][compatibility]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  int compatible = 0;
  int broken = 0;
  for (int i = 0; i < 20'000; ++i) {
    CommandSchema responder{.name = "x",
                            .target = {.kind = TypeKind::kStructure},
                            .arguments = {.kind = TypeKind::kStructure},
                            .response = AnyType(random, 4, 0)};
    CommandSchema caller = responder;
    Change(caller.response, random);
    const bool fits = FindBreaks(caller, responder).empty();
    ++(fits ? compatible : broken);
    if (!fits) continue;
    for (size_t variation = 0; variation < 5; ++variation) {
      const std::string value = internal::SampleValue(responder.response, variation);
      const auto reply = ValueOf(JsonDocument::Parse(R"({"result":"ok","value":)" + value + "}"));
      const absl::Status own = CheckReply(responder, reply.root());
      if (!own.ok()) continue;  // A type without values, as a variant without cases.
      const absl::Status status = CheckReply(caller, reply.root());
      if (!status.ok()) {
        FAIL(status << " in " << value << " of " << ToJson(responder) << " for " << ToJson(caller));
      }
    }
  }
  CHECK(compatible > 1000);
  CHECK(broken > 1000);
}

TEMPLATE_TEST_CASE("A pod says which commands it serves, its own ones included",
                   "[conduit][versions][meeting]", InProcessBed, HttpBed, MuxBed) {
  TestType bed({.version = "7.1"});
  ServeNew(bed.b);
  const auto hello = ValueOf(bed.a.template Call<internal::Hello>("B"));
  CHECK(hello.version == "7.1");
  std::map<std::string, std::pair<int, std::string>> said;
  for (const auto& one : hello.commands) said[one.name] = {one.since, one.fingerprint};
  CHECK(said.size() == hello.commands.size());
  CHECK(said["eat-cheez"] == std::pair(3, Fingerprint(SchemaOf<NewEatCheez>())));
  CHECK(said["ping"] == std::pair(1, Fingerprint(SchemaOf<Ping>())));
  CHECK(said.size() == 6);
  for (const char* name : {"batch", "cancel", "hello", "describe-commands"}) {
    CHECK(said.contains(name));
  }
  // A has nothing to eat.
  CHECK(ValueOf(bed.b.template Call<internal::Hello>("A")).commands.size() == 5);
}

TEST_CASE("A pod describes the commands that it is asked for, and all if none is named",
          "[conduit][versions][meeting]") {
  InProcessBed bed;
  ServeNew(bed.b);
  using internal::DescribeCommands;
  const auto describe = [&](std::vector<std::string> names) {
    return ValueOf(bed.a.Call<DescribeCommands>("B", {.names = std::move(names)})).schemas;
  };
  const auto asked = describe({"eat-cheez", "none", "eat-cheez"});
  REQUIRE(asked.size() == 1);
  const auto schema = ValueOf(FromJson<CommandSchema>(asked.at("eat-cheez").text));
  CHECK(Fingerprint(schema) == Fingerprint(SchemaOf<NewEatCheez>()));
  CHECK(describe({"none"}).empty());
  CHECK(describe({}).size() == 6);
}

TEST_CASE("What a pod says of itself decides which calls are sent to it",
          "[conduit][versions][meeting]") {
  InProcessBed bed({.version = "7.1"});
  ServeNew(bed.b);
  internal::PeerSchemas peers;
  const internal::PeerSchemas::Peer peer{"B", "B"};
  using Step = internal::PeerSchemas::Step;
  const auto decide = [&](const CommandSchema& schema) {
    const char* const request = R"({"arguments":[],"keywords":{"name":"brie"}})";
    return peers.Decide(peer, {schema, Fingerprint(schema)}, request, bed.clock.Now());
  };
  REQUIRE(decide(SchemaOf<EatCheez>()).step == Step::kHello);
  peers.Met(peer, ValueOf(bed.a.Call<internal::Hello>("B")), bed.clock.Now());
  CHECK(decide(SchemaOf<NewEatCheez>()).step == Step::kSend);
  REQUIRE(decide(SchemaOf<EatCheez>()).step == Step::kDescribe);
  peers.Described(peer, "eat-cheez", ValueOf(bed.a.Call<internal::DescribeCommands>("B")));
  CHECK(decide(SchemaOf<EatCheez>()).step == Step::kSend);
  const auto refused = decide(SchemaOf<Rename>());
  CHECK(refused.step == Step::kRefuse);
  CHECK(OutcomeOf(refused.refusal) == Outcome::kNotImplemented);
  CHECK(GetError<UnknownAction>(refused.refusal)->version == "7.1");
}

}  // namespace podkit::conduit
