// A driver that keeps chunks in memory, for tests that are not about drivers.
//
// Thread-safe.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "catalog.h"
#include "podkit/replica/chunk_driver.h"

namespace podkit::replica {

class MemoryDriver final : public ChunkDriver {
 public:
  bool Has(DriverMethod method) const override {
    return method == DriverMethod::kRead || method == DriverMethod::kWrite ||
           method == DriverMethod::kDelete;
  }
  absl::StatusOr<int> Call(DriverMethod method, const DriverRequest& request,
                           const FileBytes& input, int output_fd,
                           absl::Time /*deadline*/) override {
    const std::lock_guard lock(mutex_);
    const std::string key = KeyOf(request.name);
    if (method == DriverMethod::kDelete) {
      chunks_.erase(key);
      return 0;
    }
    if (method == DriverMethod::kWrite) {
      std::string bytes(input.size, '\0');
      if (pread(input.fd, bytes.data(), bytes.size(), static_cast<off_t>(input.offset)) !=
          static_cast<ssize_t>(bytes.size())) {
        return -EIO;
      }
      chunks_[key] = std::move(bytes);
      ++writes_;
      return 0;
    }
    ++reads_;
    const auto chunk = chunks_.find(key);
    if (chunk == chunks_.end()) return -ENOENT;
    return write(output_fd, chunk->second.data(), chunk->second.size()) < 0 ? -errno : 0;
  }

  // Behind the gateway's back. Nothing: lose the chunk.
  void Set(const ChunkName& name, const std::optional<std::string>& bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes) {
      chunks_[KeyOf(name)] = *bytes;
    } else {
      chunks_.erase(KeyOf(name));
    }
  }
  // "" if it is not there.
  std::string Kept(const ChunkName& name) const {
    const std::lock_guard lock(mutex_);
    const auto chunk = chunks_.find(KeyOf(name));
    return chunk == chunks_.end() ? "" : chunk->second;
  }
  int reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
  }
  int writes() const {
    const std::lock_guard lock(mutex_);
    return writes_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> chunks_;
  int reads_ = 0;
  int writes_ = 0;
};

}  // namespace podkit::replica
