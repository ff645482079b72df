// Schemas: what they say, how they travel, and that they judge values as the code does that they
// stand for.
#include "podkit/conduit/schema.h"

#include <random>

#include "cheese.h"
#include "podkit/conduit/variant.h"
#include "tests/support/catch.h"

namespace podkit::conduit {

enum class Milk { kCow, kGoat };
enum class AnyMilk { kCow, kOther };

template <>
struct EnumNames<Milk> {
  static constexpr std::array kNames = {std::pair{Milk::kGoat, std::string_view("goat")},
                                        std::pair{Milk::kCow, std::string_view("cow")}};
};
template <>
struct EnumNames<AnyMilk> {
  static constexpr std::array kNames = {std::pair{AnyMilk::kCow, std::string_view("cow")},
                                        std::pair{AnyMilk::kOther, std::string_view("other")}};
  static constexpr AnyMilk kUnknown = AnyMilk::kOther;
};

namespace {

using podkit::testing::ValueOf;

struct Wheel {
  static constexpr std::string_view kCase = "wheel";
  double radius = 0.5;
  absl::Duration age;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("radius", &Wheel::radius), Optional("age", &Wheel::age));
  }
};

struct Block {
  static constexpr std::string_view kCase = "block";
  uint8_t sides = 6;
  static constexpr auto Fields() { return std::make_tuple(Required("sides", &Block::sides)); }
};

// Holds itself, and something that holds it.
struct Shelf {
  struct Corner {
    std::vector<Shelf> shelves;
    static constexpr auto Fields() {
      return std::make_tuple(Optional("shelves", &Corner::shelves));
    }
  };
  int32_t boards = 0;
  std::vector<Shelf> inside;
  Corner corner;
  static constexpr auto Fields() {
    return std::make_tuple(Required("boards", &Shelf::boards), Optional("inside", &Shelf::inside),
                           Optional("corner", &Shelf::corner));
  }
};

// Everything that there is.
struct Everything {
  bool yes = true;
  int64_t number = 0;
  uint64_t large = 0;
  double real = 0;
  std::string text = "x";
  Bytes bytes;
  absl::Time time;
  absl::Duration duration;
  Milk milk = Milk::kCow;
  AnyMilk any_milk = AnyMilk::kOther;
  std::optional<std::string> maybe;
  std::vector<int8_t> list;
  std::map<std::string, uint16_t> map;
  std::tuple<int, std::optional<int>> tuple;
  std::variant<Wheel, Block> shape;
  std::variant<std::monostate, Block> open_shape;
  Shelf shelf;
  static constexpr auto Fields() {
    return std::make_tuple(
        Required("yes", &Everything::yes), Required("number", &Everything::number),
        Required("large", &Everything::large), Required("real", &Everything::real),
        Optional("text", &Everything::text), Required("bytes", &Everything::bytes),
        Required("time", &Everything::time), Required("duration", &Everything::duration),
        Required("milk", &Everything::milk), Required("any_milk", &Everything::any_milk),
        Required("maybe", &Everything::maybe), Required("list", &Everything::list),
        Required("map", &Everything::map), Required("tuple", &Everything::tuple),
        Required("shape", &Everything::shape), Required("open_shape", &Everything::open_shape),
        Required("shelf", &Everything::shelf));
  }
};

struct EveryCommand {
  static constexpr CommandInfo kInfo = {.name = "every"};
  using Arguments = std::tuple<Everything>;
  using Response = Everything;
  using Errors = ErrorList<>;
};

CommandSchema Parsed(std::string text) { return ValueOf(FromJson<CommandSchema>(std::move(text))); }

// The type in JSON, as the response of an otherwise empty command.
CommandSchema WithResponse(const std::string& type) {
  return Parsed(R"({"name":"x","since":1,"effect":"read","target":{"structure":{}},)"
                R"("arguments":{"structure":{}},"response":)" +
                type + R"(,"errors":{}})");
}

