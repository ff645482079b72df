#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "servers/podctl/errors.h"
#include "servers/podctl/settings.h"
#include "tests/support/catch.h"
#include "tests/support/shell.h"
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

TEST_CASE("podctl refuses a configuration that it would misread", "[podctl][settings]") {
  const TempDir folder;
  const std::string path = folder.File("podctl.json");
  const auto refusal = [&](const std::string& text) {
    std::ofstream(path) << text;
    const absl::Status status = LoadSettings(path).status();
    CHECK(ExitCode(status) == 2);
    return std::string(status.message());
  };
  const std::string begin = "configuration '" + path + "': ";
  CHECK(refusal(R"({"pods": [], "gatewys": []})") ==
        begin + "$.gatewys: is not a known member; there are pods, gateways");
  CHECK(
      refusal(R"({"pods": [{"id": "A", "url": "http://a:1", "token_file": "t", "cafile": ""}]})") ==
      begin + "$.pods[0].cafile: is not a known member; there are id, url, token_file, ca_file");
  for (const char* url :
       {"http://a:1/", "http://a:1/x", "a:1", "ftp://a:1", "http://", "http://:1",
        "http://a:", "http://a:0", "http://a:70000", "http://u@a:1", "http://[::1"}) {
    CHECK(refusal(
              fmt::format(R"({{"pods": [{{"id": "A", "url": "{}", "token_file": "t"}}]}})", url)) ==
          begin + fmt::format("pod 'A': url: '{}' is not scheme://host:port", url));
  }
  for (const char* url :
       {"http://a:1", "https://a.b", "http://[::1]:80", "https://127.0.0.1:65535"}) {
    std::ofstream(path) << fmt::format(
        R"({{"pods": [{{"id": "A", "url": "{}", "token_file": "t"}}]}})", url);
    CHECK(LoadSettings(path).status() == absl::OkStatus());
  }
  CHECK(ExitCode(CheckCaFile("pod", "A", folder.File("no.pem"))) == 2);
  CHECK_THAT(std::string(CheckCaFile("pod", "A", folder.File("no.pem")).message()),
             Catch::StartsWith("pod 'A': ca_file: ") && Catch::Contains("no.pem"));
  CHECK(CheckCaFile("pod", "A", "") == absl::OkStatus());
  const std::string ca = folder.File("ca.pem");
  std::ofstream(ca) << "rubbish";
  CHECK(CheckCaFile("gateway", "g1", ca).message() ==
        "gateway 'g1': ca_file: '" + ca + "' holds no certificate in PEM form");
  testing::ShellOutput(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
      "-subj /CN=ca -keyout /dev/null -out " +
      ca + " 2>&1");
  CHECK(CheckCaFile("pod", "A", ca) == absl::OkStatus());
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
