#include "servers/http/http_server.h"

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include "tests/servers/http_server_bed.h"
#include "tests/support/catch.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/shell.h"

namespace podkit::servers {
namespace {

using testing::RawHttpClient;
using testing::RawHttpReply;
using testing::ShellOutput;

}  // namespace

TEST_CASE("HttpServer serves many requests on one connection", "[http][server]") {
  const auto server = MustStart();
  RawHttpClient client(server->port());
  for (int i = 0; i < 100; ++i) {
    CHECK(client.Exchange(Post("/inline", std::to_string(i))).body == std::to_string(i));
    CHECK(client.Exchange(Post("/pool", std::to_string(i))).body == std::to_string(i));
  }
  const RawHttpReply reply = client.Exchange(kGet);
  CHECK(reply.status == 200);
  CHECK(reply.headers.at("content-type") == "text/plain; charset=utf-8");
  CHECK(reply.headers.at("date").ends_with(" GMT"));
  const HttpCounters counters = server->counters();
  CHECK(counters.connections_accepted == 1);
  CHECK(counters.connections_open == 1);
  CHECK(counters.responses[2] == 201);
  CHECK(counters.bytes_received > 10000);
  CHECK(counters.bytes_sent > 10000);
}

TEST_CASE("HttpServer answers pipelined requests in order, whoever works on them",
          "[http][server]") {
  HttpServerOptions options;
  options.io_threads = 2;
  options.worker_threads = 4;
  const auto server = MustStart(std::move(options));
  RawHttpClient client(server->port());
  std::string requests;
  for (int i = 0; i < 300; ++i) {
    requests += Post(i % 3 == 0 ? "/pool" : "/inline", std::to_string(i));
  }
  REQUIRE(client.Send(requests));
  for (int i = 0; i < 300; ++i) REQUIRE(client.Receive().body == std::to_string(i));
}

TEST_CASE("HttpServer serves many clients on many threads", "[http][server]") {
  HttpServerOptions options;
  options.io_threads = 2;
  options.worker_threads = 2;
  const auto server = MustStart(std::move(options));
  std::vector<std::thread> clients;
  std::atomic<int> good = 0;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      for (int round = 0; round < 10; ++round) {
        RawHttpClient client(server->port());
        for (int i = 0; i < 20; ++i) {
          const std::string body = fmt::format("{} {} {}", c, round, i);
          if (client.Exchange(Post(i % 2 == 0 ? "/pool" : "/inline", body)).body == body) ++good;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(good == 8 * 10 * 20);
  Await([&] { return server->counters().connections_open == 0; });
  CHECK(server->counters().connections_accepted == 80);
}

TEST_CASE("HttpServer tells a handler who asks", "[http][server]") {
  const auto server = MustStart();
  RawHttpClient client(server->port());
  const RawHttpReply reply = client.Exchange("GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(reply.body.starts_with("127.0.0.1:"));
}

TEST_CASE("HttpServer listens on IPv6", "[http][server]") {
  HttpServerOptions options;
  options.address = "::1";
  const auto server = HttpServer::Start(std::move(options), Routes());
  if (server.status().code() == absl::StatusCode::kUnavailable) {
    WARN("not tested, this machine has no IPv6: " << server.status());
    return;
  }
  REQUIRE(server.status() == absl::OkStatus());
  const std::string url = fmt::format("http://[::1]:{}/peer", (*server)->port());
  CHECK(ShellOutput("curl -sS -m 10 '" + url + "'").starts_with("[::1]:"));
}

TEST_CASE("HttpServer carries large bodies both ways", "[http][server]") {
  const auto server = MustStart();
  std::string body(20 << 20, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 >> 3);
  RawHttpClient client(server->port());
  std::thread sender([&] {
    client.Send(
        fmt::format("PUT /large HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.size()));
    client.Send(body);
  });
  const RawHttpReply reply = client.Receive();
  sender.join();
  CHECK(reply.status == 200);
  CHECK((reply.body == body));
}

TEST_CASE("HttpServer understands curl", "[http][server][curl]") {
  const auto server = MustStart();
  const std::string base = fmt::format("http://127.0.0.1:{}", server->port());
  CHECK(ShellOutput("curl -sS -m 10 " + base + "/hello " + base + "/hello") == "hihi");
  CHECK(ShellOutput("curl -sS -m 10 -0 " + base + "/hello") == "hi");
  CHECK(ShellOutput("curl -sS -m 10 -I " + base + "/hello").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(ShellOutput("curl -sS -m 10 -d a=b -H 'Expect: 100-continue' " + base + "/pool") == "a=b");
  CHECK(ShellOutput("head -c 300000 /dev/zero | tr '\\0' z | curl -sS -m 10 -X POST -T - " + base +
                    "/pool | wc -c") == "300000\n");
  CHECK(ShellOutput("curl -sS -m 10 -o /dev/null -w '%{http_code}' " + base + "/none") == "404");
  CHECK(ShellOutput("head -c 2000000 /dev/zero | curl -sS -m 10 -o /dev/null -w '%{http_code}' "
                    "--data-binary @- " +
                    base + "/pool") == "413");
}

TEST_CASE("HttpServer survives clients that vanish", "[http][server]") {
  Gate gate;
  const auto server = MustStart({}, RoutesWith(&gate));
  const std::string half_body = "POST /pool HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345";
  SECTION("in the middle of a head") {
    RawHttpClient client(server->port());
    REQUIRE(client.Send("GET /hel"));
    client.Abort();
  }
  SECTION("in the middle of a body") {
    RawHttpClient client(server->port());
    REQUIRE(client.Send(half_body));
    client.Abort();
  }
  SECTION("having ended in the middle of a body") {
    RawHttpClient client(server->port());
    REQUIRE(client.Send(half_body));
    client.CloseWrite();
    CHECK(client.AtEnd());
  }
  SECTION("while a worker has the request") {
    RawHttpClient client(server->port());
    REQUIRE(client.Send(Post("/gate", "")));
    gate.AwaitEntry();
    client.Abort();
    gate.Open();
  }
  SECTION("in the middle of a large reply") {
    RawHttpClient client(server->port());
    const std::string body(30 << 20, 'x');
    REQUIRE(client.Send(
        fmt::format("PUT /large HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.size())));
    REQUIRE(client.Send(body));
    Await([&] { return server->counters().bytes_sent > 0; });
    client.Abort();
  }
  Await([&] {
    const HttpCounters counters = server->counters();
    return counters.connections_accepted == 1 && counters.connections_open == 0;
  });
  RawHttpClient next(server->port());
  CHECK(next.Exchange(kGet).status == 200);
}

TEST_CASE("HttpServer answers a client that has closed its side", "[http][server]") {
  const auto server = MustStart();
  RawHttpClient client(server->port());
  REQUIRE(client.Send(kGet + Post("/pool", "last")));
  client.CloseWrite();
  CHECK(client.Receive().body == "hi");
  CHECK(client.Receive().body == "last");
  CHECK(client.AtEnd());
}

TEST_CASE("HttpServer logs a handler's failure under the reference that the client gets",
          "[http][server]") {
  HttpServerOptions options;
  std::promise<std::string> logged;
  options.log = [&](HttpLogLevel level, std::string_view line) {
    if (level == HttpLogLevel::kError) logged.set_value(std::string(line));
  };
  const auto server = MustStart(std::move(options));
  RawHttpClient client(server->port());
  const RawHttpReply reply = client.Exchange("GET /fail HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(reply.status == 500);
  const std::string reference = reply.body.substr(reply.body.find("reference ") + 10, 16);
  CHECK(reference.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(logged.get_future().get() == "GET /fail failed, reference " + reference + ": no disk");
  CHECK(client.Exchange(kGet).status == 200);
}

TEST_CASE("HttpServer::Start says what is wrong", "[http][server]") {
  const auto start = [](const std::function<void(HttpServerOptions*)>& change) {
    HttpServerOptions options;
    change(&options);
    return HttpServer::Start(std::move(options), Routes()).status();
  };
  using Options = HttpServerOptions;
  for (const auto& [change, name] :
       std::initializer_list<std::pair<std::function<void(Options*)>, std::string>>{
           {[](Options* o) { o->io_threads = 0; }, "io_threads"},
           {[](Options* o) { o->worker_threads = 0; }, "worker_threads"},
           {[](Options* o) { o->queue_limit = 0; }, "queue_limit"},
           {[](Options* o) { o->max_connections = 0; }, "max_connections"},
           {[](Options* o) { o->max_header_bytes = 10; }, "max_header_bytes"},
           {[](Options* o) { o->min_bytes_per_second = 0; }, "min_bytes_per_second"},
           {[](Options* o) { o->idle_timeout = absl::ZeroDuration(); }, "time-out"},
           {[](Options* o) { o->timer_resolution = absl::Seconds(2); }, "timer_resolution"},
           {[](Options* o) { o->tls_key_file = "/k"; }, "tls_certificate_file"},
           {[](Options* o) { o->address = "localhost"; }, "'localhost'"}}) {
    const absl::Status status = start(change);
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.ToString().find(name) != std::string::npos);
  }
  const auto first = MustStart();
  const absl::Status taken = start([&](Options* o) { o->port = first->port(); });
  CHECK(taken == absl::UnavailableError(fmt::format(
                     "cannot listen on 127.0.0.1 port {}: Address already in use", first->port())));
}

}  // namespace podkit::servers
