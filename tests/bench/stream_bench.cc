#include "tests/bench/stream_bench.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/in_process.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/conduit/streams.h"
#include "servers/http/http_server.h"
#include "tests/bench/load.h"

namespace podkit::bench {
namespace {

using conduit::CallContext;
using conduit::CommandInfo;
using conduit::Conduit;
using conduit::ErrorList;
using conduit::Nothing;
using conduit::Pod;
using conduit::Pods;
using conduit::StreamEnd;
using conduit::StreamKind;
using conduit::Streams;
using conduit::Transport;
using servers::HttpRequest;
using servers::HttpResponse;
using servers::HttpServer;
using Clock = std::chrono::steady_clock;

constexpr size_t kPiece = size_t{1} << 20;

struct Put {
  static constexpr CommandInfo kInfo = {.name = "put"};
  static constexpr StreamKind kStream = StreamKind::kUpload;
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};
struct Get : Put {
  static constexpr CommandInfo kInfo = {.name = "get"};
  static constexpr StreamKind kStream = StreamKind::kDownload;
};

void Require(bool good) {
  if (!good) std::abort();
}

// Bytes in memory, copied out and in as a file that is cached would be.
const std::string& Block() {
  static const auto* const block = new std::string(kPiece, 'b');
  return *block;
}
absl::StatusOr<std::string> ReadBlock(uint64_t length, uint64_t offset, size_t max) {
  if (offset >= length) return std::string();
  return Block().substr(0, static_cast<size_t>(std::min<uint64_t>(max, length - offset)));
}
absl::Status WriteBlock(std::string& block, std::string_view bytes) {
  block.assign(bytes);
  return absl::OkStatus();
}

struct Source : conduit::StreamSource {
  explicit Source(uint64_t the_length) : length(the_length) {}
  absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
    return ReadBlock(length, offset, max);
  }
  const uint64_t length;
};
struct Sink : conduit::StreamSink {
  absl::Status Write(uint64_t, std::string_view bytes) override { return WriteBlock(block, bytes); }
  std::string block;
};
struct ServedSink : conduit::UploadSink<Nothing> {
  absl::Status Write(uint64_t, std::string_view bytes) override { return WriteBlock(block, bytes); }
  absl::StatusOr<Nothing> Finish(const StreamEnd&) override { return Nothing(); }
  void Abort() override {}
  std::string block;
};
struct ServedSource : conduit::DownloadSource<Nothing> {
  explicit ServedSource(uint64_t the_length) : length(the_length) {}
  absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
    return ReadBlock(length, offset, max);
  }
  absl::StatusOr<Nothing> Finish(const StreamEnd&) override { return Nothing(); }
  const uint64_t length;
};

double MegabytesPerSecond(uint64_t bytes, const std::function<void()>& move) {
  const auto start = Clock::now();
  move();
  const std::chrono::duration<double> took = Clock::now() - start;
  return static_cast<double>(bytes) / 1e6 / took.count();
}

// A connection on loopback: what is sent into one end comes out of the other.
std::pair<int, int> Connection() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  Require(bind(listener, generic, size) == 0 && listen(listener, 1) == 0 &&
          getsockname(listener, generic, &size) == 0);
  const int from = socket(AF_INET, SOCK_STREAM, 0);
  Require(connect(from, generic, size) == 0);
  const int to = accept(listener, nullptr, nullptr);
  Require(to >= 0);
  close(listener);
  return {from, to};
}

// One thread copies and sends, one receives and copies: nothing is hashed, checked or framed.
double BareSocket(uint64_t length) {
  const auto [from, to] = Connection();
  return MegabytesPerSecond(length, [&, from = from, to = to] {
    std::thread sender([&] {
      for (uint64_t offset = 0; offset < length; offset += kPiece) {
        const std::string piece = *ReadBlock(length, offset, kPiece);
        for (std::string_view rest = piece; !rest.empty();) {
          const ssize_t count = send(from, rest.data(), rest.size(), 0);
          Require(count > 0);
          rest.remove_prefix(static_cast<size_t>(count));
        }
      }
      close(from);
    });
    std::vector<char> buffer(size_t{256} << 10);
    std::string block;
    ssize_t count = 0;
    while ((count = recv(to, buffer.data(), buffer.size(), 0)) > 0) {
      block.assign(buffer.data(), static_cast<size_t>(count));
    }
    sender.join();
    close(to);
  });
}

// Two pods with a transport between them.
class Pair {
 public:
  Pair(Transport& transport_of_a, Transport& transport_of_b, uint64_t length,
       const std::vector<std::string>& hosts_of_b)
      : a(PodsOf("A", hosts_of_b), &transport_of_a),
        b(PodsOf("B", hosts_of_b), &transport_of_b),
        length_(length) {
    streams_of_b_.HandleUpload<Put>(
        [](const CallContext&,
           const Nothing&) -> absl::StatusOr<std::unique_ptr<conduit::UploadSink<Nothing>>> {
          return std::make_unique<ServedSink>();
        });
    streams_of_b_.HandleDownload<Get>(
        [length](
            const CallContext&,
            const Nothing&) -> absl::StatusOr<std::unique_ptr<conduit::DownloadSource<Nothing>>> {
          return std::make_unique<ServedSource>(length);
        });
  }

