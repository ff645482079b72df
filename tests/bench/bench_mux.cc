// Small calls on one multiplexed link, without a conduit above it: what the protocol costs.
//
// "memory" moves the bytes between the two ends by hand, on one thread, so it counts the work of
// both and nothing else. "socket" is a pair of sockets with one thread at each end, as a server
// would have it. "plain" is what runs over TLS, without the TLS; "sealed" is encrypted by the link.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "mux/link.h"
#include "tests/bench/load.h"

namespace podkit::bench {
namespace {

using conduit::ByteStream;
using conduit::Pod;
using conduit::Pods;
using conduit::Scheduler;
using conduit::StreamUser;
using conduit::WireReply;
using conduit::internal::IncomingCall;
using conduit::internal::MuxLink;
using conduit::internal::MuxLinkConfig;
using Clock = std::chrono::steady_clock;

constexpr size_t kBodyBytes = 128;

std::shared_ptr<Pods> PodsOf(std::string own_id) {
  const std::string key(32, 'k');
  return *Pods::Create({Pod{.id = "A", .keys = {key}}, Pod{.id = "B", .keys = {key}}},
                       std::move(own_id));
}

// What carries bytes for a link: written when it wakes, from whatever thread that is.
class BenchStream : public ByteStream {
 public:
  explicit BenchStream(bool tls) : tls_(tls) {}
  void Attach(std::shared_ptr<StreamUser> user) { user_ = std::move(user); }
  void Detach() { user_ = nullptr; }
  std::string ChannelBinding() const override { return tls_ ? std::string(32, 'x') : ""; }
  std::string peer() const override { return "bench"; }
  void Close() override {}

 protected:
  std::shared_ptr<StreamUser> user_;

 private:
  const bool tls_;
};

class MemoryStream final : public BenchStream {
 public:
  using BenchStream::BenchStream;
  void Wake() override {}
  // False if there was nothing to move.
  bool MoveTo(MemoryStream& other) {
    const std::string bytes = user_->TakeOutput();
    if (bytes.empty()) return false;
    other.user_->Receive(bytes);
    return true;
  }
};

class SocketStream final : public BenchStream {
 public:
  SocketStream(int socket, bool tls) : BenchStream(tls), socket_(socket) {}
  void Start() {
    Wake();
    reader_ = std::thread([this] { Read(); });
  }
  void Stop() {
    shutdown(socket_, SHUT_RDWR);
    reader_.join();
    close(socket_);
    Detach();
  }

  void Wake() override {
    // Whoever wakes a stream that nobody writes to writes for all who come meanwhile.
    if (wakes_.fetch_add(1) != 0) return;
    for (int seen = 1; seen != 0; seen = wakes_.fetch_sub(seen) - seen) {
      for (std::string bytes; !(bytes = user_->TakeOutput()).empty();) Write(bytes);
    }
  }

 private:
  void Write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
  }
  void Read() {
    std::vector<char> buffer(256 << 10);
    for (;;) {
      const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
      if (count <= 0) return;
      user_->Receive({buffer.data(), static_cast<size_t>(count)});
    }
  }

  const int socket_;
  std::atomic<int> wakes_{0};
  std::thread reader_;
};

// Keeps `depth` calls in flight until the time is up.
class Caller {
 public:
  Caller(std::shared_ptr<MuxLink> link, int depth, size_t body_bytes, Clock::time_point end)
      : link_(std::move(link)), body_(body_bytes, 'b'), end_(end), left_(depth) {
    for (int i = 0; i < depth; ++i) Call();
  }
  bool running() const { return !over_.try_wait(); }
  int64_t Wait() const {
    over_.wait();
    return calls_.load();
  }
  int64_t calls() const { return calls_.load(); }

 private:
  void Call() {
    link_->Start({.content_type = "application/json", .body = body_},
                 [this](const absl::StatusOr<WireReply>& reply) {
                   if (!reply.ok() || reply->body.size() != body_.size()) {
                     fmt::print(stderr, "a call failed: {}\n", reply.status().ToString());
                     std::abort();
                   }
                   calls_.fetch_add(1, std::memory_order_relaxed);
                   if (Clock::now() < end_) return Call();
                   if (left_.fetch_sub(1) == 1) over_.count_down();
                 });
  }

