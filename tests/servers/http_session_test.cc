#include "servers/http/http_session.h"

#include <fmt/format.h>

#include <random>
#include <stdexcept>

#include "tests/support/catch.h"

namespace podkit::servers {
namespace {

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
    REQUIRE(router.Add(method, pattern, std::move(handler), {thread, max_body}) ==
            absl::OkStatus());
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
      if (session().next() == Next::kProcess) {
        session().Process(now);
      } else if (run_jobs && session().next() == Next::kSubmit) {
        const HttpSession::Job job = session().TakeJob();
        session().Reply(CallHandler(*job.route, job.request, options), now);
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

std::string Reply(std::string_view status, std::string_view body, std::string_view extra = "") {
  return fmt::format(
      "HTTP/1.1 {}\r\nDate: D\r\nContent-Length: {}\r\n{}"
      "Content-Type: text/plain; charset=utf-8\r\n\r\n{}",
      status, body.size(), extra, body);
}

std::string Post(std::string_view path, std::string_view body, std::string_view extra = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), extra, body);
}

const std::string kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kHi = Reply("200 OK", "hi");
const std::string kChunked = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What is sent for all of `pieces`, or for those up to the one that ends the connection.
std::string GiveAll(Bed* bed, const std::vector<std::string>& pieces) {
  std::string sent;
  for (const std::string& piece : pieces) {
    if (bed->next() == Next::kRead) sent += bed->Give(piece);
  }
  return sent;
}

}  // namespace

TEST_CASE("A session answers requests one after the other on one connection", "[http][session]") {
  Bed bed;
  CHECK(bed.next() == Next::kRead);
  CHECK(bed.Give(kGet) == kHi);
  CHECK(bed.next() == Next::kRead);
  CHECK(bed.Give(Post("/echo", "abc")) == Reply("200 OK", "abc"));
  CHECK(bed.Give(Post("/echo", "")) == Reply("200 OK", ""));
  CHECK(bed.Give(Post("/pool", "x")) == Reply("200 OK", "pool x"));
  CHECK(bed.Give("\r\n\r\n" + kGet) == kHi);
  CHECK(bed.next() == Next::kRead);
  CHECK(bed.stats.responses[2] == 5);
}

TEST_CASE("A session closes when the client's version or wish says so", "[http][session]") {
  Bed bed;
  SECTION("HTTP/1.0") {
    CHECK(bed.Give("GET /hello HTTP/1.0\r\n\r\n") ==
          Reply("200 OK", "hi", "Connection: close\r\n"));
    CHECK(bed.next() == Next::kClose);
  }
  SECTION("Connection: close") {
    CHECK(bed.Give("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n" + kGet) ==
          Reply("200 OK", "hi", "Connection: close\r\n"));
    CHECK(bed.next() == Next::kClose);
  }
  SECTION("HTTP/1.0 with keep-alive stays") {
    CHECK(bed.Give("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") ==
          Reply("200 OK", "hi", "Connection: keep-alive\r\n"));
    CHECK(bed.next() == Next::kRead);
  }
}

TEST_CASE("Pipelined requests are answered in order and in one piece", "[http][session]") {
  Bed bed;
  bed.max_send = 1 << 20;
  bed.session().Receive(kGet + Post("/echo", "1") + kGet, bed.now);
  CHECK(bed.session().Output() == kHi + Reply("200 OK", "1") + kHi);
}

TEST_CASE("What is pipelined behind a worker's request waits for it", "[http][session]") {
  Bed bed;
  bed.run_jobs = false;
  CHECK(bed.Give(kGet + Post("/pool", "1") + kGet + Post("/pool", "2")) == kHi);
  REQUIRE(bed.next() == Next::kSubmit);
  const HttpSession::Job job = bed.session().TakeJob();
  CHECK(job.request.body == "1");
  CHECK(job.route->pattern == "/pool");
  CHECK(bed.next() == Next::kWait);
  CHECK(bed.Run().empty());
  bed.session().Reply(HttpResponse::Text(200, "one"), bed.now);
  CHECK(bed.Run() == Reply("200 OK", "one") + kHi);
  REQUIRE(bed.next() == Next::kSubmit);
  CHECK(bed.session().TakeJob().request.body == "2");
}

