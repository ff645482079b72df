// Counts the files that come to the homes of this pod as attachments, and go from them.
//
// Thread-safe; a reader may see the numbers of one file apart for a moment.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "podkit/store/attachment.h"
#include "podkit/store/operation_stats.h"

namespace podkit::store {

class AttachmentCounters {
 public:
  // What a method answered to these arguments. Most carry no bytes of attachments.
  template <typename... Arguments>
  void Note(const Arguments&... /*arguments*/) {}
  void Note(const absl::StatusOr<UploadedPart>& answer, const UploadPart& part) {
    if (answer.ok()) Add(&written_bytes_, part.payload.size());
  }
  void Note(const absl::StatusOr<AttachmentResult>& answer, const AttachmentWrite& write) {
    if (!answer.ok()) return;
    Add(&written_bytes_, write.payload.size());
    Add(&written_, 1);
  }
  void Note(const absl::StatusOr<AttachmentPart>& answer, const std::string& /*managed_id*/,
            int64_t offset) {
    if (!answer.ok()) return;
    const auto bytes = static_cast<int64_t>(answer->payload.size());
    const int64_t size = answer->attachment.size;
    Add(&read_bytes_, answer->payload.size());
    // Whoever asks again at the end of a file that has bytes does not read it again.
    if (offset + bytes == size && (bytes > 0 || size == 0)) Add(&read_, 1);
  }

  AttachmentStats Get() const {
    return {.written = written_.load(std::memory_order_relaxed),
            .written_bytes = written_bytes_.load(std::memory_order_relaxed),
            .read = read_.load(std::memory_order_relaxed),
            .read_bytes = read_bytes_.load(std::memory_order_relaxed)};
  }

 private:
  static void Add(std::atomic<int64_t>* counter, size_t more) {
    counter->fetch_add(static_cast<int64_t>(more), std::memory_order_relaxed);
  }

  std::atomic<int64_t> written_{0};
  std::atomic<int64_t> written_bytes_{0};
  std::atomic<int64_t> read_{0};
  std::atomic<int64_t> read_bytes_{0};
};

}  // namespace podkit::store
