// A server with a few routes, for tests.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "servers/http/http_server.h"
#include "tests/support/catch.h"

namespace podkit::servers {

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

inline Router Routes() {
  Router router;
  const auto add = [&](std::string_view method, std::string_view pattern, HandlerThread thread,
                       HttpHandler handler, size_t max_body = 0) {
    const absl::Status status = router.Add(method, pattern, std::move(handler), {thread, max_body});
    REQUIRE(status == absl::OkStatus());
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

inline Router RoutesWith(Gate* gate) {
  Router router = Routes();
  REQUIRE(router.Add("POST", "/gate", gate->handler()) == absl::OkStatus());
  return router;
}

inline std::unique_ptr<HttpServer> MustStart(HttpServerOptions options = {},
                                             Router router = Routes()) {
  options.timer_resolution = absl::Milliseconds(5);
  return testing::ValueOf(HttpServer::Start(std::move(options), std::move(router)));
}

inline std::string Post(std::string_view path, std::string_view body) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}", path,
                     body.size(), body);
}

inline const std::string kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

// Waits for what another thread is about to do.
template <typename Condition>
void Await(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    std::this_thread::yield();
  }
}

}  // namespace podkit::servers