  const std::shared_ptr<MuxLink> link_;
  const std::string body_;
  const Clock::time_point end_;
  std::atomic<int64_t> calls_{0};
  std::atomic<int> left_;
  mutable std::latch over_{1};
};

template <typename Stream>
struct Pair {
  Pair(std::shared_ptr<Stream> of_a, std::shared_ptr<Stream> of_b)
      : stream_a(std::move(of_a)), stream_b(std::move(of_b)) {
    auto pods = PodsOf("A");
    const auto config = [&](std::shared_ptr<Pods> own) {
      return MuxLinkConfig{.identity = {.pods = std::move(own)}, .scheduler = scheduler};
    };
    MuxLinkConfig config_of_a = config(pods);
    config_of_a.handlers.on_connected = [this](const auto&) { connected.count_down(); };
    MuxLinkConfig config_of_b = config(PodsOf("B"));
    config_of_b.handlers.on_call = [](const std::shared_ptr<IncomingCall>& call) {
      call->Reply({.content_type = "application/json", .body = std::move(call->request().body)});
    };
    a = MuxLink::Dial(stream_a, pods->Find("B"), std::move(config_of_a));
    b = MuxLink::Accept(stream_b, std::move(config_of_b));
    stream_a->Attach(a);
    stream_b->Attach(b);
  }
  std::latch connected{1};
  std::shared_ptr<Scheduler> scheduler = conduit::MakeSystemScheduler();
  std::shared_ptr<Stream> stream_a;
  std::shared_ptr<Stream> stream_b;
  std::shared_ptr<MuxLink> a;
  std::shared_ptr<MuxLink> b;
};

void Print(std::string_view way, int64_t calls, Clock::duration took, double cpu_seconds) {
  const double seconds = std::chrono::duration<double>(took).count();
  PrintFigure(fmt::format("mux/{}_calls", way), static_cast<double>(calls) / seconds, "calls/s");
  PrintFigure(fmt::format("mux/{}_cpu", way), cpu_seconds * 1e6 / static_cast<double>(calls), "us");
}

void BenchMemory(bool tls, int depth, std::chrono::milliseconds round) {
  Pair<MemoryStream> pair(std::make_shared<MemoryStream>(tls), std::make_shared<MemoryStream>(tls));
  const auto move = [&] {
    const bool there = pair.stream_a->MoveTo(*pair.stream_b);
    return pair.stream_b->MoveTo(*pair.stream_a) || there;
  };
  while (move()) {
  }
  const auto cpu = CpuTime();
  const auto start = Clock::now();
  const Caller caller(pair.a, depth, kBodyBytes, start + round);
  while (caller.running()) move();
  Print(fmt::format("memory_{}_{}", tls ? "plain" : "sealed", depth), caller.calls(),
        Clock::now() - start, (CpuTime() - cpu).count());
  pair.stream_a->Detach();
  pair.stream_b->Detach();
}

void BenchSocket(bool tls, int depth, size_t body_bytes, std::chrono::milliseconds round) {
  std::array<int, 2> sockets{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) != 0) std::abort();
  for (const int socket : sockets) {
    // Whoever reads also writes, and would wait for itself if these filled up.
    const int bytes = 32 << 20;
    if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0 &&
        body_bytes > 128) {
      return PrintFigure("mux/skipped_without_root", static_cast<double>(body_bytes), "bytes");
    }
  }
  Pair<SocketStream> pair(std::make_shared<SocketStream>(sockets[0], tls),
                          std::make_shared<SocketStream>(sockets[1], tls));
  pair.stream_a->Start();
  pair.stream_b->Start();
  pair.connected.wait();
  const auto cpu = CpuTime();
  const auto start = Clock::now();
  const Caller caller(pair.a, depth, body_bytes, start + round);
  const int64_t calls = caller.Wait();
  Print(fmt::format("socket_{}_{}_bytes_{}", tls ? "plain" : "sealed", body_bytes, depth), calls,
        Clock::now() - start, (CpuTime() - cpu).count());
  pair.stream_a->Stop();
  pair.stream_b->Stop();
}

}  // namespace
}  // namespace podkit::bench

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  const std::chrono::milliseconds round(quick ? 20 : 2000);
  for (const bool tls : {true, false}) {
    for (const int depth : {1, 64}) podkit::bench::BenchMemory(tls, depth, round);
    for (const int depth : {1, 16, 64, 256}) podkit::bench::BenchSocket(tls, depth, 128, round);
    podkit::bench::BenchSocket(tls, 64, 4096, round);
    podkit::bench::BenchSocket(tls, 4, 1 << 20, round);
  }
  return 0;
}
