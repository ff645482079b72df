#include "read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/status/status.h"
#include "common/unique_fd.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

absl::Status FromErrno(const std::string& path, int error) {
  const std::string message =
      fmt::format("cannot read '{}': {}", path, std::generic_category().message(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

absl::Status CheckFile(const std::string& path, const struct stat& info,
                       const ReadFileOptions& options) {
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("'{}' is not a regular file", path));
  }
  if (options.owner_only && (info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        fmt::format("'{}' may be used by the group or by others (mode {:o}): chmod 600 it", path,
                    info.st_mode & 0777));
  }
  if (static_cast<size_t>(info.st_size) > options.max_bytes) {
    return absl::InvalidArgumentError(fmt::format("'{}' has {} bytes, more than the limit of {}",
                                                  path, info.st_size, options.max_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, const ReadFileOptions& options) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file || fstat(file.get(), &info) != 0) return FromErrno(path, errno);
  absl::Status checked = CheckFile(path, info, options);
  if (!checked.ok()) return checked;
  // One byte more, to see whether the file grew beyond the limit meanwhile.
  std::string text(options.max_bytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(path, errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > options.max_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' has more bytes than the limit of {}", path, options.max_bytes));
  }
  text.resize(size);
  return text;
}

}  // namespace podkit::conduit::internal
