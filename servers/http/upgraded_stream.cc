#include "servers/http/upgraded_stream.h"

#include <utility>

namespace podkit::servers {
namespace {

// Clear text could leave on any thread; but replies come from many workers at once, and what they
// have to say together goes out in one write of the io thread.
constexpr bool kWriteOnWake = false;

}  // namespace

UpgradedStream::UpgradedStream(Channel* channel, std::string peer, Owner owner)
    : StreamPump(kWriteOnWake),
      channel_(channel),
      peer_(std::move(peer)),
      binding_(channel->Binding()),
      owner_(std::move(owner)) {
  HttpStats::Add(owner_.stats->upgraded);
  HttpStats::Add(owner_.stats->upgraded_open);
}

conduit::StreamPump::Moved UpgradedStream::Read(std::span<char> buffer) {
  const Channel::Moved moved = channel_->Read(buffer);
  HttpStats::Add(owner_.stats->bytes_received, moved.bytes);
  return {static_cast<Outcome>(moved.outcome), moved.bytes, moved.error};
}

conduit::StreamPump::Moved UpgradedStream::Write(std::string_view bytes) {
  const Channel::Moved moved = channel_->Write(bytes);
  HttpStats::Add(owner_.stats->bytes_sent, moved.bytes);
  return {static_cast<Outcome>(moved.outcome), moved.bytes, moved.error};
}

void UpgradedStream::Ended(bool linger) {
  owner_.stats->upgraded_open.fetch_sub(1, std::memory_order_relaxed);
  owner_.ended(linger);
}

}  // namespace podkit::servers
