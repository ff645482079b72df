// What a session does not put up with: too much, too slow, too late.
#include <fmt/format.h>

#include "servers/http/http_session.h"
#include "tests/servers/http_session_bed.h"
#include "tests/support/catch.h"

namespace podkit::servers {

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
  bed.options.max_body_bytes = 10 << 20;
  CHECK(bed.session().ReadSize() == 16 << 10);
  bed.Give("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
  CHECK(bed.session().ReadSize() == 256 << 10);
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

}  // namespace podkit::servers
