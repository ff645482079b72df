// Bodies that are not kept whole: requests that a receiver takes while they arrive, and replies
// that are files.
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "servers/http/http_server.h"
#include "tests/servers/http_session_bed.h"
#include "tests/support/raw_http_client.h"

namespace podkit::servers {
namespace {

using testing::RawHttpClient;
using testing::ValueOf;

// Counts what it gets, and answers with it; refuses all from the first '!' on.
class Counter final : public BodyReceiver {
 public:
  explicit Counter(int* alive) : alive_(alive) { ++*alive_; }
  ~Counter() override { --*alive_; }
  bool Receive(std::string_view bytes) override {
    if (bytes.find('#') != std::string_view::npos) throw std::runtime_error("no memory");
    bytes_ += bytes.size();
    ++pieces_;
    refused_ = refused_ || bytes.find('!') != std::string_view::npos;
    return !refused_;
  }
  HttpResponse Finish() override {
    return HttpResponse::Text(refused_ ? 422 : 200, fmt::format("{} in {}", bytes_, pieces_));
  }

 private:
  int* const alive_;
  size_t bytes_ = 0;
  int pieces_ = 0;
  bool refused_ = false;
};

void AddCounter(Router* router, int* alive, size_t max_body_bytes = 1000) {
  REQUIRE(router->AddStreamed(
              "POST", "/stream",
              [alive](const HttpRequest&) { return std::make_unique<Counter>(alive); },
              max_body_bytes) == absl::OkStatus());
}

HttpFile FileOf(std::string_view bytes) {
  const int fd = memfd_create("reply", MFD_CLOEXEC);
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  auto owner = std::shared_ptr<int>(new int(fd), [](const int* held) {
    close(*held);
    delete held;
  });
  return {std::move(owner), fd, 0, bytes.size()};
}

std::string StreamHead(size_t size, std::string_view extra = "") {
  return fmt::format("POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n", size,
                     extra);
}

TEST_CASE("A streamed body reaches its receiver in pieces and is not kept", "[http][stream]") {
  int alive = 0;
  Bed bed;
  AddCounter(&bed.router, &alive);
  CHECK(bed.Give(StreamHead(9)).empty());
  CHECK(alive == 1);
  CHECK(bed.Give("abc").empty());
  CHECK(bed.Give("def").empty());
  CHECK(bed.Give("ghi") == Reply("200 OK", "9 in 3"));
  CHECK(alive == 0);
  CHECK(bed.Give(StreamHead(0)) == Reply("200 OK", "0 in 0"));
  CHECK(bed.next() == Next::kRead);
}

TEST_CASE("A streamed body has its limit, and 413 comes before it", "[http][stream]") {
  int alive = 0;
  Bed bed;
  AddCounter(&bed.router, &alive, 10);
  CHECK(bed.Give(StreamHead(11)).starts_with("HTTP/1.1 413 "));
  CHECK(bed.next() == Next::kLinger);
}

TEST_CASE("A receiver that wants no more answers at once and the connection is cut",
          "[http][stream]") {
  int alive = 0;
  Bed bed;
  AddCounter(&bed.router, &alive);
  bed.Give(StreamHead(500));
  const std::string reply = bed.Give("a!b");
  CHECK(reply.starts_with("HTTP/1.1 422 "));
  CHECK_THAT(reply, Catch::Contains("Connection: close\r\n") && Catch::EndsWith("3 in 1"));
  CHECK(bed.next() == Next::kLinger);
}

TEST_CASE("A receiver that refuses the last piece leaves the connection as it is",
          "[http][stream]") {
  int alive = 0;
  Bed bed;
  AddCounter(&bed.router, &alive);
  CHECK(bed.Give(StreamHead(3) + "ab!").starts_with("HTTP/1.1 422 "));
  CHECK(bed.next() == Next::kRead);
}

TEST_CASE("A receiver that throws is a 500, and its client is cut off", "[http][stream]") {
  int alive = 0;
  Bed bed;
  AddCounter(&bed.router, &alive);
  CHECK(bed.Give(StreamHead(500) + "a#").starts_with("HTTP/1.1 500 "));
  CHECK(bed.next() == Next::kLinger);
  REQUIRE(bed.log.size() == 1);
  CHECK_THAT(bed.log[0], Catch::Contains("no memory"));
}

TEST_CASE("A receiver ends with its connection", "[http][stream]") {
  int alive = 0;
  {
    Bed bed;
    AddCounter(&bed.router, &alive);
    bed.Give(StreamHead(500) + "abc");
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("A file follows the head, and what is pipelined waits for its end", "[http][stream]") {
  Bed bed;
  bed.Add("GET", "/file", HandlerThread::kInline, [](const HttpRequest&) {
    return HttpResponse{.status = 200, .headers = {}, .body = {}, .file = FileOf("0123456789")};
  });
  const std::string get = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string head = "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 10\r\n\r\n";
  CHECK(bed.Give(get + "HEAD" + get.substr(3)) == head);
  const HttpFile* file = bed.session().OutputFile();
  REQUIRE(file != nullptr);
  CHECK(file->size == 10);
  CHECK(bed.next() == Next::kProcess);
  bed.session().SentFile(4, bed.now);
  REQUIRE(bed.session().OutputFile() != nullptr);
  CHECK(bed.session().OutputFile()->offset == 4);
  CHECK(bed.session().OutputFile()->size == 6);
  bed.session().SentFile(6, bed.now);
  CHECK(bed.Run() == head);
  CHECK(bed.session().OutputFile() == nullptr);
}

TEST_CASE("A client that takes a file too slowly is cut off", "[http][stream]") {
  Bed bed;
  bed.options.write_timeout = absl::Seconds(5);
  bed.options.min_bytes_per_second = 10;
  bed.Add("GET", "/file", HandlerThread::kInline, [](const HttpRequest&) {
    return HttpResponse{
        .status = 200, .headers = {}, .body = {}, .file = FileOf(std::string(1000, 'x'))};
  });
  bed.Give("GET /file HTTP/1.1\r\nHost: h\r\n\r\n");
  bed.session().SentFile(500, bed.now);
  bed.Tick(absl::Seconds(54));
  CHECK(bed.session().OutputFile() != nullptr);
  bed.Tick(absl::Seconds(20));
  CHECK(bed.next() == Next::kClose);
}

Router FileRoutes(int* alive, const std::string& bytes) {
  Router router;
  AddCounter(&router, alive, 64 << 20);
  const HttpFile file = FileOf(bytes);
  REQUIRE(router.Add("GET", "/file", [file](const HttpRequest& request) {
    HttpResponse response;
    response.file = file;
    const auto more = request.Query("more");  // Promises more than there is.
    response.file.size += more ? 1 : 0;
    return response;
  }) == absl::OkStatus());
  return router;
}

TEST_CASE("The server sends files and takes streams of any size", "[http][stream]") {
  std::string bytes(5'000'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i * i % 25);
  int alive = 0;
  const auto server = ValueOf(HttpServer::Start({}, FileRoutes(&alive, bytes)));
  RawHttpClient client(server->port());
  CHECK(client.Exchange("GET /file HTTP/1.1\r\nHost: h\r\n\r\n").body == bytes);
  const auto reply = client.Exchange(StreamHead(bytes.size()) + bytes);
  CHECK(reply.status == 200);
  CHECK_THAT(reply.body, Catch::StartsWith("5000000 in "));
  CHECK(client.Exchange("GET /file HTTP/1.1\r\nHost: h\r\n\r\n").body == bytes);
  CHECK(client.Exchange(StreamHead(bytes.size()) + "!").status == 422);
  RawHttpClient second(server->port());
  CHECK_THROWS(second.Exchange("GET /file?more=1 HTTP/1.1\r\nHost: h\r\n\r\n"));
}

}  // namespace
}  // namespace podkit::servers
