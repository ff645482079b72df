#include "memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "files.h"

namespace podkit::replica {

bool MemoryBudget::Take(uint64_t bytes) {
  uint64_t left = left_;
  while (left >= bytes) {
    if (left_.compare_exchange_weak(left, left - bytes)) return true;
  }
  return false;
}

absl::StatusOr<std::unique_ptr<MemoryFile>> MemoryFile::Create(std::shared_ptr<MemoryBudget> budget,
                                                               uint64_t bytes) {
  if (!budget->Take(bytes)) {
    return absl::UnavailableError("too many chunks are on their way: try again later");
  }
  UniqueFd fd(memfd_create("chunk", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  std::unique_ptr<MemoryFile> file(new MemoryFile(std::move(budget), bytes, std::move(fd)));
  if (file->fd() < 0) return FromErrno(errno, "make", "a file in memory");
  return file;
}

MemoryFile::MemoryFile(std::shared_ptr<MemoryBudget> budget, uint64_t bytes, UniqueFd fd)
    : budget_(std::move(budget)), bytes_(bytes), fd_(std::move(fd)) {}

MemoryFile::~MemoryFile() { budget_->Give(bytes_); }

absl::Status MemoryFile::Append(std::string_view bytes) {
  return WriteAll(fd(), bytes, "a file in memory");
}

absl::Status MemoryFile::Seal() {
  // Fails if somebody has mapped it for writing.
  if (fcntl(fd(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return FromErrno(errno, "seal", "a file in memory");
  }
  return absl::OkStatus();
}

}  // namespace podkit::replica
