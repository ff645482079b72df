#include <cctype>
#include <fstream>

#include "servers/common/settings.h"
#include "servers/podd/config.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using testing::TempDir;
using testing::ValueOf;

TEST_CASE("podd's flags are the members of its configuration file", "[podd][config]") {
  const std::string help = *ValueOf(ParseCommandLine({"--help"})).answer;
  std::apply(
      [&](const auto&... field) {
        const auto check = [&](std::string_view name) {
          std::string flag = "--" + std::string(name);
          for (char& c : flag) c = c == '_' ? '-' : c;
          CHECK_THAT(help, Catch::Contains(flag + " "));
        };
        (check(field.name), ...);
      },
      PoddSettings::Fields());
}

TEST_CASE("podd starts with defaults where nothing is said", "[podd][config]") {
  const PoddConfig config = ValueOf(CheckSettings({}));
  CHECK(config.pod == "A");
  CHECK(config.url() == "http://127.0.0.1:8201");
  CHECK(config.data == "podkit-data");
  CHECK(config.token_file == "podkit-data/operator.token");
  CHECK(config.pods_file.empty());
  CHECK(config.users_file.empty());
}

TEST_CASE("A flag of podd goes before the configuration file", "[podd][config]") {
  const TempDir folder;
  std::ofstream(folder.File("podd.json"))
      << R"({"pod": "B", "listen": "[::1]:99", "data": "d", "token_file": "/etc/t", "threads": 3})";
  const auto line = ValueOf(ParseCommandLine({"--pod", "C", "--threads=5", "--data", "here"}));
  const auto file = ValueOf(ReadSettings(folder.File("podd.json")));
  const PoddConfig config = ValueOf(CheckSettings(MergeSettings(line.settings, file)));
  CHECK(config.pod == "C");
  CHECK(config.threads == 5);
  CHECK(config.data == "here");
  CHECK(config.url() == "http://[::1]:99");
  CHECK(config.token_file == "/etc/t");
  CHECK(ValueOf(CheckSettings(file)).data == folder.File("d"));
}

TEST_CASE("podd speaks https when it has a certificate", "[podd][config]") {
  PoddSettings settings{.tls_certificate_file = "c.pem", .tls_key_file = "k.pem"};
  CHECK(ValueOf(CheckSettings(settings)).url() == "https://127.0.0.1:8201");
  settings.tls_key_file.reset();
  CHECK(CheckSettings(settings).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("podd calls over HTTP unless it is told to use links", "[podd][config]") {
  CHECK_FALSE(ValueOf(CheckSettings({})).calls_over_links);
  CHECK(ValueOf(CheckSettings({.transport = "links"})).calls_over_links);
  const absl::Status wrong = CheckSettings({.transport = "pigeons"}).status();
  CHECK(wrong.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(wrong.message()), Catch::Contains("'pigeons' is not http or links"));
}

}  // namespace
}  // namespace podkit::servers
