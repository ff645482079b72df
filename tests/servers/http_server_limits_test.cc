// What a server refuses, cuts off, and does when it stops.

#include <fmt/format.h>

#include <atomic>
#include <latch>
#include <system_error>
#include <thread>

#include "servers/http/http_server.h"
#include "tests/servers/http_server_bed.h"
#include "tests/support/catch.h"
#include "tests/support/raw_http_client.h"

namespace podkit::servers {
namespace {

using testing::RawHttpClient;
using testing::RawHttpReply;

}  // namespace

TEST_CASE("HttpServer lets a refused client read the refusal although it goes on sending",
          "[http][server][limits]") {
  HttpServerOptions options;
  options.linger_timeout = absl::Seconds(60);
  const auto server = MustStart(std::move(options));
  RawHttpClient client(server->port());
  REQUIRE(client.Send("POST /pool HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"));
  for (int i = 0; i < 100; ++i) {
    if (!client.Send(std::string(100'000, 'x'))) break;
  }
  CHECK(client.Receive().status == 413);
  client.CloseWrite();
  CHECK(client.AtEnd());
}

TEST_CASE("HttpServer enforces its limits on the wire", "[http][server][limits]") {
  const auto server = MustStart();
  const auto answer = [&](std::string_view request) {
    RawHttpClient client(server->port());
    const RawHttpReply reply = client.Exchange(request);
    CHECK(reply.headers.at("connection") == "close");
    CHECK(client.AtEnd());
    return reply.status;
  };
  CHECK(answer("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n") == 431);
  CHECK(answer("POST /pool HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n") == 413);
  CHECK(answer("POST /pool HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n") ==
        413);
  CHECK(answer("POST /pool HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
               "chunked\r\n\r\n") == 400);
  CHECK(answer("nonsense\r\n\r\n") == 400);
  CHECK(server->counters().responses[4] == 5);
}

TEST_CASE("HttpServer ends connections that drip, stall or idle", "[http][server][timeout]") {
  HttpServerOptions options;
  options.header_timeout = absl::Milliseconds(500);  // In which a client here must say something.
  options.body_timeout = absl::Milliseconds(50);
  options.idle_timeout = absl::Milliseconds(50);
  options.linger_timeout = absl::Milliseconds(50);
  const auto server = MustStart(std::move(options));
  RawHttpClient silent(server->port());
  RawHttpClient head(server->port());
  RawHttpClient body(server->port());
  RawHttpClient idle(server->port());
  REQUIRE(head.Send("GET /hello HTTP/1.1\r\nHost:"));
  REQUIRE(body.Send("POST /pool HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345"));
  CHECK(idle.Exchange(kGet).status == 200);
  CHECK(head.Receive().status == 408);
  CHECK(body.Receive().status == 408);
  for (RawHttpClient* client : {&silent, &head, &body, &idle}) CHECK(client->AtEnd());
  Await([&] { return server->counters().connections_open == 0; });
  CHECK(server->counters().connections_timed_out == 2);
}

TEST_CASE("HttpServer ends a connection that does not take its reply", "[http][server][timeout]") {
  HttpServerOptions options;
  options.write_timeout = absl::Milliseconds(50);
  options.min_bytes_per_second = 1 << 30;
  Router router = Routes();
  REQUIRE(router.Add("GET", "/huge", [](const HttpRequest&) {
    return HttpResponse::Text(200, std::string(100 << 20, 'x'));
  }) == absl::OkStatus());
  const auto server = MustStart(std::move(options), std::move(router));
  RawHttpClient client(server->port());
  REQUIRE(client.Send("GET /huge HTTP/1.1\r\nHost: h\r\n\r\n"));
  Await([&] { return server->counters().connections_timed_out == 1; });
  Await([&] { return server->counters().connections_open == 0; });
}

TEST_CASE("HttpServer answers 503 at once when its queue is full", "[http][server][limits]") {
  Gate gate;
  HttpServerOptions options;
  options.worker_threads = 1;
  options.queue_limit = 1;
  const auto server = MustStart(std::move(options), RoutesWith(&gate));
  RawHttpClient running(server->port());
  RawHttpClient waiting(server->port());
  RawHttpClient refused(server->port());
  REQUIRE(running.Send(Post("/gate", "1")));
  gate.AwaitEntry();
  REQUIRE(waiting.Send(Post("/pool", "2")));
  Await([&] { return server->counters().queue_depth == 1; });
  const RawHttpReply reply = refused.Exchange(Post("/pool", "3"));
  CHECK(reply.status == 503);
  CHECK(reply.headers.at("retry-after") == "1");
  CHECK(refused.Exchange(kGet).status == 200);  // Inline work goes on, on the same connection.
  gate.Open();
  CHECK(running.Receive().body == "through 1");
  CHECK(waiting.Receive().body == "2");
  CHECK(refused.Exchange(Post("/pool", "3")).body == "3");
  CHECK(server->counters().queue_refused == 1);
  CHECK(server->counters().queue_depth == 0);
}

TEST_CASE("HttpServer answers 503 to connections beyond its limit", "[http][server][limits]") {
  HttpServerOptions options;
  options.max_connections = 2;
  const auto server = MustStart(std::move(options));
  RawHttpClient first(server->port());
  {
    RawHttpClient second(server->port());
    CHECK(first.Exchange(kGet).status == 200);
    CHECK(second.Exchange(kGet).status == 200);
    RawHttpClient third(server->port());
    const RawHttpReply reply = third.Receive();
    CHECK(reply.status == 503);
    CHECK(reply.headers.at("retry-after") == "1");
    CHECK(reply.headers.at("connection") == "close");
    CHECK(third.AtEnd());
    CHECK(first.Exchange(kGet).status == 200);
  }
  Await([&] { return server->counters().connections_open == 1; });
  RawHttpClient fourth(server->port());
  CHECK(fourth.Exchange(kGet).status == 200);
  CHECK(server->counters().connections_refused == 1);
}

TEST_CASE("HttpServer closes connections far beyond its limit without a word",
          "[http][server][limits]") {
  HttpServerOptions options;
  options.max_connections = 1;
  options.linger_timeout = absl::Seconds(60);
  const auto server = MustStart(std::move(options));
  RawHttpClient first(server->port());
  CHECK(first.Exchange(kGet).status == 200);
  std::vector<std::unique_ptr<RawHttpClient>> told;
  for (int i = 0; i < 64; ++i) {
    told.push_back(std::make_unique<RawHttpClient>(server->port()));
    CHECK(told.back()->Receive().status == 503);
  }
  RawHttpClient untold(server->port());
  CHECK(untold.AtEnd());
  CHECK(first.Exchange(kGet).status == 200);
}

TEST_CASE("HttpServer::Stop lets requests in flight finish", "[http][server][stop]") {
  Gate gate;
  const auto server = MustStart({}, RoutesWith(&gate));
  const uint16_t port = server->port();
  RawHttpClient busy(port);
  RawHttpClient idle(port);
  RawHttpClient partial(port);
  CHECK(idle.Exchange(kGet).status == 200);
  CHECK(partial.Exchange(kGet).status == 200);
  REQUIRE(partial.Send("POST /inline HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12"));
  REQUIRE(busy.Send(Post("/gate", "the door")));
  gate.AwaitEntry();
  std::thread stopper([&] { server->Stop(absl::Seconds(60)); });
  CHECK(idle.AtEnd());
  Await([&] {
    try {
      RawHttpClient late(port);
      return false;
    } catch (const std::system_error&) {
      return true;
    }
  });
  gate.Open();
  const RawHttpReply reply = busy.Receive();
  CHECK(reply.body == "through the door");
  CHECK(reply.headers.at("connection") == "close");
  CHECK(busy.AtEnd());
  REQUIRE(partial.Send("345"));
  CHECK(partial.Receive().body == "12345");
  CHECK(partial.AtEnd());
  stopper.join();
  CHECK(server->counters().connections_open == 0);
}

TEST_CASE("HttpServer::Stop cuts what is left after the grace", "[http][server][stop]") {
  Gate gate;
  HttpServerOptions options;
  options.worker_threads = 1;
  const auto server = MustStart(std::move(options), RoutesWith(&gate));
  RawHttpClient stalled(server->port());
  RawHttpClient busy(server->port());
  RawHttpClient queued(server->port());
  REQUIRE(stalled.Send("POST /inline HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12"));
  REQUIRE(busy.Send(Post("/gate", "")));
  gate.AwaitEntry();
  REQUIRE(queued.Send(Post("/gate", "")));
  Await([&] { return server->counters().queue_depth == 1; });
  std::thread patient([&] { server->Stop(absl::Hours(1)); });
  std::thread stopper([&] { server->Stop(absl::Milliseconds(20)); });
  CHECK(stalled.AtEnd());
  CHECK(busy.AtEnd());
  CHECK(queued.AtEnd());
  gate.Open();  // Stop waits for the handler that runs, not for the one that waits.
  stopper.join();
  patient.join();
  server->Stop(absl::ZeroDuration());
}

TEST_CASE("HttpServer::Stop may be called by a handler", "[http][server][stop]") {
  const HandlerThread thread = GENERATE(HandlerThread::kInline, HandlerThread::kPool);
  std::atomic<HttpServer*> self = nullptr;
  Router router = Routes();
  REQUIRE(router.Add("POST", "/stop",
                     [&](const HttpRequest&) {
                       self.load()->Stop(absl::Seconds(60));
                       return HttpResponse::Text(200, "bye");
                     },
                     {thread, 0}) == absl::OkStatus());
  auto server = MustStart({}, std::move(router));
  self = server.get();
  RawHttpClient client(server->port());
  CHECK(client.Exchange(Post("/stop", "")).body == "bye");
  CHECK(client.AtEnd());
  server.reset();
}

TEST_CASE("HttpServer stops when it is destroyed, also under load", "[http][server][stop]") {
  HttpServerOptions options;
  options.io_threads = 2;
  auto server = MustStart(std::move(options));
  const uint16_t port = server->port();
  std::vector<std::thread> clients;
  std::latch warm(4);
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, port] {
      int done = 0;
      try {
        for (;; ++done) {
          RawHttpClient client(port);
          for (int i = 0; i < 5; ++i) client.Exchange(Post("/pool", "x"));
          if (done == 3) warm.count_down();
        }
      } catch (const std::exception&) {
        // The server is gone.
      }
      if (done <= 3) warm.count_down();
    });
  }
  warm.wait();
  server.reset();
  for (std::thread& client : clients) client.join();
}

}  // namespace podkit::servers
