// Frames between a gateway and its worker process, over a socket pair of type SOCK_SEQPACKET, so
// that each frame is one packet and descriptors travel with it.
//
// Thread-compatible. docs/replica-protocol.md says what a frame looks like.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/unique_fd.h"

namespace podkit::replica {

enum class FrameType : uint32_t { kHello = 1, kReady = 2, kCall = 3, kAnswer = 4 };

struct Frame {
  FrameType type = FrameType::kHello;
  uint32_t id = 0;
  std::string payload;  // JSON.
};

constexpr size_t kMaxFrame = 64 << 10;
constexpr size_t kMaxFrameFds = 2;

std::string EncodeFrame(const Frame& frame);
// kInvalidArgument if it is none.
absl::StatusOr<Frame> ParseFrame(std::string_view packet);

class WorkerChannel {
 public:
  struct Received {
    Frame frame;
    std::vector<UniqueFd> fds;
  };

  explicit WorkerChannel(UniqueFd socket) : socket_(std::move(socket)) {}

  // kUnavailable if the other side is gone, which then has not seen the frame.
  absl::Status Send(const Frame& frame, std::span<const int> fds) const;
  // Waits to `deadline`. kDeadlineExceeded; kUnavailable if the other side is gone;
  // kInvalidArgument if what came is no frame.
  absl::StatusOr<Received> Receive(absl::Time deadline) const;

  int fd() const { return socket_.get(); }

 private:
  UniqueFd socket_;
};

}  // namespace podkit::replica
