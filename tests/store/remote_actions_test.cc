// The table of remote actions against its documentation.
#include "external/remote_actions.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace podkit::testing {
namespace {

template <typename... Actions>
std::vector<std::string> NamesOf(store::ActionTable<Actions...>) {
  return {std::string(Actions::kInfo.name)...};
}

TEST_CASE("Every remote action is documented", "[store][remote]") {
  std::ifstream file(PODKIT_TEST_DATA "/../../docs/remote-store-api.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::vector<std::string> names = NamesOf(store::RemoteActions());
  REQUIRE(names.size() > 30);
  for (const std::string& name : names) {
    INFO(name);
    CHECK(text.str().find("| `" + name + "` |") != std::string::npos);
  }
}

}  // namespace
}  // namespace podkit::testing
