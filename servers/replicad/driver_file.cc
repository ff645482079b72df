#include "servers/replicad/driver_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "podkit/conduit/message.h"
#include "servers/common/files.h"

namespace podkit::servers {

// A JSON object as it is, for a driver.
struct RawJson {
  std::string text = "{}";
};

}  // namespace podkit::servers

template <>
struct podkit::conduit::Codec<podkit::servers::RawJson> {
  static absl::Status Decode(const JsonValue& value, podkit::servers::RawJson* out) {
    if (value.kind() != JsonValue::Kind::kObject) return internal::WrongKind("object", value);
    out->text = value.ToText();
    return absl::OkStatus();
  }
};

namespace podkit::servers {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFileBytes = size_t{1} << 20;

struct SourceEntry {
  std::string driver;
  RawJson config;
  std::string secrets_file;
  std::vector<std::string> readable;
  std::vector<std::string> writable;
  bool network = false;

  static constexpr auto Fields() {
    using S = SourceEntry;
    using conduit::Optional;
    return std::make_tuple(conduit::Required("driver", &S::driver), Optional("config", &S::config),
                           Optional("secrets_file", &S::secrets_file),
                           Optional("readable", &S::readable), Optional("writable", &S::writable),
                           Optional("network", &S::network));
  }
};

struct DriverEntry {
  SourceEntry storage;
  SourceEntry stage;
  int64_t min_workers = 1;
  int64_t max_workers = 4;
  int64_t memory_bytes = 0;
  int64_t user = 0;
  int64_t group = 0;

  static constexpr auto Fields() {
    using D = DriverEntry;
    using conduit::Optional;
    return std::make_tuple(conduit::Required("storage", &D::storage), Optional("stage", &D::stage),
                           Optional("min_workers", &D::min_workers),
                           Optional("max_workers", &D::max_workers),
                           Optional("memory_bytes", &D::memory_bytes), Optional("user", &D::user),
                           Optional("group", &D::group));
  }
};

fs::path OwnFolder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

// Where the drivers of this installation are: as installed, or in a build tree.
std::string DriverPath(const std::string& name) {
  const std::string file = name + "-driver.so";
  std::error_code error;
  const fs::path installed = (OwnFolder() / PODKIT_DRIVERS_FOLDER / file).lexically_normal();
  if (fs::exists(installed, error)) return installed.string();
  return (OwnFolder() / "../lib/podkit/drivers" / file).lexically_normal().string();
}

absl::StatusOr<replica::DriverSource> SourceOf(const SourceEntry& entry,
                                               const std::string& folder) {
  const auto absolute = [&](const std::string& path) {
    return fs::absolute(ResolvePath(folder, path)).lexically_normal().string();
  };
  replica::DriverSource source;
  source.path = entry.driver.find('/') == std::string::npos && !entry.driver.ends_with(".py")
                    ? DriverPath(entry.driver)
                    : absolute(entry.driver);
  if (access(source.path.c_str(), R_OK) != 0) {
    return absl::NotFoundError(
        fmt::format("there is no driver '{}': no file '{}'", entry.driver, source.path));
  }
  source.config = entry.config.text;
  if (!entry.secrets_file.empty()) {
    PODKIT_ASSIGN_OR_RETURN(source.secrets, ReadSecret(ResolvePath(folder, entry.secrets_file)));
  }
  for (const std::string& path : entry.readable) source.readable_paths.push_back(absolute(path));
  for (const std::string& path : entry.writable) source.writable_paths.push_back(absolute(path));
  source.network = entry.network;
  return source;
}

absl::Status CheckLimits(const DriverEntry& entry) {
  const bool good =
      entry.min_workers >= 1 && entry.max_workers >= entry.min_workers && entry.max_workers <= 256;
  if (!good) {
    return absl::InvalidArgumentError(
        "\"min_workers\" is at least 1, \"max_workers\" not less and at most 256");
  }
  if (entry.memory_bytes < 0 || entry.user < 0 || entry.group < 0 || entry.user > UINT32_MAX ||
      entry.group > UINT32_MAX) {
    return absl::InvalidArgumentError(
        "\"memory_bytes\", \"user\" and \"group\" are numbers from 0 on");
  }
  return absl::OkStatus();
}

absl::StatusOr<replica::DriverProcessesOptions> ParseDriverFile(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxFileBytes));
  PODKIT_ASSIGN_OR_RETURN(const auto entry, conduit::FromJson<DriverEntry>(std::move(text)));
  PODKIT_RETURN_IF_ERROR(CheckLimits(entry));
  const std::string folder = fs::path(path).parent_path().string();
  replica::DriverProcessesOptions options;
  PODKIT_ASSIGN_OR_RETURN(options.storage, SourceOf(entry.storage, folder));
  if (!entry.stage.driver.empty()) {
    PODKIT_ASSIGN_OR_RETURN(options.stage, SourceOf(entry.stage, folder));
  }
  options.limits.min_workers = static_cast<int>(entry.min_workers);
  options.limits.max_workers = static_cast<int>(entry.max_workers);
  options.limits.memory_bytes = static_cast<uint64_t>(entry.memory_bytes);
  options.limits.user = static_cast<uint32_t>(entry.user);
  options.limits.group = static_cast<uint32_t>(entry.group);
  return options;
}

absl::StatusOr<replica::DriverProcessesOptions> DiskDriver(const std::string& data) {
  const std::string chunks = ResolvePath(data, "chunks");
  conduit::JsonWriter config;
  config.BeginObject();
  config.Key("folder");
  config.String(chunks);
  config.EndObject();
  replica::DriverProcessesOptions options;
  PODKIT_ASSIGN_OR_RETURN(options.storage, SourceOf({.driver = "disk"}, ""));
  options.storage.config = config.Take();
  options.storage.writable_paths = {chunks};
  return options;
}

}  // namespace

absl::StatusOr<replica::DriverProcessesOptions> ReadDriverFile(const std::string& path,
                                                               const std::string& data) {
  auto options = path.empty() ? DiskDriver(data) : ParseDriverFile(path);
  if (!options.ok()) {
    if (path.empty()) return options;
    return absl::Status(
        options.status().code(),
        fmt::format("driver file '{}': {}", path, std::string(options.status().message())));
  }
  options->worker_program = (OwnFolder() / "rg-driver").string();
  return options;
}

}  // namespace podkit::servers
