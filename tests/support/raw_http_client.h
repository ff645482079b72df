// An HTTP client that sends exactly the bytes it is told to, for tests of servers.
//
// Owner-thread. A wait ends after ten seconds with std::runtime_error, which fails the test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/text.h"

namespace podkit::testing {

struct RawHttpReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;
};

class RawHttpClient {
 public:
  explicit RawHttpClient(uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      const int error = errno;
      Close();
      throw std::system_error(error, std::generic_category(), "connect");
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  ~RawHttpClient() { Close(); }
  RawHttpClient(const RawHttpClient&) = delete;
  RawHttpClient& operator=(const RawHttpClient&) = delete;

  int socket_handle() const { return socket_; }

  // False if the server has closed the connection.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      Wait(POLLOUT);
      const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  // The next reply, interim ones (1xx) included. Its body must have a Content-Length; that of a
  // reply to HEAD is not waited for.
  RawHttpReply Receive(bool head_request = false) {
    RawHttpReply reply;
    while (input_.find("\r\n\r\n") == std::string::npos) Fill("the head of a reply");
    const size_t end = input_.find("\r\n\r\n");
    ParseHead(std::string_view(input_).substr(0, end), &reply);
    input_.erase(0, end + 4);
    const auto length = reply.headers.find("content-length");
    if (head_request || length == reply.headers.end()) return reply;
    const size_t size = std::stoul(length->second);
    while (input_.size() < size) Fill("the body of a reply");
    reply.body = input_.substr(0, size);
    input_.erase(0, size);
    return reply;
  }
  RawHttpReply Exchange(std::string_view request) {
    if (!Send(request)) throw std::runtime_error("the server closed before the request");
    return Receive();
  }

  // For what follows after a 101: waits until more has come; takes what has.
  void FillInput() { Fill("more bytes"); }
  std::string TakeInput() { return std::exchange(input_, {}); }

  // True if nothing but the end of the connection follows.
  bool AtEnd() {
    char byte;
    Wait(POLLIN);
    return input_.empty() && recv(socket_, &byte, 1, 0) <= 0;
  }

  // Tells the server that nothing follows, and goes on reading.
  void CloseWrite() { shutdown(socket_, SHUT_WR); }

  // Ends the connection as the death of the machine would: with a reset.
  void Abort() {
    const linger now = {1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }

  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

 private:
  void Wait(short event) {
    pollfd waiting = {socket_, event, 0};
    if (poll(&waiting, 1, 10'000) != 1) throw std::runtime_error("timed out on a socket");
  }

  void Fill(std::string_view what) {
    char buffer[16 * 1024];
    Wait(POLLIN);
    const ssize_t n = recv(socket_, buffer, sizeof(buffer), 0);
    if (n <= 0) throw std::runtime_error("the server closed before " + std::string(what));
    input_.append(buffer, static_cast<size_t>(n));
  }

  static void ParseHead(std::string_view head, RawHttpReply* reply) {
    for (std::string_view line : SplitText(head, '\n')) {
      line = TrimSpace(line);
      const size_t colon = line.find(':');
      if (reply->status == 0) {
        if (!line.starts_with("HTTP/1.1 "))
          throw std::runtime_error("no HTTP: " + std::string(line));
        reply->status = std::stoi(std::string(line.substr(9, 3)));
      } else {
        std::string name(line.substr(0, colon));
        for (char& c : name) c = AsciiLower(c);
        reply->headers[name] = TrimSpace(line.substr(colon + 1));
      }
    }
  }

  int socket_;
  std::string input_;
};

}  // namespace podkit::testing
