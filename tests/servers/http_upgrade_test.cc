// Connections that switch from HTTP to another protocol.

#include <fmt/format.h>

#include <future>
#include <memory>
#include <thread>

#include "servers/http/http_server.h"
#include "tests/servers/http_server_bed.h"
#include "tests/support/catch.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/stream_users.h"

namespace podkit::servers {
namespace {

using testing::EchoUser;
using testing::RawHttpClient;
using testing::RawHttpReply;
using testing::RecordingUser;

const std::string kUpgrade =
    "GET /up HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n"
    "Upgrade: other/2, echo/1\r\n\r\n";

// A server whose /up gives streams to users of type User.
template <typename User>
class UpgradeBed {
 public:
  explicit UpgradeBed(UpgradeOptions upgrade = {}, HttpServerOptions options = {}) {
    Router router = Routes();
    upgrade.stopping = [this] {
      ++stopping;
      if (close_when_stopping) user()->Close();
    };
    const absl::Status added = router.AddUpgrade(
        "/up", "echo/1", [this](const HttpRequest& request) { return Answer(request); },
        std::move(upgrade));
    REQUIRE(added == absl::OkStatus());
    server = MustStart(std::move(options), std::move(router));
  }

  std::shared_ptr<User> user() { return promise.get_future().get(); }

  HttpResponse Answer(const HttpRequest&) {
    return HttpResponse::SwitchTo([this](std::shared_ptr<conduit::ByteStream> stream) {
      auto user = std::make_shared<User>(std::move(stream));
      promise.set_value(user);
      return user;
    });
  }

  std::promise<std::shared_ptr<User>> promise;
  std::atomic<int> stopping = 0;
  bool close_when_stopping = false;
  std::unique_ptr<HttpServer> server;
};

// Reads `count` bytes that follow a 101.
std::string ReadRaw(RawHttpClient& client, size_t count) {
  std::string bytes = client.TakeInput();
  while (bytes.size() < count) {
    client.FillInput();
    bytes += client.TakeInput();
  }
  return bytes;
}

}  // namespace

TEST_CASE("HttpServer switches to another protocol", "[http][server][upgrade]") {
  const HandlerThread thread = GENERATE(HandlerThread::kInline, HandlerThread::kPool);
  UpgradeBed<EchoUser> bed({.thread = thread});
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kGet).status == 200);  // Ordinary requests before it.
  const RawHttpReply reply = client.Exchange(kUpgrade);
  CHECK(reply.status == 101);
  CHECK(reply.headers.at("connection") == "Upgrade");
  CHECK(reply.headers.at("upgrade") == "echo/1");
  CHECK(reply.headers.count("content-length") == 0);
  REQUIRE(client.Send("hello"));
  CHECK(ReadRaw(client, 5) == "hello");
  const auto user = bed.user();
  CHECK(user->stream()->peer().starts_with("127.0.0.1:"));
  CHECK(user->stream()->ChannelBinding().empty());
  user->Send("unasked");
  CHECK(ReadRaw(client, 7) == "unasked");
  HttpCounters counters = bed.server->counters();
  CHECK(counters.upgraded == 1);
  CHECK(counters.upgraded_open == 1);
  CHECK(counters.connections_open == 1);
  CHECK(counters.responses[1] == 1);
  client.Close();
  CHECK(user->AwaitClosed() == absl::OkStatus());
  Await([&] { return bed.server->counters().connections_open == 0; });
  CHECK(bed.server->counters().upgraded_open == 0);
  CHECK_FALSE(user->misused());
}

TEST_CASE("HttpServer hands on what came behind an upgrade", "[http][server][upgrade]") {
  const HandlerThread thread = GENERATE(HandlerThread::kInline, HandlerThread::kPool);
  UpgradeBed<EchoUser> bed({.thread = thread});
  RawHttpClient client(bed.server->port());
  REQUIRE(client.Send(kGet + kUpgrade + "early"));
  CHECK(client.Receive().status == 200);
  CHECK(client.Receive().status == 101);
  CHECK(ReadRaw(client, 5) == "early");
  // What looks like HTTP is none any more.
  REQUIRE(client.Send(kGet));
  CHECK(ReadRaw(client, kGet.size()) == kGet);
}

TEST_CASE("HttpServer carries much through a stream both ways", "[http][server][upgrade]") {
  UpgradeBed<EchoUser> bed;
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  std::string sent;
  for (int i = 0; sent.size() < 20'000'000; ++i) sent += fmt::format("{:07} ", i);
  bool all_sent = false;
  std::thread sender([&] { all_sent = client.Send(sent); });
  std::string received;
  while (received.size() < sent.size()) {
    client.FillInput();
    received += client.TakeInput();
  }
  sender.join();
  CHECK(all_sent);
  CHECK((received == sent));
  const HttpCounters counters = bed.server->counters();
  CHECK(counters.bytes_sent > sent.size());
  CHECK(counters.bytes_received > sent.size());
}