TEST_CASE("A full queue answers 503 with Retry-After and keeps the connection", "[http][session]") {
  Bed bed;
  bed.run_jobs = false;
  bed.Give(Post("/pool", "1") + kGet);
  REQUIRE(bed.next() == Next::kSubmit);
  bed.session().RefuseBusy(bed.now);
  const std::string sent = bed.Run();
  CHECK(sent.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(Contains(sent, "\r\nRetry-After: 1\r\n"));
  CHECK(sent.ends_with(kHi));
  CHECK(bed.next() == Next::kRead);
  CHECK(bed.stats.queue_refused == 1);
}

TEST_CASE("It does not matter where the bytes of requests are split", "[http][session]") {
  const std::string input = kGet + Post("/echo", "body\r\n\r\n") + "\r\n" + kChunked +
                            "5;name=\"v\\\"\"\r\nhello\r\n1 ; x\r\n "
                            "\r\n005\r\nworld\r\n0;last\r\nContent-MD5: x\r\n\r\n" +
                            Post("/pool", "p") + kChunked + "0\r\n\r\n" + Post("/none", "gone") +
                            kGet;
  Bed whole;
  const std::string expected = whole.Give(input);
  REQUIRE(Contains(expected, "hello world"));
  REQUIRE(expected.ends_with(kHi));
  for (size_t cut = 0; cut <= input.size(); ++cut) {
    Bed bed;
    INFO("cut at " << cut);
    const std::string first = bed.Give(input.substr(0, cut));
    CHECK(first + bed.Give(input.substr(cut)) == expected);
  }
  Bed bytewise;
  std::string sent;
  for (const char c : input) sent += bytewise.Give(std::string_view(&c, 1));
  CHECK(sent == expected);
}

TEST_CASE("Requests that could be read in two ways are refused", "[http][session][smuggling]") {
  const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\n";
  const std::string bad = GENERATE_COPY(
      head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
      head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      head + "Content-Length: 3, 4\r\n\r\nabcd", head + "Content-Length: +3\r\n\r\nabc",
      head + "Content-Length: -1\r\n\r\n", head + "Content-Length: 0x3\r\n\r\nabc",
      head + "Content-Length: \r\n\r\n", head + "Content-Length: 99999999999999999999\r\n\r\n",
      head + "Content-Length : 3\r\n\r\nabc", head + " Content-Length: 3\r\n\r\nabc",
      head + "X: a\r\n\tb\r\n\r\n", head + "Content-Length:\r\n 3\r\n\r\nabc",
      head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
      head + "Transfer-Encoding: identity\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      head +
          "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\n\r\n0\r\n\r\n",
      std::string("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      kChunked + "g\r\n", kChunked + "-1\r\n", kChunked + "0x1\r\na\r\n0\r\n\r\n",
      kChunked + "1\r\nab\r\n0\r\n\r\n", kChunked + "1\na\r\n0\r\n\r\n",
      kChunked + "FFFFFFFFFFFFFFFFF\r\n", kChunked + "1 x\r\na\r\n0\r\n\r\n",
      kChunked + "0\r\nno colon\r\n\r\n");
  INFO(bad);
  Bed bed;
  const std::string sent = bed.Give(bad + kGet);
  CHECK(sent.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(Contains(sent, "\r\nConnection: close\r\n"));
  CHECK_FALSE(Contains(sent, "HTTP/1.1 200"));
  CHECK(bed.next() == Next::kLinger);
}

TEST_CASE("Bytes that are no request are answered 400 and the end", "[http][session]") {
  const std::string bad = GENERATE(
      "\x16\x03\x01\x02\x01\x01\x01\x01\x01", "GET /hello HTTP/2.0\r\n\r\n", "GET /hello\r\n\r\n",
      "GET  /hello HTTP/1.1\r\n\r\n", "G(T /hello HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n",
      "GET /hello HTTP/1.1\r\nHost h\r\n\r\n", "GET /hello HTTP/1.1\nHost: h\n\n",
      "GET /hello HTTP/1.1\r\nHost: h\r\nX: a\x01z\r\n\r\n",
      // Well-formed, but not for us:
      "GET /hello HTTP/1.1\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
      "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "GET hello HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET * HTTP/1.1\r\nHost: h\r\n\r\n");
  INFO(bad);
  Bed bed;
  const std::string sent = bed.Give(bad);
  CHECK(sent.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(Contains(sent, "\r\nConnection: close\r\n"));
  CHECK(bed.next() == Next::kLinger);
}

TEST_CASE("Targets are refused unless encoded and normal", "[http][session]") {
  const std::string target =
      GENERATE("/%", "/%2", "/%zz", "/a?q=%", "/caf\xC3\xA9", "/a/../b", "/..", "/./a", "/%2e%2E/a",
               "/a/%2e", "/a%00b", "http://h/../a");
  INFO(target);
  Bed bed;
  const std::string sent = bed.Give(fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", target));
  CHECK(sent.starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

TEST_CASE("A target may name the origin", "[http][session]") {
  Bed bed;
  bed.Add("GET", "/", HandlerThread::kInline,
          [](const HttpRequest& request) { return HttpResponse::Text(200, request.target); });
  CHECK(bed.Give("GET http://h:80/hello HTTP/1.1\r\nHost: h\r\n\r\n") == kHi);
  CHECK(bed.Give("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n") == Reply("200 OK", "/"));
  CHECK(bed.Give("GET http://h?a=/b HTTP/1.1\r\nHost: h\r\n\r\n") == Reply("200 OK", "/?a=/b"));
}

TEST_CASE("A handler sees method, target, names, query, headers, body and peer",
          "[http][session]") {
  Bed bed;
  HttpRequest seen;
  bed.Add("PATCH", "/users/{user}", HandlerThread::kPool, [&](const HttpRequest& request) {
    seen = request;
    return HttpResponse::Text(200, "");
  });
  bed.Give(
      "PATCH /users/a%20b?x=%41 HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\nx-one: 2\r\n"
      "Content-Length: 4\r\n\r\nbody");
  CHECK(seen.method == "PATCH");
  CHECK(seen.target == "/users/a%20b?x=%41");
  CHECK(seen.path() == "/users/a%20b");
  CHECK(seen.Param("user") == "a b");
  CHECK(seen.Query("x") == "A");
  CHECK(seen.headers.Find("X-ONE") == "1");
  CHECK(seen.headers.Count("x-one") == 2);
  CHECK(seen.body == "body");
  CHECK(seen.peer == "peer:1");
  CHECK_FALSE(seen.tls);
  // Nothing of it is left in the next request.
  bed.Add("POST", "/bare", HandlerThread::kPool, [&](const HttpRequest& request) {
    seen = request;
    return HttpResponse::Text(200, "");
  });
  bed.Give("POST /bare HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(seen.headers.size() == 1);
  CHECK(seen.body.empty());
  CHECK(seen.params.empty());
  CHECK(seen.peer == "peer:1");
}

TEST_CASE("Trailers of a chunked body are no headers", "[http][session]") {
  Bed bed;
  size_t headers = 0;
  bed.Add("POST", "/count", HandlerThread::kInline, [&](const HttpRequest& request) {
    headers = request.headers.size();
    return HttpResponse::Text(200, request.body);
  });
  CHECK(bed.Give("POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "1\r\na\r\n0\r\nX-Late: 1\r\nConnection: close\r\n\r\n") == Reply("200 OK", "a"));
  CHECK(headers == 2);
  CHECK(bed.next() == Next::kRead);
}

TEST_CASE("HEAD gets the head of GET and no body", "[http][session]") {
  Bed bed;
  const std::string head = "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n";
  CHECK(bed.Give(head + kGet) == kHi.substr(0, kHi.size() - 2) + kHi);
  const std::string missing = bed.Give("HEAD /none HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(missing.starts_with("HTTP/1.1 404 "));
  CHECK(missing.ends_with("\r\n\r\n"));
}

TEST_CASE("Unknown paths and methods are answered after their body", "[http][session]") {
  Bed bed;
  const std::string missing = bed.Give(Post("/none", std::string(100'000, 'x')) + kGet);
  CHECK(missing.starts_with("HTTP/1.1 404 Not Found\r\n"));
  CHECK(Contains(missing, "nothing at /none\n"));
  CHECK(missing.ends_with(kHi));
  const std::string method = bed.Give("DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(method.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  CHECK(Contains(method, "\r\nAllow: POST\r\n"));
  CHECK(bed.Give("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(bed.next() == Next::kRead);
}

TEST_CASE("A client that asks before it sends its body is told at once", "[http][session]") {
  Bed bed;
  const auto head = [](std::string_view path, size_t length, std::string_view expect) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\nExpect: {}\r\n\r\n",
                       path, length, expect);
  };
  SECTION("to go on") {
    CHECK(bed.Give(head("/echo", 3, "100-Continue")) == "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(bed.Give("abc") == Reply("200 OK", "abc"));
    CHECK(bed.next() == Next::kRead);
  }
  SECTION("nothing when there is no body") {
    CHECK(bed.Give(head("/echo", 0, "100-continue")) == Reply("200 OK", ""));
  }
  SECTION("that it would be too large") {
    CHECK(bed.Give(head("/echo", 1024 * 1024 + 1, "100-continue"))
              .starts_with("HTTP/1.1 413 Content Too Large\r\n"));
    CHECK(bed.next() == Next::kLinger);
  }
  SECTION("that nothing is there") {
    CHECK(bed.Give(head("/none", 3, "100-continue")).starts_with("HTTP/1.1 404 "));
    CHECK(bed.next() == Next::kLinger);
  }
  SECTION("that nothing else can be expected") {
    CHECK(bed.Give(head("/echo", 3, "200-ok")).starts_with("HTTP/1.1 417 Expectation Failed\r\n"));
    CHECK(bed.next() == Next::kLinger);
  }
  SECTION("nothing in HTTP/1.0") {
    CHECK(bed.Give("POST /echo HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
              .empty());
    CHECK(bed.Give("a") == Reply("200 OK", "a", "Connection: close\r\n"));
  }
}

TEST_CASE("A head beyond its limit is answered 431", "[http][session][limits]") {
  Bed bed;
  bed.options.max_header_bytes = 2048;
  const auto with_header = [](size_t size) {
    return "GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(size, 'x') + "\r\n\r\n";
  };
  SECTION("at once") {
    CHECK(bed.Give(with_header(1500)) == kHi);
    CHECK(bed.Give(with_header(3000))
              .starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
  }
  SECTION("in one endless header, in pieces") {
    CHECK(bed.Give("GET /hello HTTP/1.1\r\nX: ").empty());
    std::string sent;
    size_t given = 0;
    for (; sent.empty() && given < 10'000; given += 100) sent = bed.Give(std::string(100, 'x'));
    CHECK(given <= 2200);
    CHECK(sent.starts_with("HTTP/1.1 431 "));
  }
  SECTION("in endless headers, each of which is complete but for the next one's first byte") {
    CHECK(bed.Give("GET /hello HTTP/1.1\r\nX").empty());
    std::string sent;
    int lines = 0;
    for (; sent.empty() && lines < 1000; ++lines) sent = bed.Give(": y\r\nX");
    CHECK(lines < 400);
    CHECK(sent.starts_with("HTTP/1.1 431 "));
  }
  SECTION("in an endless target") {
    CHECK(bed.Give("GET /" + std::string(3000, 'x')).starts_with("HTTP/1.1 431 "));
  }
  SECTION("in the extensions of a chunk") {
    CHECK(bed.Give(kChunked + "1;" + std::string(3000, 'x')).starts_with("HTTP/1.1 431 "));
  }
  SECTION("in the trailers") {
    CHECK(bed.Give(kChunked + "0\r\nX: " + std::string(3000, 'x')).starts_with("HTTP/1.1 431 "));
  }
  CHECK(bed.next() == Next::kLinger);
}

TEST_CASE("A body beyond its limit is answered 413 and not read", "[http][session][limits]") {
  Bed bed;
  bed.options.max_body_bytes = 1000;
  bed.Add(
      "POST", "/small", HandlerThread::kPool,
      [](const HttpRequest& request) { return HttpResponse::Text(200, request.body); }, 10);
  bed.Add(
      "POST", "/large", HandlerThread::kPool,
      [](const HttpRequest& request) { return HttpResponse::Text(200, request.body); }, 2000);
  const auto chunked = [](std::string_view path, int chunks) {
    std::string text =
        fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", path);
    for (int i = 0; i < chunks; ++i) text += "a\r\n0123456789\r\n";
    return text;
  };
  SECTION("within, by length and in chunks") {
    CHECK(bed.Give(Post("/echo", std::string(1000, 'x'))).ends_with(std::string(1000, 'x')));
    CHECK(bed.Give(Post("/small", std::string(10, 'x'))).ends_with(std::string(10, 'x')));
    CHECK(bed.Give(Post("/large", std::string(2000, 'x'))).ends_with(std::string(2000, 'x')));
    CHECK(bed.Give(chunked("/echo", 100) + "0\r\n\r\n").starts_with("HTTP/1.1 200 "));
    CHECK(bed.Give(chunked("/small", 1) + "0\r\n\r\n").starts_with("HTTP/1.1 200 "));
    CHECK(bed.next() == Next::kRead);
    return;
  }
  std::string sent;
  SECTION("by length, before a byte of it") {
    sent = bed.Give("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
  }
  SECTION("by the route's length") {
    sent = bed.Give("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
  }
  SECTION("in chunks, at the chunk that is too much") {
    sent = bed.Give(chunked("/echo", 100) + "1\r\n");
  }
  SECTION("in chunks, by the route") { sent = bed.Give(chunked("/small", 1) + "1\r\n"); }
  SECTION("where nothing is") { sent = bed.Give(chunked("/none", 100) + "1\r\n"); }
  CHECK(sent.starts_with("HTTP/1.1 413 Content Too Large\r\n"));
  CHECK(Contains(sent, "\r\nConnection: close\r\n"));
  CHECK(bed.next() == Next::kLinger);
}

TEST_CASE("A session never asks for more than it may keep", "[http][session][limits]") {
  Bed bed;
  bed.options.max_body_bytes = 10 * 1024 * 1024;
  CHECK(bed.session().ReadSize() == 16 * 1024);
  bed.Give("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
  CHECK(bed.session().ReadSize() == 256 * 1024);
  bed.Give(std::string(299'900, 'x'));
  CHECK(bed.session().ReadSize() == 100);
}

TEST_CASE("Replies that pile up stop the reading of requests", "[http][session][limits]") {
  Bed bed;
  int calls = 0;
  bed.Add("GET", "/page", HandlerThread::kInline, [&](const HttpRequest&) {
    ++calls;
    return HttpResponse::Text(200, std::string(10'000, 'p'));
  });
  std::string many;
  for (int i = 0; i < 100; ++i) many += "GET /page HTTP/1.1\r\nHost: h\r\n\r\n";
  bed.session().Receive(many, bed.now);
  CHECK(calls == 7);
  CHECK(bed.session().Output().size() < 80'000);
  const std::string sent = bed.Run();
  CHECK(calls == 100);
  CHECK(sent.size() > 1'000'000);
  CHECK(bed.next() == Next::kRead);
}

TEST_CASE("A large reply follows its head unchanged", "[http][session]") {
  Bed bed;
  std::string large;
  for (int i = 0; i < 30'000; ++i) large += fmt::format("{},", i);
  bed.Add("GET", "/large", HandlerThread::kInline,
          [&](const HttpRequest&) { return HttpResponse::Text(200, large); });
  const std::string get = "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
  CHECK(bed.Give(get + kGet + get) == Reply("200 OK", large) + kHi + Reply("200 OK", large));
  CHECK(bed.next() == Next::kRead);
}

TEST_CASE("A handler that fails answers 500 with the reference that is logged", "[http][session]") {
  Bed bed;
  const HandlerThread thread = GENERATE(HandlerThread::kInline, HandlerThread::kPool);
  bed.Add("GET", "/throw", thread,
          [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("disk on fire"); });
  bed.Add("GET", "/odd", thread, [](const HttpRequest&) -> HttpResponse { throw 7; });
  bed.Add("GET", "/split", thread, [](const HttpRequest&) {
    HttpResponse response = HttpResponse::Text(200, "secret");
    response.headers.emplace_back("X", "a\r\nSet-Cookie: b");
    return response;
  });
  const std::string expected =
      Reply("500 Internal Server Error", "internal error, reference ref-1\n");
  CHECK(bed.Give("GET /throw?token=abc HTTP/1.1\r\nHost: h\r\n\r\n") == expected);
  CHECK(bed.Give("GET /odd HTTP/1.1\r\nHost: h\r\n\r\n") == expected);
  CHECK(bed.Give("GET /split HTTP/1.1\r\nHost: h\r\n\r\n") == expected);
  REQUIRE(bed.log.size() == 3);
  CHECK(bed.log[0] == "GET /throw failed, reference ref-1: disk on fire");
  CHECK(bed.log[1] == "GET /odd failed, reference ref-1: an exception of unknown type");
  CHECK(bed.log[2] == "GET /split failed, reference ref-1: header 'X': its value breaks the line");
  CHECK(bed.stats.responses[5] == 3);
  CHECK(bed.Give(kGet) == kHi);
}

TEST_CASE("A connection that says nothing is closed without a word", "[http][session][timeout]") {
  Bed bed;
  bed.options.header_timeout = absl::Seconds(10);
  bed.options.idle_timeout = absl::Seconds(60);
  SECTION("from the start") {
    CHECK(bed.next() == Next::kRead);
    CHECK(bed.Tick(absl::Seconds(9)).empty());
    CHECK(bed.next() == Next::kRead);
    CHECK(bed.Tick(absl::Seconds(1)).empty());
  }
  SECTION("between requests") {
    CHECK(bed.Give(kGet) == kHi);
    CHECK(bed.Tick(absl::Seconds(59)).empty());
    CHECK(bed.next() == Next::kRead);
    CHECK(bed.Give(kGet) == kHi);
    CHECK(bed.Tick(absl::Seconds(59)).empty());
    CHECK(bed.next() == Next::kRead);
    CHECK(bed.Tick(absl::Seconds(1)).empty());
  }
  CHECK(bed.next() == Next::kClose);
  CHECK(bed.stats.connections_timed_out == 0);
}

TEST_CASE("A head that drips in is cut off in time", "[http][session][timeout]") {
  Bed bed;
  bed.options.header_timeout = absl::Seconds(10);
  bed.Give(kGet);
  bed.Tick(absl::Seconds(30));
  CHECK(bed.Give("GET /hello HTTP/1.1\r\n").empty());
  for (int i = 0; i < 9; ++i) {
    CHECK(bed.Tick(absl::Seconds(1)).empty());
    CHECK(bed.Give("X: y\r\n").empty());
  }
  const std::string sent = bed.Tick(absl::Seconds(1));
  CHECK(sent.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(Contains(sent, "\r\nConnection: close\r\n"));
  CHECK(bed.next() == Next::kLinger);
  CHECK(bed.stats.connections_timed_out == 1);
  CHECK(bed.Tick(bed.options.linger_timeout).empty());
  CHECK(bed.next() == Next::kClose);
  CHECK(bed.stats.connections_timed_out == 1);
}

TEST_CASE("A body may take as long as it keeps its pace", "[http][session][timeout]") {
  Bed bed;
  bed.options.body_timeout = absl::Seconds(10);
  bed.options.min_bytes_per_second = 100;
  bed.options.max_body_bytes = 100'000;
  const bool chunked = GENERATE(false, true);
  std::string piece = std::string(120, 'x');
  if (chunked) {
    CHECK(bed.Give(kChunked).empty());
    piece = "78\r\n" + piece + "\r\n";
  } else {
    CHECK(bed.Give("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 24000\r\n\r\n").empty());
  }
  for (int i = 0; i < 100; ++i) {
    CHECK(bed.Give(piece).empty());
    CHECK(bed.Tick(absl::Seconds(1)).empty());
  }
  CHECK(bed.next() == Next::kRead);
  // 12000 bytes were good for 120 s, of which 100 have passed; 10 more are free.
  CHECK(bed.Tick(absl::Seconds(29)).empty());
  CHECK(bed.Tick(absl::Seconds(1)).starts_with("HTTP/1.1 408 "));
  CHECK(bed.stats.connections_timed_out == 1);
}

TEST_CASE("A reply that is not taken in time ends the connection", "[http][session][timeout]") {
  Bed bed;
  bed.options.write_timeout = absl::Seconds(10);
  bed.options.min_bytes_per_second = 1000;
  bed.Add("GET", "/page", HandlerThread::kInline,
          [](const HttpRequest&) { return HttpResponse::Text(200, std::string(100'000, 'p')); });
  bed.session().Receive("GET /page HTTP/1.1\r\nHost: h\r\n\r\n", bed.now);
  bed.session().Sent(50'000, bed.now);
  bed.now += std::chrono::seconds(59);
  CHECK_FALSE(bed.session().Tick(bed.now));
  CHECK_FALSE(bed.session().Output().empty());
  bed.now += std::chrono::seconds(1);
  CHECK(bed.session().Tick(bed.now));
  CHECK(bed.session().Output().empty());
  CHECK(bed.next() == Next::kClose);
  CHECK(bed.stats.connections_timed_out == 1);
}

TEST_CASE("A handler may take its time", "[http][session][timeout]") {
  Bed bed;
  bed.run_jobs = false;
  bed.Give(Post("/pool", "x"));
  bed.session().TakeJob();
  CHECK(bed.Tick(absl::Hours(100)).empty());
  CHECK(bed.next() == Next::kWait);
  bed.session().Reply(HttpResponse::Text(200, "late"), bed.now);
  CHECK(bed.Run() == Reply("200 OK", "late"));
  CHECK(bed.next() == Next::kRead);
}

TEST_CASE("Drain closes an idle session and lets others answer first", "[http][session][stop]") {
  Bed bed;
  const std::string last = Reply("200 OK", "hi", "Connection: close\r\n");
  SECTION("idle") {
    bed.Give(kGet);
    bed.session().Drain();
  }
  SECTION("not yet used") { bed.session().Drain(); }
  SECTION("in the middle of a head") {
    bed.Give(kGet.substr(0, 10));
    bed.session().Drain();
    CHECK(bed.next() == Next::kRead);
    CHECK(bed.Give(kGet.substr(10)) == last);
  }
  SECTION("in the middle of a body") {
    bed.Give("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
    bed.session().Drain();
    CHECK(bed.Give("hi") == last);
  }
  SECTION("in the hands of a worker, with more behind") {
    bed.run_jobs = false;
    bed.Give(Post("/pool", "") + kGet);
    bed.session().TakeJob();
    bed.session().Drain();
    CHECK(bed.next() == Next::kWait);
    bed.session().Reply(HttpResponse::Text(200, "hi"), bed.now);
    CHECK(bed.Run() == last);
  }
  SECTION("while a reply is on its way") {
    bed.session().Receive(kGet, bed.now);
    bed.session().Drain();
    CHECK(bed.Run() == kHi);
  }
  CHECK(bed.next() == Next::kClose);
}

TEST_CASE("A refused connection is told why and when to come back", "[http][session]") {
  Bed bed;
  bed.session().RefuseConnection(bed.now);
  const std::string sent = bed.Run();
  CHECK(sent.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(Contains(sent, "\r\nRetry-After: 1\r\n"));
  CHECK(Contains(sent, "\r\nConnection: close\r\n"));
  CHECK(bed.next() == Next::kLinger);
}

TEST_CASE("No sequence of bytes brings a session out of step", "[http][session][random]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  const std::string pieces[] = {kGet,
                                Post("/echo", "abc"),
                                Post("/pool", "abc"),
                                kChunked,
                                "3\r\nabc\r\n",
                                "0\r\n\r\n",
                                "GET ",
                                "/hello",
                                " HTTP/1.1\r\n",
                                "Host: h\r\n",
                                "Content-Length: 5\r\n",
                                "\r\n",
                                "\r",
                                "\n",
                                "Transfer-Encoding: chunked\r\n",
                                "Expect: 100-continue\r\n",
                                " ",
                                ";x=\"",
                                "\x80",
                                "%2e"};
  // An error may be seen only when the head or the chunk that it is in ends.
  const std::string kEnd = "\r\n\r\n\r\n\r\n";
  for (int round = 0; round < 3000; ++round) {
    std::string input;
    for (size_t i = below(6) + 1; i > 0; --i) input += pieces[below(std::size(pieces))];
    for (size_t i = below(4); i > 0; --i) {
      const size_t at = below(input.size());
      if (below(2) == 0) input[at] = static_cast<char>(below(256));
      if (below(3) == 0) input.erase(at, 1);
      if (input.empty()) input = "x";
    }
    Bed whole;
    const std::string expected = GiveAll(&whole, {input, kEnd});
    Bed cut;
    const size_t at = below(input.size() + 1);
    const std::string sent = GiveAll(&cut, {input.substr(0, at), input.substr(at), kEnd});
    if (sent != expected || cut.next() != whole.next()) {
      FAIL("cut at " << at << " of: " << input << "\n--- whole: " << expected
                     << "\n--- cut: " << sent);
    }
  }
}

}  // namespace podkit::servers
