// The few things that the store does with folders and files itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/unique_fd.h"

namespace podkit::store {

// What `error` (an errno) means for `path`: StoreFull, StoreBusy (no descriptor is left),
// kNotFound, kPermissionDenied or kInternal. `action` completes "cannot".
absl::Status FromErrno(int error, std::string_view action, std::string_view path);

// Makes the folder and what is missing above it, for the owner only; durable.
absl::Status MakeFolder(const std::string& path);

// Makes an empty file that only the owner may use; an existing one is left as it is.
absl::Status MakePrivateFile(const std::string& path);

// Makes a file of these bytes for the owner only, last changed at `modified`; what it holds is on
// the disk when it returns, its name may not be: see SyncFolder. A failed write leaves a part of
// it.
absl::Status WriteDurably(const std::string& path, std::string_view bytes, absl::Time modified);

// Makes the entries of the folder durable.
absl::Status SyncFolder(const std::string& path);

// Removes a file, or a folder that is empty; what is not there is no error.
absl::Status RemoveEntry(const std::string& path);

// The names of its entries, in no order; none if there is no such folder.
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

absl::StatusOr<bool> FileExists(const std::string& path);

// kResourceExhausted if the file is larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// Holds a lock on a file for as long as it lives; no other process can take it meanwhile.
class FileLock {
 public:
  // kFailedPrecondition if another process (or another FileLock) holds it.
  static absl::StatusOr<FileLock> Take(const std::string& path);

 private:
  explicit FileLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace podkit::store
