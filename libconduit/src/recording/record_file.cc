#include "recording/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "common/durable.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

absl::Status CannotRecord(const std::string& path, int error) {
  const std::string message =
      fmt::format("cannot record in '{}': {}", path, std::generic_category().message(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM || error == ELOOP) {
    return absl::PermissionDeniedError(message);
  }
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<RecordFile> RecordFile::Open(std::string path, std::string head, size_t max_bytes,
                                            int max_files) {
  RecordFile file(std::move(path), std::move(head), max_bytes, max_files);
  PODKIT_RETURN_IF_ERROR(file.OpenFile());
  return file;
}

std::string RecordFile::PathOf(int number) const {
  return number == 0 ? path_ : fmt::format("{}.{}", path_, number);
}

absl::Status RecordFile::OpenFile() {
  file_.Reset(open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info {};
  if (!file_ || fstat(file_.get(), &info) != 0) return CannotRecord(path_, errno);
  if (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0) {
    file_.Reset();
    return absl::PermissionDeniedError(
        fmt::format("cannot record in '{}': it is no file for its owner only (chmod 600)", path_));
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return Write(head_ + "\n");
  // A crash may have left half a line.
  char last = '\n';
  if (pread(file_.get(), &last, 1, info.st_size - 1) == 1 && last != '\n') return Write("\n");
  return absl::OkStatus();
}

absl::Status RecordFile::Write(std::string_view text) {
  const int error = WriteAll(file_.get(), text);
  if (error == 0) {
    size_ += text.size();
    return absl::OkStatus();
  }
  // Nothing but whole lines; where that fails, too, the reader skips the half one.
  if (ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) file_.Reset();
  return CannotRecord(path_, error);
}

absl::Status RecordFile::SetAside() {
  file_.Reset();
  if (max_files_ <= 1 && unlink(path_.c_str()) != 0 && errno != ENOENT) {
    return CannotRecord(path_, errno);
  }
  for (int number = max_files_ - 1; number >= 1; --number) {
    const std::string from = PathOf(number - 1);
    if (rename(from.c_str(), PathOf(number).c_str()) != 0 && errno != ENOENT) {
      return CannotRecord(from, errno);
    }
  }
  return OpenFile();
}

absl::Status RecordFile::Append(std::string_view line) {
  if (head_.size() + line.size() + 2 > max_bytes_) {
    return absl::ResourceExhaustedError(
        fmt::format("a record of {} bytes is larger than '{}' may be", line.size(), path_));
  }
  if (!file_) PODKIT_RETURN_IF_ERROR(OpenFile());
  if (size_ + line.size() + 1 > max_bytes_) PODKIT_RETURN_IF_ERROR(SetAside());
  return Write(fmt::format("{}\n", line));
}

}  // namespace podkit::conduit::internal
