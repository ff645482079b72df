#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "common/durable.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "podkit/store/errors.h"

namespace podkit::store {
absl::Status FromErrno(int error, std::string_view action, std::string_view path) {
  const std::string text =
      fmt::format("{}: cannot {}: {}", path, action, std::generic_category().message(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return MakeError(StoreFull{}, text);
    case EMFILE:
    case ENFILE:
      return MakeError(StoreBusy{}, text);
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::Status MakeFolder(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return absl::OkStatus();
    return FromErrno(ENOTDIR, "use it as a folder", path);
  }
  if (errno != ENOENT) return FromErrno(errno, "open the folder", path);
  const std::string above = FolderOf(path);
  if (above != path) PODKIT_RETURN_IF_ERROR(MakeFolder(above));
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return FromErrno(errno, "make the folder", path);
  }
  return SyncFolder(above);
}

absl::Status MakePrivateFile(const std::string& path) {
  // An existing file is not even opened: closing it would drop the locks that SQLite has on it.
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file && errno != EEXIST) return FromErrno(errno, "make the file", path);
  return absl::OkStatus();
}

absl::Status WriteDurably(const std::string& path, std::string_view bytes, absl::Time modified) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return FromErrno(errno, "make the file", path);
  if (const int error = WriteAll(file.get(), bytes); error != 0) {
    return FromErrno(error, "write the file", path);
  }
  const timespec time = absl::ToTimespec(modified);
  const std::array<timespec, 2> times = {time, time};
  if (futimens(file.get(), times.data()) != 0) return FromErrno(errno, "date the file", path);
  if (fsync(file.get()) != 0) return FromErrno(errno, "sync the file", path);
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  const int error = podkit::SyncFolder(path);
  return error == 0 ? absl::OkStatus() : FromErrno(error, "sync the folder", path);
}

absl::Status RemoveEntry(const std::string& path) {
  if (remove(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return FromErrno(errno, "remove it", path);
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::vector<std::string> names;
  DIR* const folder = opendir(path.c_str());
  if (folder == nullptr) {
    if (errno == ENOENT) return names;
    return FromErrno(errno, "open the folder", path);
  }
  errno = 0;
  while (const dirent* const entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  closedir(folder);
  if (error != 0) return FromErrno(error, "read the folder", path);
  return names;
}

absl::StatusOr<bool> FileExists(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0) return true;
  if (errno == ENOENT) return false;
  return FromErrno(errno, "look at the file", path);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return FromErrno(errno, "open the file", path);
  std::string text;
  std::array<char, 16384> part;
  for (;;) {
    const ssize_t got = read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno, "read the file", path);
    if (got == 0) return text;
    text.append(part.data(), static_cast<size_t>(got));
    if (text.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          fmt::format("{}: the file is larger than {} bytes", path, max_bytes));
    }
  }
}

absl::StatusOr<FileLock> FileLock::Take(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return FromErrno(errno, "open the lock file", path);
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(file));
  if (errno != EWOULDBLOCK) return FromErrno(errno, "lock the file", path);
  return absl::FailedPreconditionError(
      fmt::format("{}: another process holds the lock: stop it first", path));
}

}  // namespace podkit::store