std::string TextOf(const TypeSchema& type) {
  CommandSchema schema{.name = "x", .target = type, .arguments = type, .response = type};
  const auto document = ValueOf(JsonDocument::Parse(ToJson(schema)));
  return document.root().Member("response")->ToText();
}

std::string Structure(const std::string& required, const std::string& optional = "{}") {
  return R"({"structure":{"required":)" + required + R"(,"optional":)" + optional + "}}";
}

}  // namespace

TEST_CASE("A schema says what a command declares", "[conduit][schema]") {
  CHECK(ToJson(SchemaOf<EatCheez>()) ==
        R"({"name":"eat-cheez","since":3,"effect":"read","target":{"structure":{}},)"
        R"("arguments":{"structure":{"required":{"name":"string"},"optional":{"origin":"string"},)"
        R"("defaults":{"origin":"unknown"}}},)"
        R"("response":{"structure":{"required":{"rating":"int64"},"optional":{"text":"string"},)"
        R"("defaults":{"text":""}}},)"
        R"("errors":{"NoSuchCheese":{"code":"not_found","fields":{"structure":{"required":)"
        R"({"name":"string"},"optional":{"stock":"int64"},"defaults":{"stock":0}}}}}})");
  CHECK(ToJson(SchemaOf<Rename>()) ==
        R"({"name":"rename","since":1,"effect":"write","target":{"structure":{"required":)"
        R"({"homeUID":"string"},"optional":{"homeChildID":{"optional":"string"}}}},)"
        R"("arguments":{"tuple":["string",{"optional":"int32"}]},"response":{"structure":{}},)"
        R"("errors":{"NoSuchCheese":{"code":"not_found","fields":{"structure":{"required":)"
        R"({"name":"string"},"optional":{"stock":"int64"},"defaults":{"stock":0}}}},)"
        R"("ShopClosed":{"code":"failed_precondition","fields":{"structure":{}}}}})");
}

TEST_CASE("A schema has a word for every type", "[conduit][schema]") {
  CHECK(TextOf(Describe<uint64_t>()) == R"("uint64")");
  CHECK(TextOf(Describe<int8_t>()) == R"("int8")");
  CHECK(TextOf(Describe<unsigned long long>()) == R"("uint64")");
  CHECK(TextOf(Describe<std::vector<std::map<std::string, std::optional<Bytes>>>>()) ==
        R"({"list":{"map":{"optional":"bytes"}}})");
  CHECK(TextOf(Describe<Milk>()) == R"({"enum":["cow","goat"]})");
  CHECK(TextOf(Describe<AnyMilk>()) == R"({"enum":["cow","other"],"open":true})");
  CHECK(TextOf(Describe<std::variant<Wheel, Block>>()) ==
        R"({"variant":{"block":{"structure":{"required":{"sides":"uint8"}}},)"
        R"("wheel":{"structure":{"optional":{"age":"duration","radius":"number"},)"
        R"("defaults":{"age":0,"radius":0.5}}}}})");
  CHECK(TextOf(Describe<std::variant<std::monostate, Block>>()) ==
        R"({"variant":{"block":{"structure":{"required":{"sides":"uint8"}}}},"open":true})");
  CHECK(TextOf(Describe<CommandSchema>()) == R"("any")");
}

TEST_CASE("A structure that holds itself is described once", "[conduit][schema]") {
  CHECK(TextOf(Describe<Shelf>()) ==
        R"({"structure":{"required":{"boards":"int32"},"optional":{"corner":{"structure":)"
        R"({"optional":{"shelves":{"list":{"enclosing":2}}},"defaults":{"shelves":[]}}},)"
        R"("inside":{"list":{"enclosing":1}}},"defaults":{"corner":{"shelves":[]},"inside":[]}}})");
}

TEST_CASE("A schema comes back the same", "[conduit][schema]") {
  for (const CommandSchema& schema :
       {SchemaOf<EatCheez>(), SchemaOf<Rename>(), SchemaOf<EveryCommand>(), SchemaOf<Ping>()}) {
    const CommandSchema back = Parsed(ToJson(schema));
    CHECK(ToJson(back) == ToJson(schema));
    CHECK(Fingerprint(back) == Fingerprint(schema));
    CHECK(CheckCompatible(schema, back) == absl::OkStatus());
    CHECK(CheckCompatible(back, schema) == absl::OkStatus());
  }
}

