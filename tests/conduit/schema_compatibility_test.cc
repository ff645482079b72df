// Which declarations of a command fit each other, and what is said where they do not.
#include "cheese.h"
#include "podkit/conduit/schema.h"
#include "tests/support/catch.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

CommandSchema Parsed(std::string text) { return ValueOf(FromJson<CommandSchema>(std::move(text))); }

// The type in JSON, as the response of an otherwise empty command.
CommandSchema WithResponse(const std::string& type) {
  return Parsed(R"({"name":"x","since":1,"effect":"read","target":{"structure":{}},)"
                R"("arguments":{"structure":{}},"response":)" +
                type + R"(,"errors":{}})");
}

CommandSchema WithArguments(const std::string& type) {
  return Parsed(R"({"name":"x","since":1,"effect":"read","target":{"structure":{}},"arguments":)" +
                type + R"(,"response":{"structure":{}},"errors":{}})");
}

// What breaks when a value of type `sent` is read as `taken`; "" if nothing does.
std::string Break(const std::string& sent, const std::string& taken) {
  const auto breaks = FindBreaks(WithResponse(taken), WithResponse(sent));
  std::string all;
  for (const SchemaBreak& one : breaks) {
    CHECK_FALSE(one.in_call);
    all += (all.empty() ? "" : "; ") + one.path.substr(std::string("$.value").size()) +
           (one.always ? "! " : " ") + one.reason;
  }
  return all;
}

std::string Structure(const std::string& required, const std::string& optional = "{}") {
  return R"({"structure":{"required":)" + required + R"(,"optional":)" + optional + "}}";
}

}  // namespace

TEST_CASE("Types may widen and not narrow", "[conduit][schema][compatibility]") {
  const auto fits = [](const char* sent, const char* taken) {
    return Break("\"" + std::string(sent) + "\"", "\"" + std::string(taken) + "\"");
  };
  CHECK(fits("int8", "int64").empty());
  CHECK(fits("uint32", "int64").empty());
  CHECK(fits("uint64", "uint64").empty());
  CHECK(fits("uint32", "number").empty());
  CHECK(fits("time", "string").empty());
  CHECK(fits("string", "bytes").empty());
  CHECK(fits("string", "any").empty());
  CHECK(fits("int64", "int32") == " the responder sends int64, the caller takes int32");
  CHECK(fits("int8", "uint64") == " the responder sends int8, the caller takes uint64");
  CHECK(fits("uint64", "int64") == " the responder sends uint64, the caller takes int64");
  CHECK(fits("int64", "number") == " the responder sends int64, the caller takes number");
  CHECK(fits("number", "int64") == "! the responder sends number, the caller takes int64");
  CHECK(fits("int64", "string") == "! the responder sends int64, the caller takes string");
  CHECK(fits("string", "int64") == "! the responder sends string, the caller takes int64");
  CHECK(fits("string", "time") == " the responder sends string, the caller takes time");
  CHECK(fits("bytes", "string") == " the responder sends bytes, the caller takes string");
  CHECK(fits("int64", "duration") == " the responder sends int64, the caller takes duration");
  CHECK(fits("duration", "int64") == " the responder sends duration, the caller takes int64");
  CHECK(fits("boolean", "string") == "! the responder sends boolean, the caller takes string");
  CHECK(fits("any", "string") == " the responder sends any, the caller takes string");
}

TEST_CASE("Nothing is read where nothing may be", "[conduit][schema][compatibility]") {
  const std::string maybe = R"({"optional":"string"})";
  CHECK(Break(R"("string")", maybe).empty());
  CHECK(Break(maybe, maybe).empty());
  CHECK(Break(maybe, R"("bytes")") == " the responder may send null, the caller takes bytes");
  // An optional field takes null for absence.
  CHECK(Break(Structure(R"({"a":{"optional":"string"}})"), Structure("{}", R"({"a":"string"})"))
            .empty());
  CHECK(Break(Structure(R"({"a":{"optional":"int64"}})"), Structure("{}", R"({"a":"string"})")) ==
        ".a the responder sends int64, the caller takes string");
}

