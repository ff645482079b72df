#include "podkit/conduit/json.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

namespace podkit::conduit {
namespace {

using Kind = JsonValue::Kind;
using podkit::testing::ValueOf;

JsonDocument Parsed(std::string text) { return ValueOf(JsonDocument::Parse(std::move(text))); }

// Why `text` is refused.
std::string Refusal(std::string text, const JsonLimits& limits = {}) {
  const auto document = JsonDocument::Parse(std::move(text), limits);
  REQUIRE_FALSE(document.ok());
  return document.status().ToString();
}

std::string Nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') +
         std::string(static_cast<size_t>(depth), ']');
}

std::string Written(double value) {
  JsonWriter writer;
  writer.Number(value);
  return writer.Take();
}

}  // namespace

TEST_CASE("JsonValue knows the kind of every value", "[conduit][json]") {
  const auto document =
      Parsed(R"({"a":null,"b":true,"c":-7,"d":0.5,"e":"x","f":[1],"g":{"h":1},"i":1.0,"j":false})");
  const JsonValue root = document.root();
  const auto kind = [&](const char* name) { return root.Member(name)->kind(); };
  CHECK(root.kind() == Kind::kObject);
  CHECK(kind("a") == Kind::kNull);
  CHECK(kind("b") == Kind::kBoolean);
  CHECK(kind("c") == Kind::kInteger);
  CHECK(kind("d") == Kind::kNumber);
  CHECK(kind("e") == Kind::kString);
  CHECK(kind("f") == Kind::kArray);
  CHECK(kind("g") == Kind::kObject);
  CHECK(kind("i") == Kind::kNumber);
  CHECK(root.Member("b")->AsBoolean() == true);
  CHECK(root.Member("j")->AsBoolean() == false);
  CHECK(root.Member("c")->AsInteger() == -7);
  CHECK(root.Member("c")->AsNumber() == -7.0);
  CHECK(root.Member("d")->AsNumber() == 0.5);
  CHECK(root.Member("e")->AsString() == "x");
  CHECK(root.Member("f")->Element(0).AsInteger() == 1);
  CHECK(root.size() == 9);
}

TEST_CASE("JsonValue gives nothing where the kind is another one", "[conduit][json]") {
  const auto document = Parsed(R"(["1",1.5,null])");
  const JsonValue root = document.root();
  CHECK_FALSE(root.Element(0).AsInteger());
  CHECK_FALSE(root.Element(0).AsNumber());
  CHECK_FALSE(root.Element(0).AsBoolean());
  CHECK_FALSE(root.Element(1).AsInteger());
  CHECK_FALSE(root.Element(2).AsString());
  CHECK_FALSE(root.Member("a"));
  CHECK(root.Element(0).size() == 0);
}

TEST_CASE("JsonValue keeps the order of members", "[conduit][json]") {
  const auto document = Parsed(R"({"b":1,"a":2})");
  CHECK(document.root().MemberAt(0).first == "b");
  CHECK(document.root().MemberAt(1).first == "a");
  CHECK(document.root().MemberAt(1).second.AsInteger() == 2);
}

TEST_CASE("JsonDocument keeps its values valid when it is moved", "[conduit][json]") {
  auto document = Parsed(R"({"a":"x"})");
  const auto value = document.root().Member("a");
  const JsonDocument moved = std::move(document);
  CHECK((value && value->AsString() == "x"));
  CHECK(moved.root().size() == 1);
}

TEST_CASE("JsonDocument names the byte at which a text stops being JSON", "[conduit][json]") {
  CHECK(Refusal("") == "INVALID_ARGUMENT: JSON at byte 0: The document is empty.");
  CHECK(Refusal("{\"a\":}").starts_with("INVALID_ARGUMENT: JSON at byte 5:"));
  CHECK(Refusal("[1,]").starts_with("INVALID_ARGUMENT: JSON at byte 3:"));
  CHECK(Refusal("{\"a\":1,}").starts_with("INVALID_ARGUMENT: JSON at byte 7:"));
  CHECK(Refusal("nul").starts_with("INVALID_ARGUMENT: JSON at byte"));
  CHECK(Refusal("[01]").starts_with("INVALID_ARGUMENT: JSON at byte 2:"));
  CHECK(Refusal("\"a").starts_with("INVALID_ARGUMENT: JSON at byte"));
  CHECK(Refusal("\"\x01\"").starts_with("INVALID_ARGUMENT: JSON at byte"));
  CHECK(Refusal("NaN").starts_with("INVALID_ARGUMENT: JSON at byte"));
}

