// A connection after the 101: its channel as a stream for the protocol that was switched to.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "common/channel.h"
#include "podkit/conduit/stream_pump.h"
#include "servers/http/http_stats.h"

namespace podkit::servers {

class UpgradedStream final : public conduit::StreamPump {
 public:
  struct Owner {
    HttpStats* stats;
    std::thread::id thread;                  // The io thread.
    std::function<void()> kick;              // See StreamPump::Kick.
    std::function<void(bool linger)> ended;  // See StreamPump::Ended.
  };

  // `channel` has done its handshake and stays the caller's, up to `ended`.
  UpgradedStream(Channel* channel, std::string peer, Owner owner);

  std::string ChannelBinding() const override { return binding_; }
  std::string peer() const override { return peer_; }

 private:
  Moved Read(std::span<char> buffer) override;
  Moved Write(std::string_view bytes) override;
  bool MayHoldInput() const override { return channel_->MayHoldInput(); }
  void Kick() override { owner_.kick(); }
  bool OnLoopThread() const override { return std::this_thread::get_id() == owner_.thread; }
  void Ended(bool linger) override;

  Channel* const channel_;
  const std::string peer_;
  const std::string binding_;
  const Owner owner_;
};

}  // namespace podkit::servers