TEST_CASE("A schema from a newer version is read as far as it is known", "[conduit][schema]") {
  const auto known = [](const std::string& type) { return TextOf(WithResponse(type).response); };
  CHECK(known(R"("decimal")") == R"("any")");
  CHECK(known(R"("list")") == R"("any")");
  CHECK(known(R"({"set":"string"})") == R"("any")");
  CHECK(known(R"({"list":{"set":"string"},"unique":true})") == R"({"list":"any"})");
}

TEST_CASE("A text that is no schema is refused with the place", "[conduit][schema]") {
  const auto refusal = [](const std::string& type) {
    const auto schema = FromJson<CommandSchema>(
        R"({"name":"x","since":1,"effect":"read","target":{"structure":{}},"arguments":)" + type +
        R"(,"response":"any","errors":{}})");
    return std::string(schema.status().message());
  };
  CHECK(refusal("7") ==
        "$.arguments: expected the name of a type or an object with it, got integer");
  CHECK(refusal("{}") ==
        "$.arguments: expected the name of a type or an object with it, got object");
  CHECK(refusal(R"({"list":{"tuple":["string",null]}})") ==
        "$.arguments.list.tuple[1]: expected the name of a type or an object with it, got null");
  CHECK(refusal(R"({"structure":{"required":{"a":{"enum":[1]}}}})") ==
        "$.arguments.structure.required.a.enum[0]: expected string, got integer");
  for (const char* levels : {"0", "2", "-1", "18446744073709551615", "\"1\""}) {
    CHECK(refusal(Structure(R"({"a":{"list":{"enclosing":)" + std::string(levels) + "}}}")) ==
          "$.arguments.structure.required.a.list.enclosing: there are not so many structures "
          "around it");
  }
  CHECK(FromJson<CommandSchema>("{}").status().message() == "$.name: is missing");
}

TEST_CASE("A fingerprint depends on what compatibility depends on", "[conduit][schema]") {
  const CommandSchema schema = SchemaOf<EatCheez>();
  CHECK(Fingerprint(schema).size() == 16);
  CommandSchema same = schema;
  same.since = 9;
  same.arguments.fields[1].default_json = R"("nowhere")";
  CHECK(Fingerprint(same) == Fingerprint(schema));
  const auto differs = [&](const auto& change) {
    CommandSchema other = schema;
    change(other);
    return Fingerprint(other) != Fingerprint(schema);
  };
  CHECK(differs([](CommandSchema& s) { s.name = "x"; }));
  CHECK(differs([](CommandSchema& s) { s.effect = Effect::kWrite; }));
  CHECK(differs([](CommandSchema& s) { s.target = Describe<Wheel>(); }));
  CHECK(differs([](CommandSchema& s) { s.arguments.fields[1].required = true; }));
  CHECK(differs([](CommandSchema& s) { s.response.fields[0].type = Describe<int32_t>(); }));
  CHECK(differs([](CommandSchema& s) { s.errors[0].code = absl::StatusCode::kAborted; }));
  CHECK(differs([](CommandSchema& s) { s.errors.clear(); }));
  // On every machine and for ever, or pods of one version would look strange to each other.
  CHECK(Fingerprint(SchemaOf<Ping>()) == "2efbc3d6d7e58a28");
}

