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

#include "common/byte_order_mark.h"
#include "common/durable.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/unique_fd.h"

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

UniqueFd Open(const std::string& path, int flags, mode_t mode = 0) {
  return UniqueFd(open(path.c_str(), flags | O_CLOEXEC, mode));
}

// Puts a new file of `text`, written to the open file `temporary`, at `path`.
absl::Status Put(const UniqueFd& file, const std::string& temporary, std::string_view text,
                 const std::string& path) {
  if (!file) return FromErrno("write", temporary, errno);
  int error = WriteAll(file.get(), text);
  if (error == 0 && fsync(file.get()) != 0) error = errno;
  if (error != 0) return FromErrno("write", temporary, error);
  if (rename(temporary.c_str(), path.c_str()) != 0) return FromErrno("write", path, errno);
  error = SyncFolder(FolderOf(path));
  return error == 0 ? absl::OkStatus() : FromErrno("write", path, error);
}

absl::StatusOr<std::string> ReadAll(const std::string& path, int fd, size_t max_bytes) {
  std::string text;
  std::array<char, size_t{16} * 1024> buffer;
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
  const UniqueFd file = Open(path, O_RDONLY);
  if (!file) return FromErrno("read", path, errno);
  return ReadAll(path, file.get(), max_bytes);
}

absl::Status WriteFile(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  return Put(Open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644), temporary, text, path);
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
  const UniqueFd file = Open(path, O_RDONLY);
  if (!file) return FromErrno("read", path, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return FromErrno("read", path, errno);
  if ((status.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        fmt::format("'{}' is open to other users: chmod 600 it, or make a new one", path));
  }
  PODKIT_ASSIGN_OR_RETURN(const std::string text, ReadAll(path, file.get(), kMaxSecretBytes));
  PODKIT_RETURN_IF_ERROR(RefuseByteOrderMark(text, fmt::format("'{}'", path)));
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
  unlink(temporary.c_str());
  return Put(Open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600), temporary, secret + "\n", path);
}

bool SecretsEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string ResolvePath(const std::string& folder, const std::string& path) {
  if (path.empty()) return path;
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

}  // namespace podkit::servers
