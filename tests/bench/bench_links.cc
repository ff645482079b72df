// What a link between two hosts costs: the memory of one that is idle, and messages to and fro
// beside bare sockets in an epoll loop.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "mux/dialer.h"
#include "mux/link.h"
#include "mux/upgrade.h"
#include "servers/http/http_server.h"
#include "tests/bench/load.h"

namespace podkit::bench {
namespace {

using conduit::ByteStream;
using conduit::Pod;
using conduit::Pods;
using conduit::StreamAcceptor;
using conduit::StreamUser;
using conduit::internal::Dialer;
using conduit::internal::HandshakeConfig;
using conduit::internal::MuxLink;
using conduit::internal::MuxLinkConfig;
using servers::HttpRequest;
using servers::HttpResponse;
using servers::HttpServer;

constexpr size_t kMessage = 128;
constexpr size_t kInFlight = 64;

// Counts up to what is waited for.
class Counter {
 public:
  void Add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool Await(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(120), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
};

std::unique_ptr<HttpServer> StartServer(StreamAcceptor acceptor) {
  servers::Router router;
  servers::HttpServerOptions options;
  options.max_connections = 1 << 20;
  const auto added =
      router.AddUpgrade(conduit::internal::kUpgradePath, conduit::internal::kUpgradeProtocol,
                        [acceptor = std::move(acceptor)](const HttpRequest&) {
                          return HttpResponse::SwitchTo(acceptor);
                        });
  auto server = HttpServer::Start(std::move(options), std::move(router));
  if (!added.ok() || !server.ok()) std::abort();
  return *std::move(server);
}

std::unique_ptr<Dialer> MakeDialer(const std::shared_ptr<conduit::Scheduler>& scheduler) {
  auto dialer = Dialer::Create({.scheduler = scheduler});
  if (!dialer.ok()) std::abort();
  return *std::move(dialer);
}

void Failed(const absl::Status& why) {
  std::fprintf(stderr, "%s\n", why.ToString().c_str());
  std::abort();
}

// Sends back what comes. One thread reads and writes it.
class Echo : public StreamUser {
 public:
  explicit Echo(std::shared_ptr<ByteStream> stream) : stream_(std::move(stream)) {}
  void Receive(std::string_view bytes) override {
    output_.append(bytes);
    stream_->Wake();
  }
  std::string TakeOutput() override { return std::exchange(output_, {}); }
  void Closed(const absl::Status&) override { stream_.reset(); }

 protected:
  std::shared_ptr<ByteStream> stream_;
  std::string output_;
};

// Sends a message again for each one that came back.
class Pinger final : public Echo {
 public:
  Pinger(std::shared_ptr<ByteStream> stream, std::atomic<uint64_t>* bytes)
      : Echo(std::move(stream)), bytes_(bytes) {
    output_.assign(kMessage * kInFlight, 'x');
  }
  void Receive(std::string_view bytes) override {
    *bytes_ += bytes.size();
    Echo::Receive(bytes);
  }

