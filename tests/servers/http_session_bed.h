// A session without a connection, for tests: what it is given, what it says, and the time.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "servers/http/http_session.h"
#include "tests/support/catch.h"

namespace podkit::servers {

using Next = HttpSession::Next;

// A session, the time, and the part of the connection: it carries everything to and fro.
class Bed {
 public:
  Bed() {
    options.new_reference = [] { return "ref-1"; };
    options.log = [this](HttpLogLevel, std::string_view line) { log.emplace_back(line); };
    Add("GET", "/hello", HandlerThread::kInline,
        [](const HttpRequest&) { return HttpResponse::Text(200, "hi"); });
    Add("POST", "/echo", HandlerThread::kInline,
        [](const HttpRequest& request) { return HttpResponse::Text(200, request.body); });
    Add("POST", "/pool", HandlerThread::kPool,
        [](const HttpRequest& request) { return HttpResponse::Text(200, "pool " + request.body); });
  }

  void Add(std::string_view method, std::string_view pattern, HandlerThread thread,
           HttpHandler handler, size_t max_body = 0) {
    const absl::Status status = router.Add(method, pattern, std::move(handler), {thread, max_body});
    REQUIRE(status == absl::OkStatus());
  }

  HttpSession& session() {
    if (!session_)
      session_.emplace(HttpSession::Env{&router, &options, &stats, &date}, "peer:1", now);
    return *session_;
  }

  // Gives the bytes and does what the session wants, until it wants more bytes or a worker's reply.
  // Returns what it sent.
  std::string Give(std::string_view bytes) {
    session().Receive(bytes, now);
    return Run();
  }
  std::string Run() {
    std::string sent = Flush();
    for (;; sent += Flush()) {
      if (session().OutputFile() != nullptr) return sent;  // For the test to send.
      if (session().next() == Next::kProcess) {
        session().Process(now);
      } else if (run_jobs && session().next() == Next::kSubmit) {
        const HttpSession::Job job = session().TakeJob();
        session().Reply(CallHandler(*job.route, job.request, options, job.receiver.get()), now);
      } else {
        return sent;
      }
    }
  }
  std::string Flush() {
    std::string sent;
    while (!session().Output().empty()) {
      const std::string_view piece = session().Output().substr(0, max_send);
      sent += piece;
      session().Sent(piece.size(), now);
    }
    return sent;
  }
  std::string Tick(absl::Duration step) {
    now += absl::ToChronoNanoseconds(step);
    session().Tick(now);
    return Run();
  }
  Next next() { return session().next(); }

  HttpServerOptions options;
  Router router;
  HttpStats stats;
  std::string date = "D";
  HttpSession::TimePoint now{std::chrono::hours(1)};
  std::vector<std::string> log;
  bool run_jobs = true;
  size_t max_send = 1000;

 private:
  std::optional<HttpSession> session_;
};

inline std::string Reply(std::string_view status, std::string_view body,
                         std::string_view extra = "") {
  return fmt::format(
      "HTTP/1.1 {}\r\nDate: D\r\nContent-Length: {}\r\n{}"
      "Content-Type: text/plain; charset=utf-8\r\n\r\n{}",
      status, body.size(), extra, body);
}

inline std::string Post(std::string_view path, std::string_view body, std::string_view extra = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), extra, body);
}

inline const std::string kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
inline const std::string kHi = Reply("200 OK", "hi");
inline const std::string kChunked =
    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

inline bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace podkit::servers
