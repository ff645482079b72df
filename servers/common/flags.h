// What a server can be told: one table says it for the command line and for the configuration file.
//
// A server has a structure of optional members, its settings, and lists them as flags:
//
//   {"pods-file", &settings->pods_file, kFile, "The pods and their keys [this pod is alone]"}
//
// is --pods-file and the member "pods_file" of the file. A flag goes before the file. Paths in the
// file are relative to the file's folder; paths in flags to the working directory. Errors are
// kInvalidArgument and name the flag, or the file and the member at fault.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace podkit::servers {

// What a flag takes, as --help calls it. The first three are paths, but for a text with "://".
inline constexpr std::string_view kFile = "FILE";
inline constexpr std::string_view kFolder = "FOLDER";
inline constexpr std::string_view kFileOrUrl = "FILE|URL";
inline constexpr std::string_view kNumber = "N";

struct Flag {
  std::string name;  // Without the "--".
  std::variant<std::optional<std::string>*, std::optional<int64_t>*> value;
  std::string_view takes;
  std::string help;  // One line. Ends with the default in brackets.
};

// What --help says before and after the flags.
struct ProgramText {
  std::string_view name;  // "podd"
  std::string_view description;
  std::string_view footer;
};

// What the command line says besides the settings.
struct Invocation {
  std::string config_file;  // Empty: none.
  bool check_config = false;
  std::optional<std::string> answer;  // To print and end with: --help or --version.
};

// Sets what the arguments say. Knows --config, --check-config, --help and --version by itself.
absl::StatusOr<Invocation> ParseFlags(const ProgramText& program, const std::vector<Flag>& flags,
                                      const std::vector<std::string>& arguments);

// Sets what the JSON file says and no flag has set. The whole file is checked, used or not; a
// member that is no flag is refused.
absl::Status ReadConfigFile(const ProgramText& program, const std::string& path,
                            const std::vector<Flag>& flags);

// "--<flag>: <text>".
absl::Status WrongFlag(std::string_view flag, std::string_view text);

}  // namespace podkit::servers