  static std::shared_ptr<Pods> PodsOf(std::string own_id, std::vector<std::string> hosts_of_b) {
    const std::string key(32, 'k');
    return *Pods::Create({Pod{.id = "A", .keys = {key}},
                          Pod{.id = "B", .hosts = std::move(hosts_of_b), .keys = {key}}},
                         std::move(own_id));
  }

  double Up() {
    return MegabytesPerSecond(length_, [&] {
      Source source(length_);
      Require(streams_of_a_.Upload<Put>("B", {}, {}, source).ok());
    });
  }
  double Down() {
    return MegabytesPerSecond(length_, [&] {
      Sink sink;
      Require(streams_of_a_.Download<Get>("B", {}, {}, sink).ok());
    });
  }

  Conduit a;
  Conduit b;

 private:
  const uint64_t length_;
  Streams streams_of_a_{&a};
  Streams streams_of_b_{&b};
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// In turn with the bare socket, so that what else the machine does meets all alike.
void Measure(std::string_view way, Pair& pair, uint64_t length, int rounds, double goal) {
  std::vector<double> up;
  std::vector<double> down;
  std::vector<double> bare;
  for (int i = 0; i < rounds; ++i) {
    up.push_back(pair.Up());
    bare.push_back(BareSocket(length));
    down.push_back(pair.Down());
  }
  PrintFigure(fmt::format("conduit/stream_up_{}", way), Median(up), "MB/s");
  PrintFigure(fmt::format("conduit/stream_down_{}", way), Median(down), "MB/s");
  PrintFigure(fmt::format("conduit/stream_bare_socket_beside_{}", way), Median(bare), "MB/s");
  PrintRatio(fmt::format("conduit/stream_{}_to_bare_socket", way),
             std::min(Median(up), Median(down)) / Median(bare), goal);
}

void BenchInProcess(uint64_t length, int rounds) {
  conduit::InProcessNetwork network(4);
  Pair pair(network, network, length, {});
  network.Connect("B",
                  [&](const conduit::WireRequest& request) { return pair.b.Receive(request); });
  Measure("in_process", pair, length, rounds, 0.1);
  network.Connect("B", {});
}

HttpResponse Answer(Conduit& b, const HttpRequest& request) {
  const auto header = [&](std::string_view name) {
    return std::string(request.headers.Find(name).value_or(""));
  };
  conduit::WireReply reply = b.Receive({.content_type = header("content-type"),
                                        .authorization = header("authorization"),
                                        .body = request.body});
  HttpResponse response{.status = reply.status, .headers = {}, .body = std::move(reply.body)};
  response.headers.emplace_back("Content-Type", std::move(reply.content_type));
  response.headers.emplace_back("X-Podkit-Authorization", std::move(reply.authorization));
  return response;
}

std::unique_ptr<HttpServer> Start(servers::Router router) {
  auto server = HttpServer::Start({}, std::move(router));
  Require(server.ok());
  return *std::move(server);
}

std::string AddressOf(const HttpServer& server) {
  return fmt::format("http://127.0.0.1:{}", server.port());
}

void BenchHttp(uint64_t length, int rounds) {
  conduit::HttpTransport transport;
  Conduit* b = nullptr;
  servers::Router router;
  Require(router
              .Add("POST", conduit::kConduitPath,
                   [&](const HttpRequest& request) { return Answer(*b, request); })
              .ok());
  const auto server = Start(std::move(router));
  Pair pair(transport, transport, length, {AddressOf(*server)});
  b = &pair.b;
  Measure("http", pair, length, rounds, 0.1);
  server->Stop(absl::Seconds(1));
}

void BenchLinks(uint64_t length, int rounds) {
  auto transport_of_b = *conduit::MuxTransport::Create(Pair::PodsOf("B", {}));
  servers::Router router;
  Require(router
              .AddUpgrade(conduit::kMuxPath, conduit::kMuxProtocol,
                          [&](const HttpRequest&) {
                            return HttpResponse::SwitchTo(transport_of_b->Acceptor());
                          })
              .ok());
  const auto server = Start(std::move(router));
  const std::vector<std::string> hosts = {AddressOf(*server)};
  auto transport_of_a = *conduit::MuxTransport::Create(Pair::PodsOf("A", hosts));
  Pair pair(*transport_of_a, *transport_of_b, length, hosts);
  transport_of_b->Serve([&](conduit::ReceivedCall call) { pair.b.Answer(std::move(call)); });
  Measure("links", pair, length, rounds, 0.1);
  server->Stop(absl::Seconds(1));
  transport_of_a->Stop();
  transport_of_b->Stop();
}

}  // namespace

void RunStreamBench(bool quick) {
  const uint64_t length = (quick ? 3 : 200) * uint64_t{kPiece} + 1;
  const int rounds = quick ? 1 : 5;
  BenchInProcess(length, rounds);
  BenchHttp(length, rounds);
  BenchLinks(length, rounds);
}

}  // namespace podkit::bench
