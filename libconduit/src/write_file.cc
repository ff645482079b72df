#include "write_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

// Writes `text` to a new file at `path`, durably. False leaves the reason in errno.
bool WriteNew(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool good = WriteAll(fd, text) && fsync(fd) == 0;
  const int error = errno;
  const bool closed = close(fd) == 0;
  if (!good) errno = error;
  return good && closed;
}

bool SyncFolder(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool good = fsync(fd) == 0;
  close(fd);
  return good;
}

absl::Status FromErrno(const std::string& path, int error) {
  const std::string message =
      fmt::format("cannot write '{}': {}", path, std::generic_category().message(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

}  // namespace

absl::Status WriteFile(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  if (WriteNew(temporary, text) && rename(temporary.c_str(), path.c_str()) == 0 &&
      SyncFolder(path)) {
    return absl::OkStatus();
  }
  const int error = errno;
  unlink(temporary.c_str());
  return FromErrno(path, error);
}

}  // namespace podkit::conduit::internal
