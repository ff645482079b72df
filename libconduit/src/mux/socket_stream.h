// A connected socket on an IoLoop, as a stream.
//
// In clear, output may leave on the thread that wakes the stream; through TLS it is the loop's.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/channel.h"
#include "common/unique_fd.h"
#include "mux/io_loop.h"
#include "podkit/conduit/scheduler.h"
#include "podkit/conduit/stream_pump.h"

namespace podkit::conduit::internal {

class SocketStream final : public StreamPump,
                           public IoLoop::Handler,
                           public std::enable_shared_from_this<SocketStream> {
 public:
  struct Parts {
    UniqueFd fd;                       // Non-blocking and watched; the handler may be another one.
    std::unique_ptr<Channel> channel;  // Of `fd`, after its handshake.
    bool tls = false;
    std::string peer;
  };

  // Begins with what `acceptor` gives. On the loop thread.
  static void Open(std::shared_ptr<IoLoop> loop, std::shared_ptr<Scheduler> scheduler, Parts parts,
                   const StreamAcceptor& acceptor, std::string_view early);

  std::string ChannelBinding() const override { return binding_; }
  std::string peer() const override { return parts_.peer; }

 private:
  SocketStream(std::shared_ptr<IoLoop> loop, std::shared_ptr<Scheduler> scheduler, Parts parts);

  void OnReady(bool readable, bool writable) override;
  void OnStop() override;

  Moved Read(std::span<char> buffer) override;
  Moved Write(std::string_view bytes) override;
  bool MayHoldInput() const override { return parts_.channel->MayHoldInput(); }
  void Kick() override;
  bool OnLoopThread() const override { return loop_->OnThread(); }
  void Ended(bool linger) override;

  void Await(Wait wait);
  void Watch(bool reads, bool writes);
  void DropInput();
  void CutAt(absl::Time when);
  void CloseSocket();

  const std::shared_ptr<IoLoop> loop_;
  const std::shared_ptr<Scheduler> scheduler_;
  Parts parts_;
  const std::string binding_;
  bool reads_ = true;  // What is watched.
  bool writes_ = false;
  bool lingering_ = false;
  uint64_t cut_timer_ = 0;
};

}  // namespace podkit::conduit::internal
