#include "servers/http/http_server.h"

#include <fmt/format.h>

#include <atomic>
#include <future>
#include <latch>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/shell.h"

namespace podkit::servers {
namespace {

using testing::RawHttpClient;
using testing::RawHttpReply;
using testing::ShellOutput;
using testing::ValueOf;

// A handler that stops in the middle until it is released.
class Gate {
 public:
  HttpHandler handler() {
    return [this](const HttpRequest& request) {
      entered_.release();
      open_.wait();
      return HttpResponse::Text(200, "through " + request.body);
    };
  }
  void AwaitEntry() { entered_.acquire(); }
  void Open() { promise_.set_value(); }

 private:
  std::counting_semaphore<> entered_{0};
  std::promise<void> promise_;
  std::shared_future<void> open_ = promise_.get_future().share();
};

Router Routes() {
  Router router;
  const auto add = [&](std::string_view method, std::string_view pattern, HandlerThread thread,
                       HttpHandler handler, size_t max_body = 0) {
    REQUIRE(router.Add(method, pattern, std::move(handler), {thread, max_body}) ==
            absl::OkStatus());
  };
  const HttpHandler echo = [](const HttpRequest& request) {
    return HttpResponse::Text(200, request.body);
  };
  add("GET", "/hello", HandlerThread::kInline,
      [](const HttpRequest&) { return HttpResponse::Text(200, "hi"); });
  add("POST", "/inline", HandlerThread::kInline, echo);
  add("POST", "/pool", HandlerThread::kPool, echo);
  add("PUT", "/large", HandlerThread::kPool, echo, 64 << 20);
  add("GET", "/peer", HandlerThread::kPool,
      [](const HttpRequest& request) { return HttpResponse::Text(200, request.peer); });
  add("GET", "/fail", HandlerThread::kPool,
      [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("no disk"); });
  return router;
}

Router RoutesWith(Gate* gate) {
  Router router = Routes();
  REQUIRE(router.Add("POST", "/gate", gate->handler()) == absl::OkStatus());
  return router;
}

std::unique_ptr<HttpServer> MustStart(HttpServerOptions options = {}, Router router = Routes()) {
  options.timer_resolution = absl::Milliseconds(5);
  return ValueOf(HttpServer::Start(std::move(options), std::move(router)));
}

std::string Post(std::string_view path, std::string_view body) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}", path,
                     body.size(), body);
}

const std::string kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

// Waits for what another thread is about to do.
template <typename Condition>
void Await(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    std::this_thread::yield();
  }
}

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
  CHECK(counters.bytes_received > 201 * 50);
  CHECK(counters.bytes_sent > 201 * 50);
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

TEST_CASE("HttpServer lets a refused client read the refusal although it goes on sending",
          "[http][server][limits]") {
  const auto server = MustStart();
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
  options.header_timeout = absl::Milliseconds(50);
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
