// Small files of a server: configuration read whole, and secrets that nobody else may read.
//
// Thread-safe. Errors name the path and what to do: kNotFound, kPermissionDenied,
// kResourceExhausted (too large), kInvalidArgument, kUnavailable (the disk).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace podkit::servers {

inline constexpr size_t kMinSecretBytes = 32;

// The whole file, which may hold at most `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// Replaces the file at once: a reader sees the old text or the new one.
absl::Status WriteFile(const std::string& path, std::string_view text);

// Makes the folder and those above it, for the owner only where they are new.
absl::Status MakeFolder(const std::string& path);

// The text of a key or token file without the white space around it: at least kMinSecretBytes, and
// closed to everybody but the owner.
absl::StatusOr<std::string> ReadSecret(const std::string& path);

// Makes the file with 32 random bytes as hexadecimal text, for the owner only, unless it is there.
absl::Status EnsureSecret(const std::string& path);

// True if the texts are equal; takes equally long wherever they differ.
bool SecretsEqual(std::string_view a, std::string_view b);

// The path as seen from `folder`, for paths that a file in it names; an empty one stays empty.
std::string ResolvePath(const std::string& folder, const std::string& path);

}  // namespace podkit::servers
