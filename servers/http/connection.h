// One accepted socket: its channel, and the session or the stream that speaks on it.
//
// Lives on its io thread; workers only hold it and give it a reply.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/channel.h"
#include "servers/http/http_session.h"
#include "servers/http/http_stats.h"
#include "servers/http/io_thread.h"
#include "servers/http/upgraded_stream.h"

namespace podkit::servers {

class Connection;

// What the connections of one io thread share.
struct ConnectionLoop {
  explicit ConnectionLoop(ServerContext* shared) : server(shared), scratch(kScratchBytes) {}
  virtual ~ConnectionLoop() = default;

  virtual void Remove(Connection* connection) = 0;

  // One read of any connection: a session or a stream takes or copies what it is given.
  static constexpr size_t kScratchBytes = 256 << 10;

  ServerContext* const server;
  HttpStats stats;
  // Shared with the streams, which may be woken after the end.
  const std::shared_ptr<boost::asio::io_context> context =
      std::make_shared<boost::asio::io_context>(1);
  std::vector<char> scratch;
  std::string date;  // What the Date header says now.
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // The concrete executor: the type-erased default costs a tenth of a small request.
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;

  Connection(ConnectionLoop* loop, Socket socket, std::string peer);

  void Start(bool refuse);
  // Ends what takes too long.
  void Tick(TimePoint now);
  // Closes when idle; who speaks on a stream was told.
  void Drain();
  void Close();
  // Closes; a stream says why to its user.
  void Cut(std::string_view why);

 private:
  void Pump();
  // Each returns true if the pump can go on, false if it must wait or the connection is closed.
  bool Handshake();
  bool Flush(TimePoint now);
  bool Read(TimePoint now);
  bool DropInput();
  // Waits for what `outcome` wants, or closes.
  void Await(Channel::Outcome outcome);
  void Yield();
  void Submit(TimePoint now);
  void Complete(HttpResponse response);

  // After the 101.
  void SwitchToStream();
  UpgradedStream::Owner StreamOwner();
  void TurnStream(bool readable);
  void AwaitTurn(UpgradedStream::Wait wait);
  void AwaitSocket(Socket::wait_type what, bool* waiting);
  void EndStream(bool linger);
  void Linger();

  ConnectionLoop* const io_;
  Socket socket_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<HttpSession> session_;
  std::shared_ptr<UpgradedStream> stream_;        // In place of the session.
  TimePoint stream_deadline_ = TimePoint::max();  // While it closes.
  bool handshaken_ = false;
  bool drained_ = false;        // The last read left nothing.
  bool waiting_ = false;        // With a stream: for what can be read,
  bool waiting_write_ = false;  // or written.
  bool write_closed_ = false;
  bool closed_ = false;
};

}  // namespace podkit::servers
