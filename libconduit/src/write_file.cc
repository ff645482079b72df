#include "write_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "common/durable.h"
#include "common/unique_fd.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

// Writes `text` to a new file at `path`, durably; an errno.
int WriteNew(const std::string& path, std::string_view text) {
  const UniqueFd file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return errno;
  if (const int error = WriteAll(file.get(), text); error != 0) return error;
  return fsync(file.get()) == 0 ? 0 : errno;
}

// Gives the file at `from` the name `to`, durably; an errno.
int Rename(const std::string& from, const std::string& to) {
  return rename(from.c_str(), to.c_str()) == 0 ? SyncFolder(FolderOf(to)) : errno;
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
  int error = WriteNew(temporary, text);
  if (error == 0) error = Rename(temporary, path);
  if (error == 0) return absl::OkStatus();
  unlink(temporary.c_str());
  return FromErrno(path, error);
}

}  // namespace podkit::conduit::internal
