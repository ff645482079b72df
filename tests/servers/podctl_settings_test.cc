#include <cstdlib>
#include <fstream>

#include "servers/podctl/errors.h"
#include "servers/podctl/settings.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::podctl {
namespace {

using testing::TempDir;
using testing::ValueOf;

TEST_CASE("podctl's paths are relative to its configuration", "[podctl][settings]") {
  const TempDir folder;
  const std::string path = folder.File("podctl.json");
  std::ofstream(path) << R"({"pods": [
      {"id": "A", "url": "http://127.0.0.1:1", "token_file": "A/token"},
      {"id": "B", "url": "https://b:2", "token_file": "/etc/b", "ca_file": "ca.pem"}]})";
  const Settings settings = ValueOf(LoadSettings(path));
  CHECK(ValueOf(ChoosePod(settings, "")).id == "A");
  CHECK(ValueOf(ChoosePod(settings, "")).token_file == folder.File("A/token"));
  CHECK(ValueOf(ChoosePod(settings, "")).ca_file.empty());
  CHECK(ValueOf(ChoosePod(settings, "B")).token_file == "/etc/b");
  CHECK(ValueOf(ChoosePod(settings, "B")).ca_file == folder.File("ca.pem"));
  CHECK(ExitCode(ChoosePod(settings, "C").status()) == 2);
}

TEST_CASE("podctl looks for its configuration where it is told to", "[podctl][settings]") {
  CHECK(SettingsPath("given.json") == "given.json");
  setenv("PODCTL_CONFIG", "named.json", 1);
  CHECK(SettingsPath("given.json") == "given.json");
  CHECK(SettingsPath("") == "named.json");
  unsetenv("PODCTL_CONFIG");
  CHECK_THAT(SettingsPath(""), Catch::EndsWith("podctl.json"));
}

}  // namespace
}  // namespace podkit::podctl
