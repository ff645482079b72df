// The few things that the gateway does with folders and files itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace podkit::replica {

// What `error` (an errno) means for `object`: kNotFound, kPermissionDenied, kResourceExhausted (no
// space, memory or descriptor is left) or kInternal. `action` completes "cannot".
absl::Status FromErrno(int error, std::string_view action, std::string_view object);

// Makes the folder and what is missing above it, for the owner only.
absl::Status MakeFolder(const std::string& path);

// Makes what happened to the names in a folder durable.
absl::Status SyncFolder(const std::string& path);

absl::Status WriteAll(int fd, std::string_view bytes, std::string_view object);

// Fills `buffer` from `offset` on; kDataLoss if the file ends before.
absl::Status ReadExactly(int fd, uint64_t offset, std::span<char> buffer, std::string_view object);

// Appends `size` bytes of `from`, beginning at `offset`, to `to`, in the kernel where it can.
absl::Status CopyBytes(int from, uint64_t offset, uint64_t size, int to, std::string_view object);

absl::StatusOr<uint64_t> SizeOf(int fd, std::string_view object);

}  // namespace podkit::replica
