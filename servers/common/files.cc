#include "servers/common/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::servers {
namespace {

constexpr size_t kMaxSecretBytes = 4096;

absl::Status FromErrno(std::string_view action, const std::string& path, int error) {
  const std::string text = fmt::format("cannot {} '{}': {}", action, path, std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    case EEXIST:
      return absl::AlreadyExistsError(text);
    case EISDIR:
      return absl::InvalidArgumentError(text);
    default:
      return absl::UnavailableError(text);
  }
}

// Closes a descriptor at the end of its scope.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status WriteAll(const std::string& path, int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FromErrno("write", path, errno);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(fd) != 0) return FromErrno("write", path, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(const std::string& path, int fd, size_t max_bytes) {
  std::string text;
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno("read", path, errno);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          fmt::format("'{}' is larger than {} bytes", path, max_bytes));
    }
  }
}

absl::StatusOr<std::string> RandomHex() {
  std::array<char, kMinSecretBytes> bytes;
  if (getentropy(bytes.data(), bytes.size()) != 0) {
    return absl::InternalError("the system gives no random bytes");
  }
  return HexEncode(std::string_view(bytes.data(), bytes.size()));
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const File file(path, O_RDONLY);
  if (file.fd() < 0) return FromErrno("read", path, errno);
  return ReadAll(path, file.fd(), max_bytes);
}

absl::Status WriteFile(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  {
    const File file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file.fd() < 0) return FromErrno("write", temporary, errno);
    PODKIT_RETURN_IF_ERROR(WriteAll(temporary, file.fd(), text));
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return FromErrno("write", path, errno);
  return absl::OkStatus();
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  const std::filesystem::path full = std::filesystem::absolute(path, error);
  std::filesystem::path part;
  for (const auto& name : full) {
    part /= name;
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      const int reason = errno;
      if (!std::filesystem::is_directory(part, error)) {
        return FromErrno("make the folder", part.string(), reason);
      }
    }
  }
  if (!std::filesystem::is_directory(full, error)) {
    return absl::InvalidArgumentError(fmt::format("'{}' is a file: name a folder", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  const File file(path, O_RDONLY);
  if (file.fd() < 0) return FromErrno("read", path, errno);
  struct stat status {};
  if (fstat(file.fd(), &status) != 0) return FromErrno("read", path, errno);
  if ((status.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        fmt::format("'{}' is open to other users: chmod 600 it, or make a new one", path));
  }
  PODKIT_ASSIGN_OR_RETURN(const std::string text, ReadAll(path, file.fd(), kMaxSecretBytes));
  const std::string_view secret = TrimSpace(text);
  if (secret.size() < kMinSecretBytes) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' holds {} bytes: a secret has at least {}; make one with "
                    "'openssl rand -hex 32'",
                    path, secret.size(), kMinSecretBytes));
  }
  return std::string(secret);
}

absl::Status EnsureSecret(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(const std::string secret, RandomHex());
  const std::string temporary = path + ".new";
  {
    unlink(temporary.c_str());
    const File file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file.fd() < 0) return FromErrno("write", temporary, errno);
    PODKIT_RETURN_IF_ERROR(WriteAll(temporary, file.fd(), secret + "\n"));
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return FromErrno("write", path, errno);
  return absl::OkStatus();
}

bool SecretsEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string ResolvePath(const std::string& folder, const std::string& path) {
  if (path.empty()) return path;
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

}  // namespace podkit::servers
