// Files in memory for chunks on their way, within a budget.
//
// MemoryBudget is thread-safe; a MemoryFile is thread-compatible.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace podkit::replica {

class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t bytes) : left_(bytes) {}

  bool Take(uint64_t bytes);
  void Give(uint64_t bytes) { left_ += bytes; }
  uint64_t left() const { return left_; }

 private:
  std::atomic<uint64_t> left_;
};

class MemoryFile {
 public:
  // Takes `bytes` from the budget for as long as the file lives; kUnavailable if there is no room.
  static absl::StatusOr<std::unique_ptr<MemoryFile>> Create(std::shared_ptr<MemoryBudget> budget,
                                                            uint64_t bytes);
  ~MemoryFile();

  absl::Status Append(std::string_view bytes);
  // Nobody, not even who was handed the descriptor, can change the file from now on.
  absl::Status Seal();
  int fd() const { return fd_.get(); }

 private:
  MemoryFile(std::shared_ptr<MemoryBudget> budget, uint64_t bytes, UniqueFd fd);

  const std::shared_ptr<MemoryBudget> budget_;
  const uint64_t bytes_;
  const UniqueFd fd_;
};

}  // namespace podkit::replica
