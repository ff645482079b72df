#include "tests/support/loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <list>
#include <stdexcept>
#include <thread>

#include "common/mutex.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::testing {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* tls) const { SSL_free(tls); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;

ContextPtr MakeContext(const LoopbackOptions& options) {
  if (options.certificate_file.empty()) return nullptr;
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL.
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr ||
      SSL_CTX_use_certificate_chain_file(context.get(), options.certificate_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw std::runtime_error("cannot use " + options.certificate_file);
  }
  return context;
}

int Listen(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd, 128) != 0) {
    throw std::runtime_error(fmt::format("cannot listen on port {}: {}", port, strerror(errno)));
  }
  return fd;
}

uint16_t PortOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// The bytes of one connection, in clear or through TLS.
class Stream {
 public:
  Stream(int fd, SSL_CTX* context) : fd_(fd) {
    if (context == nullptr) return;
    tls_.reset(SSL_new(context));
    SSL_set_fd(tls_.get(), fd);
    good_ = SSL_accept(tls_.get()) == 1;
  }

  // At least one byte more in `buffer`, or false at the end.
  bool ReadMore(std::string& buffer) {
    char bytes[16 * 1024];
    if (!good_) return false;
    const auto got =
        tls_ ? SSL_read(tls_.get(), bytes, sizeof(bytes)) : recv(fd_, bytes, sizeof(bytes), 0);
    if (got <= 0) return false;
    buffer.append(bytes, static_cast<size_t>(got));
    return true;
  }

  bool Write(std::string_view bytes) {
    while (good_ && !bytes.empty()) {
      const auto sent = tls_ ? SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()))
                             : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return good_;
  }

 private:
  const int fd_;
  bool good_ = true;
  std::unique_ptr<SSL, FreeContext> tls_;
};

// Takes the next request off `buffer`, which may hold the beginning of the one after it.
bool ReadRequest(Stream& stream, std::string& buffer, LoopbackRequest& request) {
  size_t head_end;
  while ((head_end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!stream.ReadMore(buffer)) return false;
  }
  const std::string head = buffer.substr(0, head_end);
  const auto lines = SplitText(head, '\n');
  const auto words = SplitText(TrimSpace(lines[0]), ' ');
  if (words.size() != 3) return false;
  request.method = words[0];
  request.path = words[1];
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = std::min(lines[i].find(':'), lines[i].size() - 1);
    std::string name(lines[i].substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), AsciiLower);
    request.headers[name] = TrimSpace(lines[i].substr(colon + 1));
  }
  buffer.erase(0, head_end + 4);
  const size_t length = ParseNumber<size_t>(request.headers["content-length"]).value_or(0);
  while (buffer.size() < length) {
    if (!stream.ReadMore(buffer)) return false;
  }
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return true;
}

std::string ReplyText(const LoopbackReply& reply) {
  std::string text =
      fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", reply.status, reply.body.size());
  for (const auto& [name, value] : reply.headers) text += fmt::format("{}: {}\r\n", name, value);
  return text + "\r\n" + reply.body;
}

}  // namespace

struct LoopbackServer::State {
  struct Connection {
    int fd;
    std::thread thread;
  };

  const Handler handler;
  const ContextPtr context;
  const int listener;
  const uint16_t port;
  std::atomic<int> accepted{0};
  Mutex mutex;
  CondVar stopped;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::list<Connection> connections ABSL_GUARDED_BY(mutex);
  std::thread acceptor;

  State(Handler the_handler, const LoopbackOptions& options)
      : handler(std::move(the_handler)),
        context(MakeContext(options)),
        listener(Listen(options.port)),
        port(PortOf(listener)),
        acceptor([this] { Accept(); }) {}

  void Accept() {
    for (;;) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      MutexLock lock(&mutex);
      if (fd < 0 || stopping) {
        if (fd >= 0) close(fd);
        return;
      }
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      ++accepted;
      Connection& connection = connections.emplace_back();
      connection.fd = fd;
      connection.thread = std::thread([this, fd] { Serve(fd); });
    }
  }

  void Serve(int fd) {
    Stream stream(fd, context.get());
    std::string buffer;
    LoopbackRequest request;
    while (ReadRequest(stream, buffer, request) && Answer(stream, handler(request))) request = {};
    shutdown(fd, SHUT_RDWR);
  }

  // False if the connection ends with this reply.
  bool Answer(Stream& stream, const LoopbackReply& reply) {
    switch (reply.action) {
      case LoopbackReply::Action::kAnswer:
        return stream.Write(ReplyText(reply)) && !reply.close_after;
      case LoopbackReply::Action::kClose:
        return false;
      case LoopbackReply::Action::kCut: {
        const std::string text = ReplyText(reply);
        stream.Write(std::string_view(text).substr(0, text.size() - reply.body.size() / 2));
        return false;
      }
      case LoopbackReply::Action::kAnswerRaw:
        stream.Write(reply.body);
        return false;
      case LoopbackReply::Action::kStall:
        break;
    }
    MutexLock lock(&mutex);
    while (!stopping) stopped.Wait(&mutex);
    return false;
  }

  void Stop() {
    std::list<Connection> ending;
    {
      MutexLock lock(&mutex);
      stopping = true;
      ending.swap(connections);
    }
    shutdown(listener, SHUT_RDWR);  // Wakes the acceptor.
    acceptor.join();
    for (const Connection& connection : ending) shutdown(connection.fd, SHUT_RDWR);
    stopped.SignalAll();
    for (Connection& connection : ending) {
      connection.thread.join();
      close(connection.fd);
    }
    close(listener);
  }
};

LoopbackServer::LoopbackServer(Handler handler, const LoopbackOptions& options)
    : state_(std::make_unique<State>(std::move(handler), options)) {}
LoopbackServer::~LoopbackServer() { state_->Stop(); }

uint16_t LoopbackServer::port() const { return state_->port; }
int LoopbackServer::connections() const { return state_->accepted; }

std::string LoopbackServer::address() const {
  return fmt::format("{}://127.0.0.1:{}", state_->context ? "https" : "http", state_->port);
}

}  // namespace podkit::testing
