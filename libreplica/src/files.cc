#include "files.h"

#include <sys/sendfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "common/durable.h"
#include "fmt/format.h"

namespace podkit::replica {

absl::Status FromErrno(int error, std::string_view action, std::string_view object) {
  const std::string text =
      fmt::format("cannot {} {}: {}", action, object, std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error || (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)) {
    return FromErrno(error ? error.value() : errno, "make the folder", path);
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  const int error = podkit::SyncFolder(path);
  return error == 0 ? absl::OkStatus() : FromErrno(error, "sync the folder", path);
}

absl::Status WriteAll(int fd, std::string_view bytes, std::string_view object) {
  const int error = podkit::WriteAll(fd, bytes);
  return error == 0 ? absl::OkStatus() : FromErrno(error, "write", object);
}

absl::Status ReadExactly(int fd, uint64_t offset, std::span<char> buffer, std::string_view object) {
  while (!buffer.empty()) {
    const ssize_t n = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FromErrno(errno, "read", object);
    if (n == 0) return absl::DataLossError(fmt::format("{} ends too early", object));
    buffer = buffer.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::Status CopyBytes(int from, uint64_t offset, uint64_t size, int to, std::string_view object) {
  auto at = static_cast<off_t>(offset);
  while (size > 0) {
    const ssize_t n = sendfile(to, from, &at, std::min<uint64_t>(size, 1 << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FromErrno(errno, "write", object);
    if (n == 0) return absl::DataLossError(fmt::format("the source of {} ends too early", object));
    size -= static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SizeOf(int fd, std::string_view object) {
  struct stat info;
  if (fstat(fd, &info) != 0) return FromErrno(errno, "look at", object);
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace podkit::replica