TEST_CASE("A schema judges requests and replies", "[conduit][schema]") {
  const auto request = [](const CommandSchema& schema, std::string text) {
    const auto document = ValueOf(JsonDocument::Parse(std::move(text)));
    return std::string(CheckRequest(schema, document.root()).message());
  };
  const auto reply = [](const CommandSchema& schema, std::string text) {
    const auto document = ValueOf(JsonDocument::Parse(std::move(text)));
    return std::string(CheckReply(schema, document.root()).message());
  };
  const CommandSchema rename = SchemaOf<Rename>();
  const CommandSchema eat = SchemaOf<EatCheez>();
  CHECK(request(rename, R"({"homeUID":"h","homeChildID":null,"arguments":["n"]})").empty());
  CHECK(request(rename, R"({"arguments":["n"]})") == "$.homeUID: is missing");
  CHECK(request(rename, R"({"homeUID":"h"})") == "$.arguments[0]: is missing");
  CHECK(request(rename, R"({"homeUID":"h","arguments":["n",2147483648]})") ==
        "$.arguments[1]: 2147483648 is out of range");
  CHECK(request(eat, R"({"keywords":{"name":"brie","later":[]}})").empty());
  CHECK(request(eat, "{}") == "$.keywords.name: is missing");
  CHECK(reply(eat, R"({"result":"ok","value":{"rating":1}})").empty());
  CHECK(reply(eat, R"({"result":"ok","value":{"rating":"1"}})") ==
        "$.value.rating: expected integer, got string");
  CHECK(reply(eat, R"({"result":"ok"})") == "$.value.rating: is missing");
  CHECK(reply(SchemaOf<Echo>(), R"({"result":"ok"})") == "$.value: is missing");
  CHECK(reply(rename, R"({"result":"ok"})").empty());
  CHECK(reply(eat, R"({"result":"exception","class":"NoSuchCheese","fields":{}})") ==
        "$.fields.name: is missing");
  CHECK(reply(eat, R"({"result":"exception","class":"OfTheFuture","fields":{}})").empty());
  CHECK(reply(eat, R"({"result":"perhaps"})") == "$.result: neither 'ok' nor 'exception'");
}

namespace {

// `text`, a JSON value, with something else in one place of it.
std::string Damaged(std::string text, std::mt19937_64& random) {
  constexpr std::string_view kPieces[] = {"null",
                                          "1",
                                          "-1",
                                          "300",
                                          "1.5",
                                          "\"x\"",
                                          "[]",
                                          "{}",
                                          "[1]",
                                          "true",
                                          "18446744073709551615",
                                          "\"cow\"",
                                          R"({"block":{"sides":7}})",
                                          R"({"base64":"/w=="})",
                                          "9223372036854775808",
                                          "\"NaN\""};
  // Places where a value begins.
  std::vector<size_t> places;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':' || text[i] == '[' || text[i] == ',') places.push_back(i + 1);
  }
  const size_t begin = places[random() % places.size()];
  // To the next place where a value may end, be it the right one or not.
  size_t end = begin;
  const size_t skip = random() % 3;
  for (size_t ends = 0; end < text.size() && ends <= skip; ++end) {
    if (text[end] == ',' || text[end] == '}' || text[end] == ']') ++ends;
    if (ends > skip) break;
  }
  return text.replace(begin, end - begin, kPieces[random() % std::size(kPieces)]);
}

}  // namespace

TEST_CASE("A schema judges values as the code does that it stands for", "[conduit][schema]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Everything everything;
  everything.bytes.data = "\xff";
  everything.list = {1, -1};
  everything.map = {{"k", 1}};
  everything.maybe = "m";
  everything.open_shape = Block();
  everything.shelf.inside = {Shelf{1, {Shelf{}}, {{Shelf{2, {}, {}}}}}, Shelf{}};
  everything.shelf.corner.shelves = {Shelf{3, {Shelf{}}, {}}};
  const std::string good = ToJson(everything);
  const TypeSchema type = Describe<Everything>();
  int refused = 0;
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = Damaged(good, random);
    if (random() % 2 == 0) text = Damaged(text, random);
    const auto document = JsonDocument::Parse(text);
    if (!document.ok()) continue;
    Everything decoded;
    const absl::Status code = Codec<Everything>::Decode(document->root(), &decoded);
    const absl::Status schema = CheckValue(type, document->root());
    if (code.ok() != schema.ok()) {
      INFO(text);
      REQUIRE(schema == code);
    }
    ++(code.ok() ? taken : refused);
  }
  CHECK(refused > 1000);
  CHECK(taken > 100);
}

}  // namespace podkit::conduit
