#include "common/text.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace podkit {
namespace {

TEST_CASE("TrimSpace cuts blanks at both ends only", "[common][text]") {
  CHECK(TrimSpace(" \t a b\r\n") == "a b");
  CHECK(TrimSpace("a") == "a");
  CHECK(TrimSpace(" \t\r\n").empty());
  CHECK(TrimSpace("").empty());
}

TEST_CASE("EqualsIgnoreCase knows the letters of ASCII only", "[common][text]") {
  CHECK(EqualsIgnoreCase("Content-Type", "content-tYPE"));
  CHECK_FALSE(EqualsIgnoreCase("a", "ab"));
  CHECK_FALSE(EqualsIgnoreCase("@[", "`{"));
  CHECK_FALSE(EqualsIgnoreCase("\xc3\x84", "\xc3\xa4"));
}

TEST_CASE("SplitText keeps empty parts", "[common][text]") {
  CHECK(SplitText("a,,b,", ',') == std::vector<std::string_view>{"a", "", "b", ""});
  CHECK(SplitText("a", ',') == std::vector<std::string_view>{"a"});
  CHECK(SplitText("", ',') == std::vector<std::string_view>{""});
}

TEST_CASE("ParseNumber takes the whole text or nothing", "[common][text]") {
  CHECK(ParseNumber("42") == 42);
  CHECK(ParseNumber("-42") == -42);
  for (const char* const text :
       {"", " 1", "1 ", "+1", "1x", "0x10", "1.0", "9223372036854775808"}) {
    INFO("text: '" << text << "'");
    CHECK_FALSE(ParseNumber(text).has_value());
  }
  CHECK(ParseNumber("9223372036854775807") == std::numeric_limits<int64_t>::max());
  CHECK(ParseNumber<uint16_t>("65535") == 65535);
  CHECK_FALSE(ParseNumber<uint16_t>("65536").has_value());
  CHECK_FALSE(ParseNumber<uint16_t>("-1").has_value());
}

TEST_CASE("HexEncode writes two lower-case digits for every byte", "[common][text]") {
  CHECK(HexEncode(std::string_view("\x00\x0f\xa0\xff", 4)) == "000fa0ff");
  CHECK(HexEncode("").empty());
}

}  // namespace
}  // namespace podkit