TEST_CASE("JsonDocument refuses what follows the value", "[conduit][json]") {
  CHECK(Refusal("{} {}").starts_with("INVALID_ARGUMENT: JSON at byte 3:"));
  CHECK(Refusal("[]x").starts_with("INVALID_ARGUMENT: JSON at byte 2:"));
  CHECK(Refusal(std::string("{}\0", 3)).starts_with("INVALID_ARGUMENT: JSON at byte 2:"));
  CHECK(Refusal(std::string("{}\0{}", 5)).starts_with("INVALID_ARGUMENT: JSON at byte 2:"));
  CHECK(Parsed(" \t\r\n {} \n").root().size() == 0);
}

TEST_CASE("JsonDocument refuses text that is not UTF-8", "[conduit][json]") {
  const char* const bad[] = {"\"\xff\"",
                             "\"a\x80\"",
                             "\"\xc3\"",
                             "\"\xc0\xaf\"",
                             "\"\xed\xa0\x80\"",  // A surrogate.
                             "\"\xf4\x90\x80\x80\"",
                             "{\"\xff\":1}",
                             "[\"ok\",\"\xe2\x82\"]",
                             R"("\ud800")",
                             R"("\udc00")",
                             R"("\ud800A")",
                             R"({"\udfff":1})"};
  for (const char* text : bad) {
    CAPTURE(text);
    CHECK(Refusal(text).starts_with("INVALID_ARGUMENT: JSON at byte"));
  }
  CHECK(Refusal("[\"ok\", \"\xff\"]") ==
        "INVALID_ARGUMENT: JSON at byte 8: the string is not UTF-8");
}

TEST_CASE("JsonDocument reads every escape", "[conduit][json]") {
  const auto document = Parsed(R"(["\"\\\/\b\f\n\r\t","\u00e9\u20ac\ud83d\ude00","a\u0000b"])");
  CHECK(document.root().Element(0).AsString() == "\"\\/\b\f\n\r\t");
  CHECK(document.root().Element(1).AsString() == "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(document.root().Element(2).AsString() == std::string_view("a\0b", 3));
}

TEST_CASE("JsonDocument refuses a member that appears twice", "[conduit][json]") {
  CHECK(Refusal(R"({"a":1,"b":2,"a":3})") ==
        "INVALID_ARGUMENT: JSON at byte 14: the member 'a' appears twice");
  CHECK(Refusal(R"([{"x":{"a":1,"a":2}}])").find("'a' appears twice") != std::string::npos);
  CHECK(Refusal(R"({"a":1,"\u0061":2})").find("'a' appears twice") != std::string::npos);
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"m" + std::to_string(i) + "\":{\"m1\":0},";
  CHECK(Parsed(many + "\"n\":0}").root().size() == 101);
  CHECK(Refusal(many + "\"m50\":0}").find("'m50' appears twice") != std::string::npos);
  // The same name in objects inside each other is fine.
  CHECK(Parsed(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})").root().size() == 2);
}

