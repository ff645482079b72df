// A server on loopback that does with each connection what a script says, for tests of clients.
//
// Each connection has a thread of its own, on which the script runs. A wait ends after ten seconds
// and fails the script, which only closes its connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace podkit::testing {

class RawConnection {
 public:
  explicit RawConnection(int socket) : socket_(socket) {}
  ~RawConnection() { close(socket_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      Wait(POLLOUT);
      const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) throw std::runtime_error("the client is gone");
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // What comes, empty at the end.
  std::string Receive() {
    char buffer[64 * 1024];
    Wait(POLLIN);
    const ssize_t n = recv(socket_, buffer, sizeof(buffer), 0);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }
  // Up to and with `end`.
  std::string ReceiveTo(std::string_view end) {
    std::string bytes;
    while (bytes.find(end) == std::string::npos) {
      const std::string more = Receive();
      if (more.empty()) throw std::runtime_error("the client is gone");
      bytes += more;
    }
    return bytes;
  }
  void AwaitEnd() {
    while (!Receive().empty()) {
    }
  }
  // Ends it as the death of the machine would: with a reset.
  void Abort() {
    const linger now = {1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }

 private:
  void Wait(short event) {
    pollfd waiting = {socket_, event, 0};
    if (poll(&waiting, 1, 10'000) != 1) throw std::runtime_error("timed out on a socket");
  }

  const int socket_;
};

class RawServer {
 public:
  using Script = std::function<void(RawConnection&)>;

  explicit RawServer(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || bind(listener_, raw, size) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, raw, &size) != 0) {
      throw std::runtime_error("cannot listen on loopback");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  // Waits for the scripts.
  ~RawServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    for (std::thread& thread : threads_) thread.join();
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void Accept() {
    for (;;) {
      const int accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) return;
      threads_.emplace_back([this, accepted] {
        RawConnection connection(accepted);
        try {
          script_(connection);
        } catch (const std::runtime_error&) {
          // The client did not what the script is about; the test sees its side of it.
        }
      });
    }
  }

  const Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // The acceptor's until it has ended.
};

}  // namespace podkit::testing
