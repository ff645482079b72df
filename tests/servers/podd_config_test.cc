#include <fstream>

#include "servers/podd/config.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using testing::TempDir;
using testing::ValueOf;

absl::StatusOr<PoddConfig> Configure(const std::vector<std::string>& arguments) {
  PODKIT_ASSIGN_OR_RETURN(auto line, ParseCommandLine(kPodd, arguments));
  return std::move(line.config);
}

TEST_CASE("podd starts with defaults where nothing is said", "[podd][config]") {
  const PoddConfig config = ValueOf(Configure({}));
  CHECK(config.pod == "A");
  CHECK(config.url() == "http://127.0.0.1:8201");
  CHECK(config.data == "podkit-data");
  CHECK(config.token_file == "podkit-data/operator.token");
  CHECK(config.pods_file.empty());
  CHECK(config.users_file.empty());
  CHECK(config.threads == 8);
}

TEST_CASE("--help of podd shows the defaults that count", "[podd][config]") {
  const std::string help = *ValueOf(ParseCommandLine(kPodd, {"--help"})).answer;
  for (const char* text : {"[127.0.0.1:8201]", "[podkit-data]", "[4096]", "[8]", "[info]"}) {
    CHECK_THAT(help, Catch::Contains(text));
  }
}

TEST_CASE("A flag of podd goes before the configuration file", "[podd][config]") {
  const TempDir folder;
  const std::string file = folder.File("podd.json");
  std::ofstream(file)
      << R"({"pod": "B", "listen": "[::1]:99", "data": "d", "token_file": "/etc/t", "threads": 3})";
  const PoddConfig config =
      ValueOf(Configure({"--config", file, "--pod", "C", "--threads=5", "--data", "here"}));
  CHECK(config.pod == "C");
  CHECK(config.threads == 5);
  CHECK(config.data == "here");
  CHECK(config.url() == "http://[::1]:99");
  CHECK(config.token_file == "/etc/t");
  CHECK(ValueOf(Configure({"--config", file})).data == folder.File("d"));
}

TEST_CASE("podd records what it is asked only where it is told to", "[podd][config]") {
  CHECK(ValueOf(Configure({})).record.empty());
  CHECK(ValueOf(Configure({"--record", "calls.rec"})).record == "calls.rec");
}

TEST_CASE("podd takes what attachments may be", "[podd][config]") {
  const auto defaults = ValueOf(Configure({})).store;
  CHECK(defaults.attachment_uri == "podkit:/attachments");
  CHECK(defaults.max_attachment_bytes == 100 << 20);
  CHECK(defaults.max_attachments_per_object == 100);
  CHECK(defaults.attachment_quota == 1 << 30);
  const auto store =
      ValueOf(Configure({"--attachment-uri", "https://cal.example/files", "--max-attachment-bytes",
                         "5000000000", "--max-attachments", "3", "--attachment-quota", "0"}))
          .store;
  CHECK(store.attachment_uri == "https://cal.example/files");
  CHECK(store.max_attachment_bytes == 5'000'000'000);
  CHECK(store.max_attachments_per_object == 3);
  CHECK(store.attachment_quota == 0);
}

TEST_CASE("podd speaks https when it has a certificate", "[podd][config]") {
  CHECK(ValueOf(Configure({"--tls-certificate-file", "c.pem", "--tls-key-file", "k.pem"})).url() ==
        "https://127.0.0.1:8201");
  CHECK(Configure({"--tls-certificate-file", "c.pem"}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("podd finds hosts only for pods whose keys it has", "[podd][config]") {
  CHECK(Configure({"--hosts-from", "hosts.json"}).status() ==
        absl::InvalidArgumentError("--hosts-from: needs --pods-file, which has the keys"));
  CHECK(Configure({"--hosts-from", "hosts.json", "--pods-file", "pods.json"}).ok());
}

TEST_CASE("podd calls over HTTP unless it is told to use links", "[podd][config]") {
  const auto ways = [](const std::vector<std::string>& flags) {
    const PoddConfig config = ValueOf(Configure(flags));
    return std::pair(config.calls_over_links, config.calls_over_http);
  };
  CHECK(ways({}) == std::pair(false, true));
  CHECK(ways({"--transport", "http"}) == std::pair(false, true));
  CHECK(ways({"--transport", "links"}) == std::pair(true, false));
  CHECK(ways({"--transport", "links-or-http"}) == std::pair(true, true));
  const absl::Status wrong = Configure({"--transport", "pigeons"}).status();
  CHECK(wrong.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(wrong.message()),
             Catch::Contains("'pigeons' is not http, links or links-or-http"));
}

}  // namespace
}  // namespace podkit::servers