TEST_CASE("HttpServer writes once for many wakes", "[http][server][upgrade]") {
  UpgradeBed<RecordingUser> bed;
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  const auto user = bed.user();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) user->Send("0123456789");
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(ReadRaw(client, 40'000).size() == 40'000);
  CHECK(user->pulls() <= 2 * 4000 + 1);
  CHECK_FALSE(user->misused());
}

TEST_CASE("HttpServer sends what is left before it closes a stream", "[http][server][upgrade]") {
  UpgradeBed<RecordingUser> bed;
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  const auto user = bed.user();
  REQUIRE(client.Send("never read by anybody"));
  const std::string much(5'000'000, 'x');
  user->Put(much);
  user->Close();
  user->Close();
  CHECK((ReadRaw(client, much.size()) == much));
  CHECK(client.AtEnd());
  CHECK(user->AwaitClosed() == absl::OkStatus());
  client.CloseWrite();
  Await([&] { return bed.server->counters().connections_open == 0; });
}

TEST_CASE("HttpServer cuts a stream whose peer does not take the last bytes",
          "[http][server][upgrade][timeout]") {
  HttpServerOptions options;
  options.write_timeout = absl::Milliseconds(50);
  UpgradeBed<RecordingUser> bed({}, options);
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  const auto user = bed.user();
  user->Put(std::string(50'000'000, 'x'));
  user->Close();
  CHECK(user->AwaitClosed().code() == absl::StatusCode::kUnavailable);
  CHECK(bed.server->counters().connections_timed_out == 1);
}

TEST_CASE("HttpServer does not wait for ever for a peer to close after a stream",
          "[http][server][upgrade][timeout]") {
  HttpServerOptions options;
  options.linger_timeout = absl::Milliseconds(50);
  UpgradeBed<RecordingUser> bed({}, options);
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  bed.user()->Close();
  Await([&] { return bed.server->counters().connections_open == 0; });
  CHECK(bed.server->counters().connections_timed_out == 0);
}

TEST_CASE("HttpServer keeps idle streams", "[http][server][upgrade][timeout]") {
  HttpServerOptions options;
  options.idle_timeout = options.header_timeout = absl::Milliseconds(20);
  UpgradeBed<EchoUser> bed({}, options);
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  RawHttpClient other(bed.server->port());
  CHECK(other.AtEnd());  // Long enough for an idle connection of HTTP to be closed.
  REQUIRE(client.Send("still here"));
  CHECK(ReadRaw(client, 10) == "still here");
}

TEST_CASE("HttpServer tells a stream that its peer died", "[http][server][upgrade]") {
  UpgradeBed<RecordingUser> bed;
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  client.Abort();
  const absl::Status why = bed.user()->AwaitClosed();
  CHECK(why.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(why.message()).find("reset") != std::string::npos);
}

TEST_CASE("HttpServer closes a connection whose stream nobody takes", "[http][server][upgrade]") {
  const bool throws = GENERATE(false, true);
  Router router = Routes();
  const auto acceptor =
      [throws](std::shared_ptr<conduit::ByteStream>) -> std::shared_ptr<conduit::StreamUser> {
    if (throws) throw std::runtime_error("no memory");
    return nullptr;
  };
  REQUIRE(router.AddUpgrade("/up", "echo/1", [&](const HttpRequest&) {
    return HttpResponse::SwitchTo(acceptor);
  }) == absl::OkStatus());
  const auto server = MustStart({}, std::move(router));
  RawHttpClient client(server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  CHECK(client.AtEnd());
  Await([&] { return server->counters().connections_open == 0; });
}

TEST_CASE("HttpServer::Stop lets streams end by themselves", "[http][server][upgrade][stop]") {
  UpgradeBed<RecordingUser> bed;
  bed.close_when_stopping = true;
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  std::thread stopper([&] { bed.server->Stop(absl::Hours(1)); });
  CHECK(client.AtEnd());
  client.Close();
  stopper.join();
  bed.server->Stop(absl::ZeroDuration());
  CHECK(bed.stopping == 1);
}

TEST_CASE("HttpServer::Stop cuts streams after the grace", "[http][server][upgrade][stop]") {
  const absl::Duration grace = GENERATE(absl::ZeroDuration(), absl::Milliseconds(20));
  UpgradeBed<RecordingUser> bed;
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  const auto user = bed.user();
  const auto stream = user->stream();
  bed.server->Stop(grace);
  CHECK(client.AtEnd());
  const absl::Status why = user->AwaitClosed();
  CHECK(why.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(why.message()).ends_with("the server stops"));
  bed.server.reset();
  stream->Wake();  // After the end it does nothing.
  stream->Close();
  CHECK_FALSE(user->misused());
}

TEST_CASE("HttpServer ends streams while threads write on them", "[http][server][upgrade][stop]") {
  UpgradeBed<EchoUser> bed;
  RawHttpClient client(bed.server->port());
  CHECK(client.Exchange(kUpgrade).status == 101);
  const auto user = bed.user();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (user->stream() != nullptr) user->Send("on and on");
    });
  }
  ReadRaw(client, 100'000);
  bed.server->Stop(absl::ZeroDuration());
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(user->misused());
}

}  // namespace podkit::servers