TEST_CASE("Enumerations and variants may only grow where they are open",
          "[conduit][schema][compatibility]") {
  const std::string few = R"({"enum":["cow"]})";
  const std::string many = R"({"enum":["cow","goat","ewe"]})";
  CHECK(Break(few, many).empty());
  CHECK(Break(many, few) ==
        " the responder may send 'ewe', 'goat', which the caller does not know");
  CHECK(Break(many, R"({"enum":["cow","other"],"open":true})").empty());
  CHECK(Break(many, R"("string")").empty());
  CHECK(Break(R"("string")", many) == " the responder sends string, the caller takes enum");
  const std::string block = R"({"variant":{"block":"string"}})";
  const std::string both = R"({"variant":{"block":"string","wheel":"int64"}})";
  CHECK(Break(block, both).empty());
  CHECK(Break(both, block) ==
        " the responder may send the case 'wheel', which the caller does not know");
  CHECK(Break(both, R"({"variant":{"block":"string"},"open":true})").empty());
  CHECK(Break(R"({"variant":{"block":"string"},"open":true})", block) ==
        " the responder may send no case, the caller takes one");
  CHECK(Break(R"({"variant":{"block":"boolean"}})", block) ==
        ".block the responder sends boolean, the caller takes string");
}

TEST_CASE("Fields may come and go as they are declared", "[conduit][schema][compatibility]") {
  const std::string a = Structure(R"({"a":"string"})");
  CHECK(Break(Structure(R"({"a":"string","b":"string"})"), a).empty());
  CHECK(Break(a, Structure(R"({"a":"string"})", R"({"b":"string"})")).empty());
  CHECK(Break(a, Structure("{}", R"({"a":"string"})")).empty());
  CHECK(Break(a, Structure(R"({"a":"string","b":"int8"})")) ==
        ".b! the caller requires it, the responder does not send it");
  CHECK(Break(Structure("{}", R"({"a":"string"})"), a) ==
        ".a the caller requires it, the responder may leave it out");
  CHECK(Break(Structure(R"({"l":{"list":{"map":)" + a + "}}}"),
              Structure(R"({"l":{"list":{"map":)" + Structure(R"({"b":"int8"})") + "}}}")) ==
        ".l[*].*.b the caller requires it, the responder does not send it");
  CHECK(Break(R"({"tuple":["string","int8"]})", R"({"tuple":["string"]})").empty());
  CHECK(Break(R"({"tuple":["string"]})", R"({"tuple":["string",{"optional":"int8"}]})").empty());
  CHECK(Break(R"({"tuple":["string"]})", R"({"tuple":["int8","string"]})") ==
        "[0]! the responder sends string, the caller takes int8; "
        "[1]! the caller requires it, the responder does not send it");
  CHECK(Break(R"({"list":"string"})", R"({"tuple":["string"]})") ==
        "! the responder sends list, the caller takes tuple");
}

TEST_CASE("Structures that hold themselves are compared to their end",
          "[conduit][schema][compatibility]") {
  const std::string folder =
      Structure(R"({"name":"string"})", R"({"children":{"list":{"enclosing":1}}})");
  CHECK(Break(folder, folder).empty());
  // The same, unrolled once.
  const std::string unrolled =
      Structure(R"({"name":"string"})", R"({"children":{"list":)" + folder + "}}");
  CHECK(Break(folder, unrolled).empty());
  CHECK(Break(unrolled, folder).empty());
  const std::string other =
      Structure(R"({"name":"int8"})", R"({"children":{"list":{"enclosing":1}}})");
  CHECK(Break(folder, other) == ".name! the responder sends string, the caller takes int8");
  // The difference lies below the first turn.
  const std::string odd =
      Structure(R"({"name":"string"})", R"({"children":{"list":)" + other + "}}");
  CHECK(Break(folder, odd) ==
        ".children[*].name the responder sends string, the caller takes int8");
}

