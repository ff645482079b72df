// The golden files of what the store says to other pods: every remote action, and what stores tell
// each other of shares and changes.
#include "podkit/conduit/testing/golden.h"

#include <cstdlib>

#include "changes/change_notifier.h"
#include "external/remote_actions.h"
#include "messages/message.h"
#include "sharing/share_sides.h"
#include "tests/support/catch.h"

namespace podkit::store {
namespace {

using conduit::testing::GoldenOf;

template <typename... Actions>
std::vector<conduit::testing::GoldenCommand> GoldenCommands(ActionTable<Actions...>) {
  return {GoldenOf<Actions>()..., GoldenOf<DeliverMessage>(), GoldenOf<CollectionChanged>(),
          GoldenOf<CompareShares>()};
}

}  // namespace

// Set PODKIT_WRITE_GOLDEN=1 to have new versions written.
TEST_CASE("Released actions of the store work between all versions", "[store][golden]") {
  const auto commands = GoldenCommands(RemoteActions());
  const auto report = conduit::testing::CheckGolden(
      {.directory = PODKIT_GOLDEN,
       .how_to_write = "PODKIT_WRITE_GOLDEN=1 build/dev/tests/store/store_test '[golden]'",
       .write = std::getenv("PODKIT_WRITE_GOLDEN") != nullptr},
      commands);
  for (const std::string& problem : report.problems) FAIL_CHECK(problem);
  CHECK(commands.size() > 35);
  CHECK(report.versions >= static_cast<int>(commands.size()));
  CHECK(report.frames > 1000);
}

}  // namespace podkit::store
