#include "servers/common/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <type_traits>
#include <utility>

#include "common/status_macros.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"
#include "servers/common/files.h"
#include "servers/common/option_values.h"
#include "servers/common/version.h"

namespace podkit::servers {
namespace {

constexpr size_t kMaxConfigBytes = size_t{1} << 20;

std::string MemberName(std::string_view flag) {
  std::string name(flag);
  std::ranges::replace(name, '-', '_');
  return name;
}

bool NamesAPath(const Flag& flag, std::string_view value) {
  const bool path = flag.takes == kFile || flag.takes == kFolder || flag.takes == kFileOrUrl;
  return path && value.find("://") == std::string_view::npos;
}

// Checks the member of a flag, and takes it unless the flag was given.
template <typename T>
absl::Status TakeMember(const conduit::JsonValue& json, const std::string& folder, const Flag& flag,
                        std::optional<T>* value) {
  std::optional<T> read;
  PODKIT_RETURN_IF_ERROR(conduit::Codec<std::optional<T>>::Decode(json, &read));
  if constexpr (std::is_same_v<T, std::string>) {
    if (read && read->empty()) {
      return absl::InvalidArgumentError("$: give a value, or leave the member out");
    }
  }
  if (*value || !read) return absl::OkStatus();
  if constexpr (std::is_same_v<T, std::string>) {
    if (NamesAPath(flag, *read)) read = ResolvePath(folder, *read);
  }
  *value = std::move(read);
  return absl::OkStatus();
}

absl::Status TakeMembers(const ProgramText& program, const conduit::JsonValue& object,
                         const std::string& folder, const std::vector<Flag>& flags) {
  if (object.kind() != conduit::JsonValue::Kind::kObject) {
    return absl::InvalidArgumentError(
        fmt::format("$: expected object, got {}", object.kind_name()));
  }
  for (size_t i = 0; i < object.size(); ++i) {
    const auto [name, value] = object.MemberAt(i);
    const auto flag = std::ranges::find_if(
        flags, [&, member = name](const Flag& known) { return MemberName(known.name) == member; });
    if (flag == flags.end()) {
      return absl::InvalidArgumentError(
          fmt::format("there is no member '{}'; {} --help lists them", name, program.name));
    }
    const absl::Status status = std::visit(
        [&, json = value](auto* to) { return TakeMember(json, folder, *flag, to); }, flag->value);
    if (!status.ok()) {  // "$: expected ..." names the value; here it is a member.
      return absl::InvalidArgumentError(
          fmt::format("$.{}{}", name, std::string(status.message()).substr(1)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Invocation> ParseFlags(const ProgramText& program, const std::vector<Flag>& flags,
                                      const std::vector<std::string>& arguments) {
  Invocation invocation;
  CLI::App app{std::string(program.description), std::string(program.name)};
  app.footer(std::string(program.footer));
  app.set_version_flag("--version", fmt::format("{} {}", program.name, kVersion));
  app.add_option("--config", invocation.config_file, "Read this JSON file first")
      ->type_name(std::string(kFile));
  app.add_flag("--check-config", invocation.check_config,
               "Check everything that is read at the start, say what is wrong, and end");
  for (const Flag& flag : flags) {
    std::visit(
        [&](auto* value) {
          app.add_option("--" + flag.name, *value, flag.help)->type_name(std::string(flag.takes));
        },
        flag.value);
  }
  for (CLI::Option* const option : app.get_options()) {
    if (option->get_items_expected_max() == 0) continue;
    RefuseEmptyValue(option, "give a value, or leave the flag out");
  }
  try {
    const auto given = WithEmptyValues(arguments);
    app.parse(std::vector<std::string>(given.rbegin(), given.rend()));
  } catch (const CLI::CallForHelp&) {
    invocation.answer = app.help();
  } catch (const CLI::CallForVersion& call) {
    invocation.answer = fmt::format("{}\n", call.what());
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}; {} --help lists the flags", error.what(), program.name));
  }
  return invocation;
}

absl::Status ReadConfigFile(const ProgramText& program, const std::string& path,
                            const std::vector<Flag>& flags) {
  PODKIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxConfigBytes));
  auto document = conduit::JsonDocument::Parse(std::move(text));
  absl::Status status = document.status();
  if (status.ok()) {
    status = TakeMembers(program, document->root(),
                         std::filesystem::path(path).parent_path().string(), flags);
  }
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      fmt::format("configuration '{}': {}", path, std::string(status.message())));
}

absl::Status WrongFlag(std::string_view flag, std::string_view text) {
  return absl::InvalidArgumentError(fmt::format("--{}: {}", flag, text));
}

}  // namespace podkit::servers
