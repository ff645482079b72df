#include "servers/http/http_session.h"

#include <fmt/format.h>

#include <random>
#include <stdexcept>

#include "tests/servers/http_session_bed.h"
#include "tests/support/catch.h"

namespace podkit::servers {
namespace {

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
  const std::string end = "\r\n\r\n\r\n\r\n";
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
    const std::string expected = GiveAll(&whole, {input, end});
    Bed cut;
    const size_t at = below(input.size() + 1);
    const std::string sent = GiveAll(&cut, {input.substr(0, at), input.substr(at), end});
    if (sent != expected || cut.next() != whole.next()) {
      FAIL("cut at " << at << " of: " << input << "\n--- whole: " << expected
                     << "\n--- cut: " << sent);
    }
  }
}

}  // namespace podkit::servers
