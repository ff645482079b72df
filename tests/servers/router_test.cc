#include "servers/http/router.h"

#include "tests/support/catch.h"

namespace podkit::servers {
namespace {

HttpHandler Says(std::string text) {
  return [text = std::move(text)](const HttpRequest&) { return HttpResponse::Text(200, text); };
}

void MustAdd(Router* router, std::string_view method, std::string_view pattern) {
  REQUIRE(router->Add(method, pattern, Says("")) == absl::OkStatus());
}

std::string PatternOf(const Router::Match& match) {
  return match.route == nullptr ? "none" : match.route->method + " " + match.route->pattern;
}

}  // namespace

TEST_CASE("Router finds a route by method and path", "[router]") {
  Router router;
  MustAdd(&router, "GET", "/");
  MustAdd(&router, "GET", "/healthz");
  MustAdd(&router, "POST", "/conduit");
  MustAdd(&router, "GET", "/conduit/peers");

  CHECK(PatternOf(router.Find("GET", "/")) == "GET /");
  CHECK(PatternOf(router.Find("GET", "/healthz")) == "GET /healthz");
  CHECK(PatternOf(router.Find("POST", "/conduit")) == "POST /conduit");
  CHECK(PatternOf(router.Find("GET", "/conduit/peers")) == "GET /conduit/peers");
  for (const char* path :
       {"/health", "/healthz/", "/healthz/x", "//healthz", "", "*", "/HEALTHZ"}) {
    INFO(path);
    const Router::Match match = router.Find("GET", path);
    CHECK(match.route == nullptr);
    CHECK(match.allow.empty());
  }
}

TEST_CASE("Router gives the segments that stand for names, decoded", "[router]") {
  Router router;
  MustAdd(&router, "PUT", "/users/{user}/calendars/{name}");
  const Router::Match match = router.Find("PUT", "/users/a%2Fb/calendars/r%C3%A9union+1");
  REQUIRE(match.route != nullptr);
  REQUIRE(match.params.size() == 2);
  CHECK(match.params[0] == std::pair<std::string, std::string>("user", "a/b"));
  CHECK(match.params[1] == std::pair<std::string, std::string>("name", "r\xC3\xA9union+1"));
  CHECK(router.Find("PUT", "/users//calendars/x").route == nullptr);
  CHECK(router.Find("PUT", "/users/a/b/calendars/x").route == nullptr);
}

TEST_CASE("Router compares decoded segments with literal text", "[router]") {
  Router router;
  MustAdd(&router, "GET", "/my home/{x}");
  CHECK(PatternOf(router.Find("GET", "/my%20home/1")) == "GET /my home/{x}");
  CHECK(PatternOf(router.Find("GET", "/m%79%20home/1")) == "GET /my home/{x}");
}

TEST_CASE("Router prefers literal text and falls back to a name", "[router]") {
  Router router;
  MustAdd(&router, "GET", "/users/{user}");
  MustAdd(&router, "GET", "/users/me");
  MustAdd(&router, "DELETE", "/users/{user}");
  MustAdd(&router, "GET", "/users/{user}/log");
  CHECK(PatternOf(router.Find("GET", "/users/me")) == "GET /users/me");
  CHECK(PatternOf(router.Find("GET", "/users/you")) == "GET /users/{user}");
  CHECK(PatternOf(router.Find("DELETE", "/users/me")) == "DELETE /users/{user}");
  const Router::Match log = router.Find("GET", "/users/me/log");
  CHECK(PatternOf(log) == "GET /users/{user}/log");
  REQUIRE(log.params.size() == 1);
  CHECK(log.params[0].second == "me");
}

TEST_CASE("Router lists the methods of a path that has not the one asked for", "[router]") {
  Router router;
  MustAdd(&router, "PUT", "/users/{user}");
  MustAdd(&router, "GET", "/users/me");
  MustAdd(&router, "DELETE", "/users/me");
  MustAdd(&router, "PUT", "/users/me");
  const Router::Match match = router.Find("POST", "/users/me");
  CHECK(match.route == nullptr);
  CHECK(match.allow == "DELETE, GET, HEAD, PUT");
  CHECK(router.Find("get", "/users/me").allow == "DELETE, GET, HEAD, PUT");
}

TEST_CASE("Router gives {name...} what nothing else fits, slashes included", "[router]") {
  Router router;
  MustAdd(&router, "GET", "/data/{path...}");
  MustAdd(&router, "GET", "/data/{name}/info");
  MustAdd(&router, "GET", "/data/list");
  CHECK(PatternOf(router.Find("GET", "/data/list")) == "GET /data/list");
  CHECK(PatternOf(router.Find("GET", "/data/x/info")) == "GET /data/{name}/info");
  CHECK(PatternOf(router.Find("HEAD", "/data/x")) == "GET /data/{path...}");
  CHECK(PatternOf(router.Find("GET", "/data")) == "none");
  const Router::Match match = router.Find("GET", "/data/a//b%20c/");
  REQUIRE(match.params.size() == 1);
  CHECK(match.params[0].first == "path");
  CHECK(match.params[0].second == "a//b c/");
  CHECK(router.Find("PUT", "/data/x/y").allow == "GET, HEAD");
}

TEST_CASE("Router answers HEAD with GET unless HEAD has its own route", "[router]") {
  Router router;
  MustAdd(&router, "GET", "/a");
  MustAdd(&router, "GET", "/b");
  MustAdd(&router, "HEAD", "/b");
  CHECK(PatternOf(router.Find("HEAD", "/a")) == "GET /a");
  CHECK(PatternOf(router.Find("HEAD", "/b")) == "HEAD /b");
}

TEST_CASE("Router refuses bad and repeated patterns and says which", "[router]") {
  Router router;
  MustAdd(&router, "GET", "/x/{a}");
  for (const char* pattern : {"", "x", "/{", "/{}", "/a{b}", "/{a}b", "/{a}/{a}", "/{{a}}",
                              "/{...}", "/{a...}/b", "/{a}/{a...}"}) {
    const absl::Status status = router.Add("GET", pattern, Says(""));
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(pattern) != std::string::npos);
  }
  const absl::Status again = router.Add("GET", "/x/{b}", Says(""));
  CHECK(again == absl::AlreadyExistsError("route GET '/x/{b}': '/x/{a}' already has these paths"));
  CHECK(router.Add("PUT", "/x/{b}", Says("")) == absl::OkStatus());
}

TEST_CASE("Router keeps the options of a route and stays valid when moved", "[router]") {
  Router first;
  REQUIRE(first.Add("POST", "/p", Says("p"), {HandlerThread::kInline, 77}) == absl::OkStatus());
  const Route* const before = first.Find("POST", "/p").route;
  const Router second = std::move(first);
  const Router::Match match = second.Find("POST", "/p");
  REQUIRE(match.route == before);
  CHECK(match.route->options.thread == HandlerThread::kInline);
  CHECK(match.route->options.max_body_bytes == 77);
  CHECK(match.route->handler({}).body == "p");
}

}  // namespace podkit::servers
