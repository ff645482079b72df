#include "podkit/conduit/message.h"

#include <cmath>
#include <limits>

#include "podkit/conduit/variant.h"
#include "tests/support/catch.h"

namespace podkit::conduit {

enum class Access { kRead, kReadWrite };

template <>
struct EnumNames<Access> {
  static constexpr std::array kNames = {
      std::pair{Access::kRead, std::string_view("read")},
      std::pair{Access::kReadWrite, std::string_view("read-write")}};
};

// Peers may add colours.
enum class Color { kRed, kOther };

template <>
struct EnumNames<Color> {
  static constexpr std::array kNames = {std::pair{Color::kRed, std::string_view("red")},
                                        std::pair{Color::kOther, std::string_view("other")}};
  static constexpr Color kUnknown = Color::kOther;
};

namespace {

using podkit::testing::ValueOf;

// A structure that holds itself, both ways that there are.
struct Folder {
  std::string name;
  std::vector<Folder> children;
  std::map<std::string, Folder> links;
  static constexpr auto Fields() {
    return std::make_tuple(Required("name", &Folder::name), Optional("children", &Folder::children),
                           Optional("links", &Folder::links));
  }
  friend bool operator==(const Folder&, const Folder&) = default;
};

struct Circle {
  static constexpr std::string_view kCase = "circle";
  double radius = 0;
  static constexpr auto Fields() { return std::make_tuple(Required("radius", &Circle::radius)); }
  friend bool operator==(const Circle&, const Circle&) = default;
};

struct Square {
  static constexpr std::string_view kCase = "square";
  double side = 0;
  static constexpr auto Fields() { return std::make_tuple(Required("side", &Square::side)); }
  friend bool operator==(const Square&, const Square&) = default;
};

using Shape = std::variant<Circle, Square>;
using MaybeShape = std::variant<std::monostate, Circle, Square>;

struct Inner {
  std::string name;
  std::vector<int> numbers;
  static constexpr auto Fields() {
    return std::make_tuple(Required("name", &Inner::name), Optional("numbers", &Inner::numbers));
  }
  friend bool operator==(const Inner&, const Inner&) = default;
};

struct Outer {
  int8_t small = 5;
  Access access = Access::kRead;
  std::optional<Inner> maybe;
  std::vector<Inner> list;
  std::map<std::string, Inner> map;
  static constexpr auto Fields() {
    return std::make_tuple(Optional("small", &Outer::small), Optional("access", &Outer::access),
                           Optional("maybe", &Outer::maybe), Optional("list", &Outer::list),
                           Optional("map", &Outer::map));
  }
  friend bool operator==(const Outer&, const Outer&) = default;
};

template <typename T>
T RoundTrip(const T& value) {
  return ValueOf(FromJson<T>(ToJson(value)));
}

template <typename T>
std::string Refusal(std::string text) {
  const auto value = FromJson<T>(std::move(text));
  REQUIRE(value.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(value.status().message());
}

}  // namespace

TEST_CASE("Scalars come back the same, at both ends of their range", "[conduit][message]") {
  CHECK(RoundTrip(true));
  CHECK_FALSE(RoundTrip(false));
  for (const int64_t value : {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0},
                              std::numeric_limits<int64_t>::max()}) {
    CHECK(RoundTrip(value) == value);
  }
  CHECK(RoundTrip(std::numeric_limits<uint32_t>::max()) == std::numeric_limits<uint32_t>::max());
  CHECK(RoundTrip(std::numeric_limits<uint64_t>::max()) == std::numeric_limits<uint64_t>::max());
  CHECK(RoundTrip(uint64_t{0}) == 0);
  CHECK(RoundTrip(std::numeric_limits<int8_t>::min()) == std::numeric_limits<int8_t>::min());
  CHECK(RoundTrip(0.1) == 0.1);
  CHECK(ValueOf(FromJson<double>("3")) == 3.0);
  CHECK(RoundTrip(std::string("caf\xc3\xa9 \"q\" \\ \n \x01")) == "caf\xc3\xa9 \"q\" \\ \n \x01");
  CHECK(RoundTrip(std::string("a\0b", 3)) == std::string("a\0b", 3));
  CHECK(RoundTrip(std::string()).empty());
  const std::string large(100'000, 'x');
  CHECK(RoundTrip(large) == large);
}

TEST_CASE("An integer that does not fit its type is refused, never cut", "[conduit][message]") {
  CHECK(Refusal<int8_t>("128") == "$: 128 is out of range");
  CHECK(Refusal<uint32_t>("-1") == "$: -1 is out of range");
  CHECK(Refusal<int64_t>("9223372036854775808") == "$: 9223372036854775808 is out of range");
  CHECK(Refusal<int64_t>("18446744073709551616") == "$: expected integer, got number");
  CHECK(Refusal<uint64_t>("-1") == "$: -1 is out of range");
  CHECK(Refusal<uint8_t>("18446744073709551615") == "$: 18446744073709551615 is out of range");
  CHECK(Refusal<int>("1.0") == "$: expected integer, got number");
}

TEST_CASE("Numbers that JSON does not have come back the same", "[conduit][message]") {
  using Limits = std::numeric_limits<double>;
  CHECK(ToJson(Limits::quiet_NaN()) == R"("NaN")");
  CHECK(std::isnan(RoundTrip(Limits::quiet_NaN())));
  CHECK(RoundTrip(Limits::infinity()) == Limits::infinity());
  CHECK(RoundTrip(-Limits::infinity()) == -Limits::infinity());
  CHECK(Refusal<double>(R"("1")") == "$: expected number, got string");
  CHECK(Refusal<double>("null") == "$: expected number, got null");
}

TEST_CASE("A list of booleans comes back the same", "[conduit][message]") {
  const std::vector<bool> bits = {true, false, true};
  CHECK(RoundTrip(bits) == bits);
}

TEST_CASE("A list takes no more memory than its elements deserve", "[conduit][message]") {
  struct Huge {
    std::array<char, 1 << 20> room = {};
    int number = 0;
    static constexpr auto Fields() { return std::make_tuple(Required("number", &Huge::number)); }
  };
  // Room for all of them at once would be 100 gigabytes.
  std::string text = "[1";
  for (int i = 1; i < 100'000; ++i) text += ",1";
  CHECK(Refusal<std::vector<Huge>>(text + "]") == "$[0]: expected object, got integer");
}

TEST_CASE("Values are as large as the limit of a text", "[conduit][message]") {
  const std::string large(size_t{40} << 20, 'x');
  CHECK(RoundTrip(large) == large);
  std::vector<std::string> many(100'000, std::string(100, 'y'));
  CHECK(RoundTrip(many) == many);
  CHECK(FromJson<std::string>(ToJson(large), {.max_bytes = large.size()}).status().code() ==
        absl::StatusCode::kResourceExhausted);
}

TEST_CASE("A structure may hold itself, as deep as JSON goes", "[conduit][message]") {
  Folder tree{.name = "root", .children = {}, .links = {{"x", {.name = "linked"}}}};
  for (int depth = 0; depth < 25; ++depth) {
    tree = Folder{.name = "parent", .children = {tree, {.name = "leaf"}}, .links = {}};
  }
  CHECK(RoundTrip(tree) == tree);
  for (int depth = 0; depth < 25; ++depth)
    tree = Folder{.name = "p", .children = {tree}, .links = {}};
  CHECK(FromJson<Folder>(ToJson(tree)).status().code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("A variant says which of its cases it is", "[conduit][message]") {
  CHECK(ToJson(Shape(Square{2})) == R"({"square":{"side":2.0}})");
  CHECK(RoundTrip(Shape(Circle{0.5})) == Shape(Circle{0.5}));
  CHECK(Refusal<Shape>("{}") == "$: holds none of 'circle', 'square'");
  CHECK(Refusal<Shape>(R"({"hexagon":{}})") == "$: holds none of 'circle', 'square'");
  CHECK(Refusal<Shape>(R"({"circle":{"radius":1},"square":{"side":1}})") ==
        "$: holds both 'circle' and 'square'");
  CHECK(Refusal<Shape>(R"({"circle":{}})") == "$.circle.radius: is missing");
  CHECK(Refusal<Shape>("[]") == "$: expected object, got array");
}

TEST_CASE("A variant with a place for nothing takes cases that it does not know",
          "[conduit][message]") {
  CHECK(ToJson(MaybeShape()) == "{}");
  CHECK(RoundTrip(MaybeShape()) == MaybeShape());
  CHECK(RoundTrip(MaybeShape(Circle{1})) == MaybeShape(Circle{1}));
  CHECK(ValueOf(FromJson<MaybeShape>(R"({"hexagon":{"n":6}})")) == MaybeShape());
  CHECK(Refusal<MaybeShape>(R"({"circle":1})") == "$.circle: expected object, got integer");
}

TEST_CASE("Bytes of any kind come back the same", "[conduit][message]") {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  for (size_t size = 0; size <= all.size(); ++size) {
    CHECK(RoundTrip(Bytes{all.substr(all.size() - size)}).data == all.substr(all.size() - size));
  }
  std::string large;
  while (large.size() < 9'000'001) large += all;  // Beyond one piece of base64.
  CHECK(RoundTrip(Bytes{large}).data == large);
  CHECK(ToJson(Bytes{"text"}) == R"("text")");
  CHECK(ToJson(Bytes{"\xff"}) == R"({"base64":"/w=="})");
}

TEST_CASE("Base64 that is not in the one right form is refused", "[conduit][message]") {
  for (const char* text :
       {"/w=", "/w", "/x==", "_w==", "/w==/w==", " /w==", "/w==\\n", "=", "===="}) {
    CAPTURE(text);
    CHECK(Refusal<Bytes>(std::string(R"({"base64":")") + text + "\"}") ==
          "$.base64: is not base64 with padding");
  }
  CHECK(Refusal<Bytes>("1") == "$: expected string or {\"base64\"}, got integer");
  CHECK(Refusal<Bytes>("{}") == "$: expected string or {\"base64\"}, got object");
  CHECK(Refusal<Bytes>(R"({"base64":1})") == "$.base64: expected string, got integer");
  CHECK(ValueOf(FromJson<Bytes>(R"({"base64":""})")).data.empty());
}

TEST_CASE("Times keep their microseconds and are understood from every zone",
          "[conduit][message]") {
  const absl::Time time = absl::FromUnixMicros(1'700'000'000'123'456);
  CHECK(ToJson(time) == R"("2023-11-14T22:13:20.123456Z")");
  CHECK(RoundTrip(time) == time);
  CHECK(RoundTrip(absl::InfiniteFuture()) == absl::InfiniteFuture());
  CHECK(RoundTrip(absl::InfinitePast()) == absl::InfinitePast());
  CHECK(RoundTrip(absl::FromUnixMicros(-1)) == absl::FromUnixMicros(-1));
  CHECK(ValueOf(FromJson<absl::Time>(R"("2023-11-15T00:13:20+02:00")")) ==
        absl::FromUnixSeconds(1'700'000'000));
  CHECK(Refusal<absl::Time>(R"("yesterday")") == "$: 'yesterday' is not an RFC 3339 time");
  CHECK(Refusal<absl::Time>("1") == "$: expected string, got integer");
  CHECK(RoundTrip(absl::Milliseconds(-1500)) == absl::Milliseconds(-1500));
  CHECK(ToJson(absl::Seconds(2)) == "2000");
  CHECK(RoundTrip(absl::InfiniteDuration()) == absl::InfiniteDuration());
  CHECK(RoundTrip(-absl::InfiniteDuration()) == -absl::InfiniteDuration());
  CHECK(Refusal<absl::Duration>("9223372036854775808") == "$: 9223372036854775808 is out of range");
  CHECK(Refusal<absl::Duration>("1.5") == "$: expected integer, got number");
}

TEST_CASE("Enumerators travel by their names", "[conduit][message]") {
  CHECK(ToJson(Access::kReadWrite) == R"("read-write")");
  CHECK(RoundTrip(Access::kRead) == Access::kRead);
  CHECK(Refusal<Access>(R"("write")") == "$: unknown name 'write' (known: read, read-write)");
  CHECK(Refusal<Access>("0") == "$: expected string, got integer");
  CHECK(EnumFromName<Access>("read") == Access::kRead);
  CHECK(EnumName(static_cast<Access>(9)).empty());
}

TEST_CASE("An enumeration with a value for the unknown takes names that peers add",
          "[conduit][message]") {
  CHECK(RoundTrip(Color::kRed) == Color::kRed);
  CHECK(ValueOf(FromJson<Color>(R"("mauve")")) == Color::kOther);
  CHECK(Refusal<Color>("1") == "$: expected string, got integer");
}

TEST_CASE("Structures, lists, maps and optionals nest", "[conduit][message]") {
  const Outer full{.small = -3,
                   .access = Access::kReadWrite,
                   .maybe = Inner{"m", {}},
                   .list = {{"l1", {1, 2}}, {"l2", {}}},
                   .map = {{"", {"e", {}}}, {"k.[\"", {"v", {3}}}}};
  CHECK(RoundTrip(full) == full);
  CHECK(RoundTrip(Outer{}) == Outer{});
  using Tuple = std::tuple<int, std::optional<std::string>, std::vector<double>>;
  const Tuple tuple(1, std::nullopt, {0.5});
  CHECK(RoundTrip(tuple) == tuple);
  CHECK(ToJson(tuple) == "[1,null,[0.5]]");
}

TEST_CASE("Fields may be missing or unknown as the declaration says", "[conduit][message]") {
  CHECK(ValueOf(FromJson<Outer>("{}")) == Outer{});
  CHECK(ValueOf(FromJson<Outer>(R"({"small":null,"later":{"x":[1]}})")) == Outer{});
  CHECK(Refusal<Inner>("{}") == "$.name: is missing");
  CHECK(Refusal<Inner>(R"({"name":null})") == "$.name: expected string, got null");
  CHECK(Refusal<Inner>("[]") == "$: expected object, got array");
}

TEST_CASE("A tuple may lack optional elements at its end", "[conduit][message]") {
  using Tuple = std::tuple<int, std::optional<std::string>>;
  CHECK(ValueOf(FromJson<Tuple>("[1]")) == Tuple(1, std::nullopt));
  CHECK(ValueOf(FromJson<Tuple>(R"([1,"x","from the future"])")) == Tuple(1, "x"));
  CHECK(Refusal<Tuple>("[]") == "$[0]: is missing");
  CHECK(Refusal<Tuple>(R"([1,2])") == "$[1]: expected string, got integer");
  CHECK(Refusal<Tuple>("{}") == "$: expected array, got object");
}

TEST_CASE("An error names the place of the value at fault", "[conduit][message]") {
  CHECK(Refusal<Outer>(R"({"maybe":{"name":"n","numbers":[1,"2"]}})") ==
        "$.maybe.numbers[1]: expected integer, got string");
  CHECK(Refusal<Outer>(R"({"list":[{"name":"n"},{}]})") == "$.list[1].name: is missing");
  CHECK(Refusal<Outer>(R"({"map":{"k":{"name":1}}})") ==
        "$.map.k.name: expected string, got integer");
  CHECK(Refusal<Outer>(R"({"small":1000})") == "$.small: 1000 is out of range");
  CHECK(Refusal<Outer>(R"({"access":"none"})") ==
        "$.access: unknown name 'none' (known: read, read-write)");
}

}  // namespace podkit::conduit
