// A file of lines that is set aside before it becomes too large.
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace podkit::conduit::internal {

class RecordFile {
 public:
  // `head` is the first line of every file. Goes on with a file that is there.
  static absl::StatusOr<RecordFile> Open(std::string path, std::string head, size_t max_bytes,
                                         int max_files);

  // Adds a line, whole or not at all. A line that is larger than a file may be is refused with
  // kResourceExhausted.
  absl::Status Append(std::string_view line);

 private:
  RecordFile(std::string path, std::string head, size_t max_bytes, int max_files)
      : path_(std::move(path)),
        head_(std::move(head)),
        max_bytes_(max_bytes),
        max_files_(max_files) {}
  absl::Status OpenFile();
  absl::Status Write(std::string_view text);
  absl::Status SetAside();
  std::string PathOf(int number) const;  // 0: the one that is written.

  const std::string path_;
  const std::string head_;
  const size_t max_bytes_;
  const int max_files_;
  UniqueFd file_;
  size_t size_ = 0;
};

}  // namespace podkit::conduit::internal
