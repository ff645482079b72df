#include "servers/http/http_message.h"

#include "servers/http/reply_writer.h"
#include "tests/support/catch.h"

namespace podkit::servers {

TEST_CASE("HttpHeaders finds the first value of a name in any case", "[http][message]") {
  HttpHeaders headers;
  headers.Add("Content-Type", "text/plain");
  headers.Add("X-Empty", "");
  headers.Add("content-type", "other");
  REQUIRE(headers.size() == 3);
  CHECK(headers[1].name == "X-Empty");
  CHECK(headers[1].value.empty());
  CHECK(headers.Find("CONTENT-type") == "text/plain");
  CHECK(headers.Find("x-empty") == "");
  CHECK(headers.Find("x-missing") == std::nullopt);
  CHECK(headers.Count("Content-Type") == 2);
  headers.Clear();
  CHECK(headers.size() == 0);
  headers.Add("a", "b");
  CHECK(headers.Find("A") == "b");
}

TEST_CASE("HttpRequest splits its target into path and decoded query values", "[http][message]") {
  HttpRequest request;
  request.target = "/a%20b/c?x=1&y=%C3%A9+2%2B&flag&x=9&k%65y=v=w&=none";
  CHECK(request.path() == "/a%20b/c");
  CHECK(request.Query("x") == "1");
  CHECK(request.Query("y") == "\xC3\xA9 2+");
  CHECK(request.Query("flag") == "");
  CHECK(request.Query("key") == "v=w");
  CHECK(request.Query("z") == std::nullopt);
  request.target = "/plain";
  CHECK(request.path() == "/plain");
  CHECK(request.Query("x") == std::nullopt);
  CHECK(request.Param("nothing").empty());
}

TEST_CASE("Percent-encoding is checked and undone byte by byte", "[http][message]") {
  for (const char* good : {"", "abc", "%00", "%aF%Fa", "a%20b"}) CHECK(IsPercentEncoded(good));
  for (const char* bad : {"%", "%2", "%zz", "a%2", "%%20", "%2g", "%20%"}) {
    INFO(bad);
    CHECK_FALSE(IsPercentEncoded(bad));
  }
  CHECK(PercentDecode("%41%2f+%zz%") == "A/+%zz%");
  CHECK(PercentDecode("a+b", true) == "a b");
  CHECK(PercentDecode("%00").size() == 1);
}

TEST_CASE("HttpResponse helpers set status, type and body", "[http][message]") {
  const HttpResponse json = HttpResponse::Json(201, "{}");
  CHECK(json.status == 201);
  CHECK(json.body == "{}");
  REQUIRE(json.headers.size() == 1);
  CHECK(json.headers[0].second == "application/json");
  CHECK(HttpResponse::Text(200, "x").headers[0].second == "text/plain; charset=utf-8");
}

TEST_CASE("ReasonPhrase knows the usual statuses", "[http][message]") {
  CHECK(ReasonPhrase(200) == "OK");
  CHECK(ReasonPhrase(404) == "Not Found");
  CHECK(ReasonPhrase(507) == "Insufficient Storage");
  CHECK(ReasonPhrase(299).empty());
  CHECK(ReasonPhrase(999).empty());
}

TEST_CASE("A reply head is framed by the server alone", "[http][reply]") {
  HttpResponse response = HttpResponse::Text(404, "gone");
  response.headers.emplace_back("content-LENGTH", "99");
  response.headers.emplace_back("Transfer-Encoding", "chunked");
  response.headers.emplace_back("Connection", "upgrade");
  response.headers.emplace_back("Date", "yesterday");
  response.headers.emplace_back("X-Own", "1");
  ReplyFrame frame{.date = "D"};
  std::string out;
  AppendReplyHead(response, frame, &out);
  CHECK(out ==
        "HTTP/1.1 404 Not Found\r\nDate: D\r\nContent-Length: 4\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nX-Own: 1\r\n\r\n");
  CHECK(SendsBody(response, frame));

  out.clear();
  frame.keep_alive = false;
  AppendReplyHead({.status = 204, .headers = {}, .body = "x"}, frame, &out);
  CHECK(out == "HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: close\r\n\r\n");
  CHECK_FALSE(SendsBody({.status = 204, .headers = {}, .body = "x"}, frame));

  out.clear();
  AppendReplyHead({.status = 200, .headers = {}, .body = ""},
                  {.date = "D", .keep_alive = true, .http_1_1 = false}, &out);
  CHECK(out == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("A reply to HEAD tells a length and sends no body", "[http][reply]") {
  ReplyFrame frame{.date = "D", .head_request = true};
  std::string out;
  AppendReplyHead({.status = 200, .headers = {}, .body = "12345"}, frame, &out);
  CHECK(out == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\n");
  CHECK_FALSE(SendsBody({.status = 200, .headers = {}, .body = "12345"}, frame));
  out.clear();
  AppendReplyHead({.status = 200, .headers = {{"Content-Length", "1048576"}}, .body = ""}, frame,
                  &out);
  CHECK(out == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 1048576\r\n\r\n");
}

TEST_CASE("A response that would break its frame is refused", "[http][reply]") {
  CHECK(CheckResponse(HttpResponse::Text(200, "")) == absl::OkStatus());
  CHECK(CheckResponse({.status = 200, .headers = {{"X", "tab\tand \xC3\xA9"}}, .body = ""}) ==
        absl::OkStatus());
  for (const int status : {0, 100, 199, 600, -1}) {
    CHECK(CheckResponse({.status = status, .headers = {}, .body = ""}).code() ==
          absl::StatusCode::kInternal);
  }
  for (const auto& [name, value] :
       std::initializer_list<std::pair<std::string, std::string>>{{"X", "a\r\nSet-Cookie: b"},
                                                                  {"X", "a\nb"},
                                                                  {"X", std::string("a\0b", 3)},
                                                                  {"", "v"},
                                                                  {"X Y", "v"},
                                                                  {"X:", "v"},
                                                                  {"X\r\nY", "v"}}) {
    INFO(name << "=" << value);
    CHECK(CheckResponse({.status = 200, .headers = {{name, value}}, .body = ""}).code() ==
          absl::StatusCode::kInternal);
  }
}

TEST_CASE("HttpDate writes the form that HTTP asks for", "[http][reply]") {
  CHECK(HttpDate(absl::FromUnixSeconds(784111777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace podkit::servers
