#include <set>
#include <string>

#include "hash.h"
#include "ids.h"
#include "podkit/store/home_child.h"
#include "podkit/store/user_directory.h"
#include "tests/support/catch.h"

namespace podkit::store {

TEST_CASE("A name is one path segment", "[store][names]") {
  CHECK(IsValidName("event.ics"));
  CHECK(IsValidName("with space & \"quotes\""));
  CHECK(IsValidName("caf\xc3\xa9.ics"));
  CHECK(IsValidName(std::string(255, 'a')));
  CHECK_FALSE(IsValidName(std::string(256, 'a')));
  CHECK_FALSE(IsValidName(""));
  CHECK_FALSE(IsValidName("."));
  CHECK_FALSE(IsValidName(".."));
  CHECK_FALSE(IsValidName(".hidden"));
  CHECK_FALSE(IsValidName("a/b"));
  CHECK_FALSE(IsValidName("a\nb"));
  CHECK_FALSE(IsValidName(std::string("a\0b", 3)));
  CHECK_FALSE(IsValidName("a\x7f"));
  CHECK_FALSE(IsValidName("a\xc2\x85"));
  CHECK(IsValidName("a\xc2\xa0"));
  CHECK_FALSE(IsValidName("\xff\xfe"));
}

TEST_CASE("A uid holds letters, digits and a few signs", "[store][names]") {
  CHECK(IsValidUid("ann"));
  CHECK(IsValidUid("Ann.Lee+test_1@example.com"));
  CHECK(IsValidUid("-"));
  CHECK(IsValidUid(std::string(128, 'a')));
  CHECK_FALSE(IsValidUid(std::string(129, 'a')));
  CHECK_FALSE(IsValidUid(""));
  CHECK_FALSE(IsValidUid(".ann"));
  CHECK_FALSE(IsValidUid("a/b"));
  CHECK_FALSE(IsValidUid("a b"));
  CHECK_FALSE(IsValidUid("\xc3\xa4nn"));
  CHECK_FALSE(IsValidUid(std::string("a\0b", 3)));
}

TEST_CASE("An id is a random UUID of version 4", "[store][names]") {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewId();
    REQUIRE(id.size() == 36);
    CHECK(id.find_first_not_of("0123456789abcdef-") == std::string::npos);
    CHECK((id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-'));
    CHECK(id[14] == '4');
    CHECK(std::string("89ab").find(id[19]) != std::string::npos);
    ids.insert(id);
  }
  CHECK(ids.size() == 1000);
}

TEST_CASE("Sha256Hex gives the known digests", "[store][names]") {
  CHECK(Sha256Hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace podkit::store