 private:
  std::atomic<uint64_t>* const bytes_;
};

double MessagesPerSecond(const std::atomic<uint64_t>& bytes, std::chrono::milliseconds round) {
  while (bytes == 0) std::this_thread::yield();
  const uint64_t before = bytes;
  const auto start = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(round);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return static_cast<double>(bytes - before) / kMessage / took.count();
}

double EchoThroughStreams(std::chrono::milliseconds round) {
  std::atomic<uint64_t> bytes = 0;
  const auto server = StartServer(
      [](std::shared_ptr<ByteStream> stream) { return std::make_shared<Echo>(std::move(stream)); });
  const auto dialer = MakeDialer(conduit::MakeSystemScheduler());
  dialer->Dial(
      {.host = fmt::format("http://127.0.0.1:{}", server->port())},
      [&](std::shared_ptr<ByteStream> stream) {
        return std::make_shared<Pinger>(std::move(stream), &bytes);
      },
      Failed);
  const double rate = MessagesPerSecond(bytes, round);
  dialer->Stop();
  return rate;
}

// One end of a bare connection: sends back what comes, in an epoll loop.
void EchoBare(int fd, std::atomic<uint64_t>* bytes) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  std::vector<char> buffer(size_t{256} << 10);
  for (;;) {
    if (epoll_wait(epoll, &event, 1, -1) < 1) continue;
    const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) break;
    if (bytes != nullptr) *bytes += static_cast<uint64_t>(n);
    if (send(fd, buffer.data(), static_cast<size_t>(n), MSG_NOSIGNAL) != n) break;
  }
  close(epoll);
}

double EchoThroughSockets(std::chrono::milliseconds round) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, raw, size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, raw, &size) != 0 || connect(client, raw, size) != 0) {
    std::abort();
  }
  const int server = accept(listener, nullptr, nullptr);
  const int on = 1;
  for (const int fd : {client, server}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  std::atomic<uint64_t> bytes = 0;
  std::thread far([&] { EchoBare(server, nullptr); });
  std::thread near([&] { EchoBare(client, &bytes); });
  const std::string first(kMessage * kInFlight, 'x');
  if (send(client, first.data(), first.size(), MSG_NOSIGNAL) < 0) std::abort();
  const double rate = MessagesPerSecond(bytes, round);
  shutdown(client, SHUT_RDWR);
  shutdown(server, SHUT_RDWR);
  far.join();
  near.join();
  for (const int fd : {client, server, listener}) close(fd);
  return rate;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void BenchEcho(int rounds, std::chrono::milliseconds round) {
  std::vector<double> streams;
  std::vector<double> sockets;
  for (int i = 0; i < rounds; ++i) {
    streams.push_back(EchoThroughStreams(round));
    sockets.push_back(EchoThroughSockets(round));
  }
  PrintFigure("links/stream_echo_64", Median(streams), "messages/s");
  PrintFigure("links/bare_socket_echo_64", Median(sockets), "messages/s");
  PrintRatio("links/stream_echo_to_bare_sockets_64", Median(streams) / Median(sockets), 0.7);
}

// Of this process, in bytes.
double ResidentMemory() {
  std::ifstream status("/proc/self/statm");
  double total = 0;
  double resident = 0;
  status >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::shared_ptr<Pods> PodsOf(std::string own_id) {
  const std::string key(32, 'k');
  return *Pods::Create({Pod{.id = "A", .keys = {key}}, Pod{.id = "B", .keys = {key}}},
                       std::move(own_id));
}

// Both ends of `count` links in this process, which then do nothing.
void BenchIdle(size_t count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  count = std::min<size_t>(count, (limit.rlim_cur - 100) / 2);
  const auto scheduler = conduit::MakeSystemScheduler();
  Counter connected;
  const auto config_of = [&](std::string pod) {
    MuxLinkConfig config{
        .identity = {.pods = PodsOf(std::move(pod))}, .scheduler = scheduler, .handlers = {}};
    config.handlers.on_connected = [&](const auto&) { connected.Add(); };
    return config;
  };
  const MuxLinkConfig of_a = config_of("A");
  const MuxLinkConfig of_b = config_of("B");
  const auto server = StartServer(
      [&](std::shared_ptr<ByteStream> stream) { return MuxLink::Accept(std::move(stream), of_b); });
  const auto dialer = MakeDialer(scheduler);
  const auto b = of_a.identity.pods->Find("B");
  const std::string host = fmt::format("http://127.0.0.1:{}", server->port());
  constexpr size_t kWarm = 10;  // So that what is shared by all is not counted.
  double before = 0;
  constexpr size_t kAtOnce = 100;
  for (size_t done = 0; done < count + kWarm;) {
    const size_t batch = done == 0 ? kWarm : std::min(kAtOnce, count + kWarm - done);
    for (size_t i = 0; i < batch; ++i) {
      dialer->Dial(
          {.host = host},
          [&](std::shared_ptr<ByteStream> stream) {
            return MuxLink::Dial(std::move(stream), b, of_a);
          },
          Failed);
    }
    done += batch;
    if (!connected.Await(2 * done)) std::abort();
    if (done == kWarm) before = ResidentMemory();
  }
  const double bytes = (ResidentMemory() - before) / static_cast<double>(count);
  PrintFigure("links/idle_links", static_cast<double>(count), "links");
  PrintFigure("links/idle_memory_both_ends", bytes / 1024, "KiB/link");
  dialer->Stop();
}

}  // namespace
}  // namespace podkit::bench

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  podkit::bench::BenchIdle(quick ? 100 : 10'000);
  podkit::bench::BenchEcho(quick ? 1 : 5, std::chrono::milliseconds(quick ? 20 : 500));
}
