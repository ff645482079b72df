// What a chunk is called, and what its bytes must hash to.
//
// A chunk is an immutable run of bytes: a block of a file or a manifest, which lists blocks. Its
// name says what it is; its hash says what its bytes are. Under one name there are never two
// different contents.
//
// Thread-compatible: plain values.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace podkit::replica {

enum class ChunkKind { kBlock, kManifest };

struct ChunkName {
  std::string volume;         // 1 to 64 of A-Z a-z 0-9 - _
  std::string file;           // The file's id, not its path: 1 to 128 of A-Z a-z 0-9 - _
  uint64_t file_version = 0;  // This and the next two: at most 2^63 - 1.
  ChunkKind kind = ChunkKind::kBlock;
  uint64_t id = 0;       // The block's number; of a manifest the seconds of its time,
  uint64_t version = 0;  // and its nanoseconds, below 10^9.

  auto operator<=>(const ChunkName&) const = default;
};

// kInvalidArgument naming the member that is none of the above.
absl::Status ValidateChunkName(const ChunkName& name);

// "/DATA/<volume><fs_path>.<file>.<file_version>/<id>.<version>", or ".../manifest.<id>.<version>".
// `fs_path` begins with '/' and tells people (and gateways that keep real files) where the file is;
// the name of the chunk does not depend on it.
std::string ChunkPath(const ChunkName& name, std::string_view fs_path = "/");

struct ParsedChunkPath {
  ChunkName name;
  std::string fs_path;
};

// Reads what ChunkPath writes, percent-encoded or not; slashes that follow each other count as one.
// kInvalidArgument for anything else, also for "." or ".." as a segment of fs_path.
absl::StatusOr<ParsedChunkPath> ParseChunkPath(std::string_view path);

// The SHA-256 of a chunk's bytes, as they travel.
struct ChunkHash {
  static constexpr size_t kSize = 32;
  std::array<uint8_t, kSize> bytes = {};

  std::string Hex() const;  // 64 lower-case digits.
  // Nothing unless `hex` is 64 hexadecimal digits.
  static std::optional<ChunkHash> FromHex(std::string_view hex);
  auto operator<=>(const ChunkHash&) const = default;
};

ChunkHash HashOf(std::string_view bytes);

}  // namespace podkit::replica
