#include "worker_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "files.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

constexpr std::string_view kMagic = "PKW1";
constexpr size_t kHeader = 12;

void AppendNumber(uint32_t number, std::string* out) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(number >> shift));
}

uint32_t NumberAt(std::string_view packet, size_t at) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) {
    number |= static_cast<uint32_t>(static_cast<unsigned char>(packet[at + i])) << (8 * i);
  }
  return number;
}

// Room for the descriptors of one frame.
union Control {
  cmsghdr aligned;
  std::array<char, CMSG_SPACE(sizeof(int) * kMaxFrameFds)> bytes;
};

// Waits until the socket is readable; milliseconds are rounded up, so that it does not spin.
absl::Status AwaitInput(int fd, absl::Time deadline) {
  for (;;) {
    const absl::Duration left =
        std::clamp(deadline - absl::Now(), absl::ZeroDuration(), absl::Hours(1));
    pollfd waiting = {fd, POLLIN, 0};
    const int ready =
        poll(&waiting, 1,
             static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)))));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return FromErrno(errno, "wait for", "a worker");
    if (ready == 0 && absl::Now() >= deadline) {
      return absl::DeadlineExceededError("the worker did not answer in time");
    }
  }
}

// False if some of what came with the packet was lost.
bool TakeFds(const msghdr& message, std::vector<UniqueFd>* fds) {
  for (const cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(part))) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds->emplace_back(fd);
    }
  }
  return (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0;
}

}  // namespace

std::string EncodeFrame(const Frame& frame) {
  std::string packet(kMagic);
  packet.reserve(kHeader + frame.payload.size());
  AppendNumber(static_cast<uint32_t>(frame.type), &packet);
  AppendNumber(frame.id, &packet);
  return packet.append(frame.payload);
}

absl::StatusOr<Frame> ParseFrame(std::string_view packet) {
  if (packet.size() < kHeader || packet.size() > kMaxFrame || !packet.starts_with(kMagic)) {
    return absl::InvalidArgumentError("a packet that is no frame");
  }
  const uint32_t type = NumberAt(packet, 4);
  if (type < static_cast<uint32_t>(FrameType::kHello) ||
      type > static_cast<uint32_t>(FrameType::kAnswer)) {
    return absl::InvalidArgumentError(fmt::format("a frame of unknown type {}", type));
  }
  return Frame{static_cast<FrameType>(type), NumberAt(packet, 8),
               std::string(packet.substr(kHeader))};
}

absl::Status WorkerChannel::Send(const Frame& frame, std::span<const int> fds) const {
  std::string packet = EncodeFrame(frame);
  if (packet.size() > kMaxFrame || fds.size() > kMaxFrameFds) {
    return absl::InvalidArgumentError(fmt::format("a frame of {} bytes", packet.size()));
  }
  iovec data = {packet.data(), packet.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  Control control = {};
  if (!fds.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  }
  // A worker has at most one call, so its packet always fits: whoever does not read is broken.
  for (;;) {
    if (sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return absl::OkStatus();
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET || errno == EAGAIN) {
      return absl::UnavailableError("the worker is gone");
    }
    return FromErrno(errno, "send to", "a worker");
  }
}

absl::StatusOr<WorkerChannel::Received> WorkerChannel::Receive(absl::Time deadline) const {
  PODKIT_RETURN_IF_ERROR(AwaitInput(socket_.get(), deadline));
  std::string packet(kMaxFrame, '\0');
  iovec data = {packet.data(), packet.size()};
  Control control = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t size = 0;
  do {
    size = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size == 0 || (size < 0 && errno == ECONNRESET)) {
    return absl::UnavailableError("the worker is gone");
  }
  if (size < 0) return FromErrno(errno, "receive from", "a worker");
  Received received;
  const bool whole = TakeFds(message, &received.fds);
  if (!whole) return absl::InvalidArgumentError("a packet too large for a frame");
  packet.resize(static_cast<size_t>(size));
  PODKIT_ASSIGN_OR_RETURN(received.frame, ParseFrame(packet));
  return received;
}

}  // namespace podkit::replica