TEST_CASE("JsonDocument enforces its limits", "[conduit][json]") {
  CHECK(Parsed(Nested(64)).root().size() == 1);
  CHECK(Refusal(Nested(65)) ==
        "RESOURCE_EXHAUSTED: JSON at byte 64: more than 64 arrays and objects inside each other");
  CHECK(Refusal(Nested(100'000)).starts_with("RESOURCE_EXHAUSTED"));
  CHECK(Refusal(Nested(100'000), {.max_depth = 1'000'000}).starts_with("RESOURCE_EXHAUSTED"));
  CHECK(Refusal(R"({"a":{"a":1}})", {.max_depth = 1}).starts_with("RESOURCE_EXHAUSTED"));
  CHECK(Refusal("[]", {.max_depth = 0}).starts_with("RESOURCE_EXHAUSTED"));
  CHECK(Refusal("[1234]", {.max_bytes = 5}) ==
        "RESOURCE_EXHAUSTED: JSON of 6 bytes is larger than the limit of 5 bytes");
  CHECK(JsonDocument::Parse("[123]", {.max_bytes = 5}).ok());
}

TEST_CASE("JsonDocument tells integers from other numbers by their text", "[conduit][json]") {
  const auto document = Parsed(
      "[9223372036854775807,-9223372036854775808,18446744073709551616,-0,1e2,0.1,-0.0,1e-400,"
      "18446744073709551615,-9223372036854775809]");
  const JsonValue root = document.root();
  CHECK(root.Element(0).AsInteger() == std::numeric_limits<int64_t>::max());
  CHECK(root.Element(1).AsInteger() == std::numeric_limits<int64_t>::min());
  CHECK(root.Element(2).kind() == Kind::kNumber);
  CHECK(root.Element(2).AsNumber() == 18446744073709551616.0);
  CHECK(root.Element(3).AsInteger() == 0);
  CHECK(root.Element(4).kind() == Kind::kNumber);
  CHECK(root.Element(4).AsNumber() == 100.0);
  CHECK(root.Element(5).AsNumber() == 0.1);
  CHECK(std::signbit(root.Element(6).AsNumber().value_or(0)));
  CHECK(root.Element(7).AsNumber() == 0.0);
  CHECK(root.Element(8).kind() == Kind::kInteger);
  CHECK(root.Element(8).AsUnsigned() == std::numeric_limits<uint64_t>::max());
  CHECK_FALSE(root.Element(8).AsInteger());
  CHECK(root.Element(8).AsNumber() == 18446744073709551615.0);
  CHECK(root.Element(8).ToText() == "18446744073709551615");
  CHECK(root.Element(0).AsUnsigned() == std::numeric_limits<int64_t>::max());
  CHECK_FALSE(root.Element(1).AsUnsigned());
  CHECK(root.Element(9).kind() == Kind::kNumber);
}

TEST_CASE("JsonDocument takes numbers of any length and refuses those beyond a double",
          "[conduit][json]") {
  CHECK(Refusal("1e400").starts_with("INVALID_ARGUMENT"));
  CHECK(Refusal("-1e999999999999").starts_with("INVALID_ARGUMENT"));
  CHECK(Refusal("179769313486231580793e308").starts_with("INVALID_ARGUMENT"));
  const std::string zeros(10'000, '0');
  CHECK(Parsed("0." + zeros + "1").root().AsNumber() == 0.0);
  CHECK(Parsed("1." + zeros + "e-2147483647").root().AsNumber() == 0.0);
  CHECK(Parsed("0." + zeros + "1e-99999999999").root().AsNumber() == 0.0);
}

TEST_CASE("A double that is written comes back the same", "[conduit][json]") {
  using Limits = std::numeric_limits<double>;
  const double values[] = {0.0,
                           -0.0,
                           0.1,
                           1.0 / 3.0,
                           1e15 + 0.3,
                           Limits::max(),
                           -1.5,
                           Limits::min(),
                           Limits::denorm_min(),
                           5e-324,
                           123456789012345680.0,
                           2.2250738585072011e-308};
  for (const double value : values) {
    const std::string text = Written(value);
    CAPTURE(text);
    const auto document = Parsed(text);
    CHECK(document.root().AsNumber() == value);
    CHECK(std::signbit(document.root().AsNumber().value_or(0)) == std::signbit(value));
  }
  CHECK(Written(Limits::infinity()) == "null");
  CHECK(Written(Limits::quiet_NaN()) == "null");
}

TEST_CASE("JsonWriter writes compact text and can be used again", "[conduit][json]") {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("a");
  writer.BeginArray();
  writer.Null();
  writer.Boolean(true);
  writer.Integer(std::numeric_limits<int64_t>::min());
  writer.String("q\"\\\n\x01\xc3\xa9");
  writer.String({});
  writer.Raw(R"({"raw":1})");
  writer.EndArray();
  writer.EndObject();
  const std::string text = writer.Take();
  CHECK(
      text ==
      "{\"a\":[null,true,-9223372036854775808,\"q\\\"\\\\\\n\\u0001\xc3\xa9\",\"\",{\"raw\":1}]}");
  CHECK(Parsed(text).root().ToText() == text);
  writer.Integer(7);
  CHECK(writer.Take() == "7");
  writer.Unsigned(std::numeric_limits<uint64_t>::max());
  CHECK(writer.Take() == "18446744073709551615");
}

TEST_CASE("IsUtf8 finds the bad byte wherever it stands", "[conduit][json]") {
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("plain text that is longer than one word of the machine"));
  const std::string good = "0123456789\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  CHECK(IsUtf8(good + good + "\xef\xbf\xbf\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80"));
  for (size_t i = 0; i <= 32; ++i) {
    CAPTURE(i);
    CHECK_FALSE(IsUtf8(std::string(i, 'a') + "\xff" + std::string(16, 'b')));
    CHECK_FALSE(IsUtf8(std::string(i, 'a') + "\xe2\x82"));
  }
  CHECK_FALSE(IsUtf8("\xc1\xbf"));
  CHECK_FALSE(IsUtf8("\xe0\x9f\xbf"));
  CHECK_FALSE(IsUtf8("\xf0\x8f\xbf\xbf"));
  CHECK_FALSE(IsUtf8("\xf5\x80\x80\x80"));
}

}  // namespace podkit::conduit
