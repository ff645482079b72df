// Which requests may switch a session to another protocol, and what the others are told.

#include <fmt/format.h>

#include "tests/servers/http_session_bed.h"
#include "tests/support/catch.h"

namespace podkit::servers {
namespace {

class UpgradeBed : public Bed {
 public:
  explicit UpgradeBed(HandlerThread thread = HandlerThread::kInline) {
    const auto handler = [this](const HttpRequest& request) {
      ++handled;
      if (request.Query("no")) return HttpResponse::Text(403, "no");
      return HttpResponse::SwitchTo([](std::shared_ptr<conduit::ByteStream>) { return nullptr; });
    };
    REQUIRE(router.AddUpgrade("/up", "wire/1", handler, {.thread = thread}) == absl::OkStatus());
  }
  int handled = 0;
};

std::string Head(std::string_view line, std::string_view fields) {
  return fmt::format("{}\r\nHost: h\r\n{}\r\n", line, fields);
}

constexpr std::string_view kGood = "Connection: Upgrade\r\nUpgrade: wire/1\r\n";
constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nDate: D\r\nConnection: Upgrade\r\n"
    "Upgrade: wire/1\r\n\r\n";

std::string Required(std::string_view persistence = "") {
  const std::string text = "/up is for HTTP/1.1 requests with 'Upgrade: wire/1'\n";
  return fmt::format(
      "HTTP/1.1 426 Upgrade Required\r\nDate: D\r\nContent-Length: {}\r\n"
      "Connection: Upgrade{}\r\nContent-Type: text/plain; charset=utf-8\r\nUpgrade: "
      "wire/1\r\n\r\n{}",
      text.size(), persistence, text);
}

}  // namespace

TEST_CASE("HttpSession switches on a proper upgrade", "[http][session][upgrade]") {
  const std::string fields = GENERATE(std::string(kGood),
                                      "Connection: close, keep-alive\r\nconnection: x,UPGRADE\r\n"
                                      "Upgrade: h2c\r\nUpgrade: other/3 , Wire/1\r\n");
  UpgradeBed bed(GENERATE(HandlerThread::kInline, HandlerThread::kPool));
  CHECK(bed.Give(Head("GET /up HTTP/1.1", fields) + "early bytes") == kSwitched);
  REQUIRE(bed.next() == Next::kSwitch);
  CHECK(bed.Tick(absl::Hours(1)).empty());  // No time-out ends it here.
  const HttpSession::Switch to = bed.session().TakeSwitch();
  CHECK(to.acceptor(nullptr) == nullptr);
  CHECK(to.peer == "peer:1");
  CHECK(to.early == "early bytes");
}

TEST_CASE("HttpSession answers what comes before an upgrade first", "[http][session][upgrade]") {
  UpgradeBed bed(GENERATE(HandlerThread::kInline, HandlerThread::kPool));
  CHECK(bed.Give(kGet + Head("GET /up HTTP/1.1", kGood) + kGet) == kHi + std::string(kSwitched));
  CHECK(bed.session().TakeSwitch().early == kGet);
}

TEST_CASE("HttpSession says what an upgrade lacks", "[http][session][upgrade]") {
  UpgradeBed bed;
  const auto give = [&](std::string_view line, std::string_view fields,
                        std::string_view body = "") {
    const std::string answer = bed.Give(Head(line, fields) + std::string(body));
    CHECK(bed.Give(kGet) == kHi);  // The connection is as good as before.
    return answer;
  };
  const std::string line = "GET /up HTTP/1.1";
  CHECK(give(line, "") == Required());
  CHECK(give(line, "Connection: Upgrade\r\nUpgrade: wire/2\r\n") == Required());
  CHECK(give(line, "Connection: Upgrade\r\nUpgrade: wire/1x\r\n") == Required());
  CHECK(give(line, "Upgrade: wire/1\r\n") ==
        Reply("400 Bad Request", "an upgrade needs 'Connection: Upgrade'\n"));
  CHECK(give(line, "Connection: Upgraded\r\nUpgrade: wire/1\r\n") ==
        Reply("400 Bad Request", "an upgrade needs 'Connection: Upgrade'\n"));
  CHECK(give(line, std::string(kGood) + "Content-Length: 4\r\n", "body") ==
        Reply("400 Bad Request", "an upgrade must not have a body\n"));
  CHECK(give(line, std::string(kGood) + "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n") ==
        Reply("400 Bad Request", "an upgrade must not have a body\n"));
  for (const std::string_view method : {"POST", "HEAD"}) {
    const std::string answer = bed.Give(Head(fmt::format("{} /up HTTP/1.1", method), kGood));
    CHECK(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
    CHECK(Contains(answer, "\r\nAllow: GET\r\n"));
  }
  CHECK(bed.handled == 0);
  UpgradeBed old;
  CHECK(old.Give(Head("GET /up HTTP/1.0", kGood)) == Required(", close"));
  CHECK(old.handled == 0);
}

TEST_CASE("HttpSession lets the handler of an upgrade refuse", "[http][session][upgrade]") {
  UpgradeBed bed;
  CHECK(bed.Give(Head("GET /up?no HTTP/1.1", kGood)) == Reply("403 Forbidden", "no"));
  CHECK(bed.Give(kGet) == kHi);
  CHECK(bed.handled == 1);
}

TEST_CASE("HttpSession does not switch when the server stops", "[http][session][upgrade]") {
  UpgradeBed bed(HandlerThread::kPool);
  bed.run_jobs = false;
  bed.Give(Head("GET /up HTTP/1.1", kGood));
  bed.session().Drain();
  bed.run_jobs = true;
  CHECK(Contains(bed.Run(), "HTTP/1.1 503 Service Unavailable"));
  CHECK(bed.next() == Next::kClose);
}

TEST_CASE("HttpSession does not switch on an ordinary route", "[http][session][upgrade]") {
  Bed bed;
  bed.Add("GET", "/plain", HandlerThread::kInline, [](const HttpRequest&) {
    return HttpResponse::SwitchTo([](std::shared_ptr<conduit::ByteStream>) { return nullptr; });
  });
  bed.Add("GET", "/half", HandlerThread::kInline,
          [](const HttpRequest&) { return HttpResponse{.status = 101}; });
  CHECK(Contains(bed.Give(Head("GET /plain HTTP/1.1", kGood)), "500 Internal Server Error"));
  CHECK(Contains(bed.Give(Head("GET /half HTTP/1.1", kGood)), "500 Internal Server Error"));
  CHECK(bed.Give(Head("GET /hello HTTP/1.1", kGood)) == kHi);  // Ignored, as HTTP wants it.
}

TEST_CASE("Router::AddUpgrade is a route like others", "[router][upgrade]") {
  Router router;
  const HttpHandler handler = [](const HttpRequest&) { return HttpResponse(); };
  CHECK(router.AddUpgrade("/up", "wire/1", handler, {.stopping = [] {}}) == absl::OkStatus());
  CHECK(router.stopping().size() == 1);
  CHECK(router.AddUpgrade("/up", "wire/2", handler, {.stopping = [] {}}).code() ==
        absl::StatusCode::kAlreadyExists);
  CHECK(router.AddUpgrade("up", "wire/1", handler).code() == absl::StatusCode::kInvalidArgument);
  CHECK(router.stopping().size() == 1);
  CHECK(router.Find("GET", "/up").route->protocol == "wire/1");
  CHECK(router.Find("HEAD", "/up").route == nullptr);
  CHECK(router.Find("HEAD", "/up").allow == "GET");
}

}  // namespace podkit::servers
