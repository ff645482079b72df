// Keeps chunks, as they travel, on a disk that is nearer than the driver's.
//
// Thread-safe, except that one name must not be inserted and removed at the same time. What is
// wrong with the cache never is an error: it then has the chunk no longer. The budget, in bytes of
// files, holds at every moment and across restarts; whoever reads a file that is thrown out reads
// on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "cache_policy.h"
#include "common/mutex.h"
#include "common/unique_fd.h"
#include "podkit/replica/chunk.h"

namespace podkit::replica {

// An open file of the cache: the chunk is its first `size` bytes.
struct CachedChunk {
  UniqueFd fd;
  ChunkHash hash;
  uint64_t size = 0;
  std::vector<uint64_t> sums;  // Of each piece of 64 KiB, XXH3.

  // True if these bytes of the chunk are what was put in.
  bool Verify(uint64_t offset, uint64_t size) const;
};

class Cache {
 public:
  // Finds what an earlier run left in `folder`; removes what is damaged or beyond the budget. An
  // error only if the folder cannot be used.
  static absl::StatusOr<std::unique_ptr<Cache>> Open(const std::string& folder, uint64_t budget);

  std::shared_ptr<const CachedChunk> Find(const std::string& key);
  // Copies the first `size` bytes of the file.
  void Insert(const std::string& key, const ChunkHash& hash, int fd, uint64_t size);
  void Remove(const std::string& key);

  uint64_t bytes() const;

 private:
  Cache(std::string folder, uint64_t budget) : folder_(std::move(folder)), policy_(budget) {}

  absl::Status Load();
  std::string FileOf(const std::string& key) const;
  absl::Status WriteFile(const std::string& path, const std::string& key, const ChunkHash& hash,
                         int fd, uint64_t size) const;
  void RemoveFiles(const std::vector<std::string>& keys) const;

  const std::string folder_;
  mutable Mutex mutex_;
  CachePolicy policy_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::replica