TEST_CASE("A break in the call names the field and the side", "[conduit][schema][compatibility]") {
  const auto call = [](const std::string& sent, const std::string& taken) {
    return CheckCompatible(WithArguments(sent), WithArguments(taken));
  };
  const absl::Status status =
      call(Structure("{}", R"({"origin":"string"})"), Structure(R"({"origin":"string"})"));
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(status.message() ==
        "'x' does not fit: the call: $.keywords.origin: the responder requires it, the caller may "
        "leave it out");
  CHECK(call(R"({"tuple":["int64"]})", R"({"tuple":["int8"]})").message() ==
        "'x' does not fit: the call: $.arguments[0]: the caller sends int64, the responder takes "
        "int8");
  CHECK(call(R"({"tuple":["int64"]})", Structure("{}")).message() ==
        "'x' does not fit: the call: $.arguments: the caller sends arguments by position, the "
        "responder takes them by name");
  CHECK(call(R"({"structure":{}})", R"({"tuple":[{"optional":"string"}]})") == absl::OkStatus());
  CHECK(call(R"({"tuple":[]})", Structure("{}", R"({"a":"int8"})")) == absl::OkStatus());
  CHECK(call(R"({"structure":{}})", R"({"tuple":["string"]})").message() ==
        "'x' does not fit: the call: $.arguments[0]: the responder requires it, the caller does "
        "not send it");
}

TEST_CASE("Targets, effects, names and errors count as well", "[conduit][schema][compatibility]") {
  const CommandSchema schema = SchemaOf<Rename>();
  const auto check = [&](const auto& change, bool change_the_caller = false) {
    CommandSchema other = schema;
    change(other);
    return std::string(
        (change_the_caller ? CheckCompatible(other, schema) : CheckCompatible(schema, other))
            .message());
  };
  CHECK(check([](CommandSchema& s) { s.target.fields[0].required = true; }) ==
        "'rename' does not fit: the call: $.homeChildID: the responder requires it, the caller may "
        "leave it out");
  CHECK(check([](CommandSchema& s) { s.effect = Effect::kRead; }).empty());
  CHECK(check([](CommandSchema& s) { s.effect = Effect::kRead; }, true) ==
        "'rename' does not fit: the call: for the caller its effect is 'read', for the responder "
        "'write': a repeated call would do harm");
  CHECK(check([](CommandSchema& s) { s.name = "move"; }) ==
        "'rename' does not fit: the call: $.action: the responder's command is 'move'");
  // Who answers may have more errors, who calls too.
  CHECK(check([](CommandSchema& s) { s.errors.pop_back(); }).empty());
  CHECK(check([](CommandSchema& s) { s.errors.pop_back(); }, true).empty());
  CHECK(check([](CommandSchema& s) { s.errors[0].code = absl::StatusCode::kAborted; }) ==
        "'rename' does not fit: the answer: NoSuchCheese: the responder answers it with code "
        "'aborted', the caller knows it with 'not_found'");
  CHECK(check([](CommandSchema& s) {
          s.errors[0].fields.fields.erase(s.errors[0].fields.fields.begin());
        }) ==
        "'rename' does not fit: the answer: NoSuchCheese$.fields.name: the caller requires it, the "
        "responder does not send it");
  // A response may begin where there was none, and be ignored where none was expected.
  CHECK(check([](CommandSchema& s) {
          s.response = WithResponse(Structure("{}", R"({"radius":"number"})")).response;
        }).empty());
  CHECK(check(
            [](CommandSchema& s) {
              s.response = WithResponse(Structure("{}", R"({"radius":"number"})")).response;
            },
            true)
            .empty());
  CHECK(check(
            [](CommandSchema& s) {
              s.response = WithResponse(Structure(R"({"sides":"uint8"})")).response;
            },
            true) ==
        "'rename' does not fit: the answer: $.value.sides: the caller requires it, the responder "
        "does not send it");
}

}  // namespace podkit::conduit
