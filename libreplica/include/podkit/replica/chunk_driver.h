// What a gateway asks of the code that keeps its chunks.
//
// Implementations are thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk.h"

namespace podkit::replica {

enum class DriverMethod { kRead, kWrite, kDelete, kRename, kSerialize, kDeserialize };
inline constexpr int kDriverMethods = 6;
// "read", "write", ...
std::string_view NameOf(DriverMethod method);

struct DriverRequest {
  ChunkName name;
  std::string path;
  std::string new_path;
  std::string hash;     // 64 hexadecimal digits, or "".
  uint64_t offset = 0;  // Which bytes of the file a block overwrites.
  uint64_t length = 0;
};

// Some bytes of an open file; the descriptor stays the caller's.
struct FileBytes {
  int fd = -1;
  uint64_t offset = 0;
  uint64_t size = 0;
};

class ChunkDriver {
 public:
  virtual ~ChunkDriver() = default;

  // What the driver declared; the same for as long as it lives, whatever becomes of its processes.
  virtual bool Has(DriverMethod method) const = 0;

  // Calls one method and waits for it, no longer than to `deadline`. `input` is the chunk for
  // kWrite, kSerialize and kDeserialize; `output_fd` takes the chunk for kRead, kSerialize and
  // kDeserialize, an empty file at its start.
  //
  // Returns what the driver returned: 0 or a negative errno. kUnimplemented if it has no such
  // method; kUnavailable if nothing was asked of it (too much waits, no worker can be started):
  // try again later; kDeadlineExceeded and kInternal (it crashed, or answered rubbish) say nothing
  // about what it did.
  virtual absl::StatusOr<int> Call(DriverMethod method, const DriverRequest& request,
                                   const FileBytes& input, int output_fd, absl::Time deadline) = 0;
};

}  // namespace podkit::replica
