#include "podkit/conduit/message.h"

#include <limits>

#include "tests/support/catch.h"

namespace podkit::conduit {

enum class Access { kRead, kReadWrite };

template <>
struct EnumNames<Access> {
  static constexpr std::array kNames = {
      std::pair{Access::kRead, std::string_view("read")},
      std::pair{Access::kReadWrite, std::string_view("read-write")}};
};

namespace {

using testing::ValueOf;

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
  CHECK(Refusal<int64_t>("9223372036854775808") == "$: expected integer, got number");
  CHECK(Refusal<int>("1.0") == "$: expected integer, got number");
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
}

TEST_CASE("Enumerators travel by their names", "[conduit][message]") {
  CHECK(ToJson(Access::kReadWrite) == R"("read-write")");
  CHECK(RoundTrip(Access::kRead) == Access::kRead);
  CHECK(Refusal<Access>(R"("write")") == "$: unknown name 'write'");
  CHECK(Refusal<Access>("0") == "$: expected string, got integer");
  CHECK(EnumFromName<Access>("read") == Access::kRead);
  CHECK(EnumName(static_cast<Access>(9)).empty());
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
  CHECK(Refusal<Outer>(R"({"access":"none"})") == "$.access: unknown name 'none'");
}

}  // namespace podkit::conduit
