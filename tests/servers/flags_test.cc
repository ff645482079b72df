#include "servers/common/flags.h"

#include <fstream>

#include "servers/common/program.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using testing::TempDir;
using testing::ValueOf;

struct Settings {
  std::optional<std::string> name;
  std::optional<std::string> key_file;
  std::optional<std::string> hosts_from;
  std::optional<int64_t> threads;

  std::vector<Flag> Flags() {
    return {{"name", &name, "ID", "Who this is [x]"},
            {"key-file", &key_file, kFile, "The key [none]"},
            {"hosts-from", &hosts_from, kFileOrUrl, "Where the hosts are [nowhere]"},
            {"threads", &threads, kNumber, "At a time [8]"}};
  }
};

constexpr ProgramText kText = {
    .name = "served", .description = "served serves.", .footer = "End.\n"};

absl::Status Read(const TempDir& folder, std::string_view text, Settings* settings) {
  std::ofstream(folder.File("served.json")) << text;
  return ReadConfigFile(kText, folder.File("served.json"), settings->Flags());
}

TEST_CASE("A flag sets its setting and leaves the others open", "[servers][flags]") {
  Settings settings;
  const Invocation said =
      ValueOf(ParseFlags(kText, settings.Flags(),
                         {"--name", "b", "--threads=5", "--key-file", "k", "--config", "c.json"}));
  CHECK(settings.name == "b");
  CHECK(settings.threads == 5);
  CHECK(settings.key_file == "k");
  CHECK_FALSE(settings.hosts_from.has_value());
  CHECK(said.config_file == "c.json");
  CHECK_FALSE(said.check_config);
  CHECK_FALSE(said.answer.has_value());
}

TEST_CASE("--help shows every flag with what it takes", "[servers][flags]") {
  Settings settings;
  const std::string help = *ValueOf(ParseFlags(kText, settings.Flags(), {"--help"})).answer;
  for (const char* line : {"served serves.", "--config FILE", "--check-config", "--name ID",
                           "--hosts-from FILE|URL", "--threads N", "At a time [8]", "End."}) {
    CHECK_THAT(help, Catch::Contains(line));
  }
}

TEST_CASE("A flag that does not exist is refused, with a hint", "[servers][flags]") {
  Settings settings;
  const auto said = ParseFlags(kText, settings.Flags(), {"--nmae", "b"});
  CHECK(said.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(said.status().message()),
             Catch::Contains("--nmae") && Catch::EndsWith("; served --help lists the flags"));
}

TEST_CASE("An empty value is refused, not taken for none", "[servers][flags]") {
  const TempDir folder;
  Settings settings;
  const auto refusal = [&](const std::vector<std::string>& arguments) {
    const auto said = ParseFlags(kText, settings.Flags(), arguments);
    CHECK(said.status().code() == absl::StatusCode::kInvalidArgument);
    return std::string(said.status().message());
  };
  const std::string rest = ": give a value, or leave the flag out; served --help lists the flags";
  CHECK(refusal({"--name", ""}) == "--name" + rest);
  CHECK(refusal({"--name=", "b"}) == "--name" + rest);
  CHECK(refusal({"--threads", ""}) == "--threads" + rest);
  CHECK(refusal({"--key-file="}) == "--key-file" + rest);
  CHECK(refusal({"--config", ""}) == "--config" + rest);
  CHECK(refusal({"--config=", "--check-config"}) == "--config" + rest);
  CHECK_THAT(std::string(Read(folder, R"({"key_file": ""})", &settings).message()),
             Catch::EndsWith("$.key_file: give a value, or leave the member out"));
}

TEST_CASE("The configuration file sets what no flag has set", "[servers][flags]") {
  const TempDir folder;
  Settings settings{.name = "b"};
  CHECK(Read(folder, R"({"name": "a", "threads": 3, "key_file": null})", &settings).ok());
  CHECK(settings.name == "b");
  CHECK(settings.threads == 3);
  CHECK_FALSE(settings.key_file.has_value());
}

TEST_CASE("Paths of the configuration file are relative to its folder", "[servers][flags]") {
  const TempDir folder;
  Settings settings;
  CHECK(
      Read(folder, R"({"name": "a", "key_file": "keys/k", "hosts_from": "hosts.json"})", &settings)
          .ok());
  CHECK(settings.name == "a");
  CHECK(settings.key_file == folder.File("keys/k"));
  CHECK(settings.hosts_from == folder.File("hosts.json"));
  Settings others{.key_file = "here"};
  CHECK(Read(folder, R"({"key_file": "k", "hosts_from": "https://h/x"})", &others).ok());
  CHECK(others.key_file == "here");
  CHECK(others.hosts_from == "https://h/x");
}

TEST_CASE("A wrong member of the configuration file is named, used or not", "[servers][flags]") {
  const TempDir folder;
  Settings settings{.threads = 1};
  const auto says = [&](std::string_view text, const char* what) {
    const absl::Status status = Read(folder, text, &settings);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(std::string(status.message()),
               Catch::StartsWith("configuration '" + folder.File("served.json") + "': ") &&
                   Catch::Contains(what));
  };
  says(R"({"threads": "3"})", "$.threads: expected integer, got string");
  says(R"({"key-file": "k"})", "there is no member 'key-file'; served --help lists them");
  says("[]", "expected object, got array");
  says("{", "JSON");
}

TEST_CASE("A command line is checked as a whole", "[servers][flags]") {
  static constexpr Program<Settings, int> kProgram = {
      .text = kText,
      .flags = [](Settings* settings) { return settings->Flags(); },
      .check = [](const Settings& settings) -> absl::StatusOr<int> {
        if (settings.threads == 0) return WrongFlag("threads", "at least 1");
        return static_cast<int>(settings.threads.value_or(8));
      }};
  const TempDir folder;
  const std::string file = folder.File("served.json");
  std::ofstream(file) << R"({"threads": 3})";
  CHECK(ValueOf(ParseCommandLine(kProgram, {})).config == 8);
  CHECK(ValueOf(ParseCommandLine(kProgram, {"--config", file})).config == 3);
  CHECK(ValueOf(ParseCommandLine(kProgram, {"--config", file, "--threads", "5"})).config == 5);
  CHECK(ValueOf(ParseCommandLine(kProgram, {"--check-config"})).check_config);
  CHECK(ValueOf(ParseCommandLine(kProgram, {"--version"})).answer->starts_with("served "));
  CHECK(ParseCommandLine(kProgram, {"--threads", "0"}).status().message() ==
        "--threads: at least 1");
  CHECK(ParseCommandLine(kProgram, {"--config", "none"}).status().code() ==
        absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace podkit::servers
