#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "servers/http/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using testing::RawHttpClient;
using testing::ShellOutput;
using testing::TempDir;
using testing::ValueOf;

// Writes `name`.crt and `name`.key for 127.0.0.1, signed by itself.
void MakeCertificate(const TempDir& dir, const std::string& name) {
  ShellOutput(fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test "
      "-addext subjectAltName=IP:127.0.0.1 -keyout {0}.key -out {0}.crt 2>&1",
      dir.File(name)));
}

Router Routes() {
  Router router;
  REQUIRE(router.Add("GET", "/tls", [](const HttpRequest& request) {
    return HttpResponse::Text(200, request.tls ? "tls\n" : "clear\n");
  }) == absl::OkStatus());
  REQUIRE(
      router.Add("PUT", "/echo",
                 [](const HttpRequest& request) { return HttpResponse::Text(200, request.body); },
                 {HandlerThread::kPool, 64 << 20}) == absl::OkStatus());
  return router;
}

class TlsBed {
 public:
  TlsBed() {
    MakeCertificate(dir, "pod");
    options.tls_certificate_file = dir.File("pod.crt");
    options.tls_key_file = dir.File("pod.key");
    options.timer_resolution = absl::Milliseconds(5);
  }

  HttpServer& server() {
    if (server_ == nullptr) server_ = ValueOf(HttpServer::Start(options, Routes()));
    return *server_;
  }
  // Runs curl, which checks the certificate, with a path of the server at its end.
  std::string Curl(const std::string& arguments, const std::string& path) {
    return ShellOutput(fmt::format("curl -sS -m 10 --cacert {} {} https://127.0.0.1:{}{} 2>&1",
                                   dir.File("pod.crt"), arguments, server().port(), path));
  }
  // What `openssl s_client` prints after having sent `input`.
  std::string Client(const std::string& input, const std::string& arguments) {
    std::ofstream(dir.File("input")) << input;
    return ShellOutput(
        fmt::format("timeout 10 openssl s_client -connect 127.0.0.1:{} {} < {} 2>&1 || true",
                    server().port(), arguments, dir.File("input")));
  }

  TempDir dir;
  HttpServerOptions options;

 private:
  std::unique_ptr<HttpServer> server_;
};

absl::Status StartWith(const std::string& certificate, const std::string& key) {
  HttpServerOptions options;
  options.tls_certificate_file = certificate;
  options.tls_key_file = key;
  return HttpServer::Start(std::move(options), Router()).status();
}

}  // namespace

TEST_CASE("HttpServer speaks https when it has a certificate", "[http][tls][curl]") {
  TlsBed bed;
  CHECK(bed.Curl("", "/tls") == "tls\n");
  CHECK(bed.Curl("--tls-max 1.2", "/tls") == "tls\n");
  CHECK(bed.Curl("--tlsv1.3", "/tls") == "tls\n");
  CHECK(bed.Curl("--http2", "/tls") == "tls\n");
  CHECK(bed.Curl("-X PUT -d body -H 'Expect: 100-continue'", "/echo") == "body");
  const std::string twice = fmt::format("https://127.0.0.1:{}/tls", bed.server().port());
  const uint64_t before = bed.server().counters().connections_accepted;
  CHECK(bed.Curl(twice, "/tls") == "tls\ntls\n");
  CHECK(bed.server().counters().connections_accepted == before + 1);
}

TEST_CASE("HttpServer refuses TLS before 1.2", "[http][tls]") {
  TlsBed bed;
  CHECK(bed.Client("", "-tls1_2 -brief").find("Protocol version: TLSv1.2") != std::string::npos);
  const std::string old = bed.Client("", "-tls1_1 -cipher ALL:@SECLEVEL=0 -brief");
  CHECK(old.find("alert protocol version") != std::string::npos);
}

TEST_CASE("HttpServer carries large bodies through TLS", "[http][tls][curl]") {
  TlsBed bed;
  ShellOutput("head -c 20000000 /dev/urandom > " + bed.dir.File("up"));
  bed.Curl(fmt::format("-T {} -o {}", bed.dir.File("up"), bed.dir.File("down")), "/echo");
  ShellOutput(fmt::format("cmp {} {} 2>&1", bed.dir.File("up"), bed.dir.File("down")));
}

TEST_CASE("HttpServer answers requests pipelined through TLS", "[http][tls]") {
  TlsBed bed;
  std::string input;
  for (int i = 0; i < 200; ++i) {
    input += fmt::format("PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n<{:03}>", i);
  }
  input += "GET /tls HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string output = bed.Client(input, "-quiet");
  size_t at = 0;
  for (int i = 0; i < 200; ++i) {
    at = output.find(fmt::format("\r\n\r\n<{:03}>HTTP/1.1 200 OK\r\n", i), at);
    REQUIRE(at != std::string::npos);
  }
  CHECK(output.ends_with("\r\n\r\ntls\n"));
}

TEST_CASE("HttpServer closes on clients that cannot do the handshake", "[http][tls][timeout]") {
  TlsBed bed;
  bed.options.header_timeout = absl::Seconds(1);  // In which a good client must be done.
  RawHttpClient silent(bed.server().port());
  RawHttpClient half(bed.server().port());
  REQUIRE(half.Send("\x16\x03\x01\x02"));
  RawHttpClient clear(bed.server().port());
  REQUIRE(clear.Send("GET /tls HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_THROWS(clear.Receive());
  RawHttpClient gone(bed.server().port());
  REQUIRE(gone.Send("\x16\x03\x01\x02"));
  gone.Abort();
  CHECK(bed.Curl("", "/tls") == "tls\n");
  CHECK(silent.AtEnd());
  CHECK(half.AtEnd());
}

TEST_CASE("HttpServer closes TLS connections beyond its limit", "[http][tls][limits]") {
  TlsBed bed;
  bed.options.max_connections = 1;
  {
    RawHttpClient first(bed.server().port());
    RawHttpClient second(bed.server().port());
    CHECK(second.AtEnd());
    CHECK(bed.server().counters().connections_refused == 1);
  }
  while (bed.server().counters().connections_open > 0) std::this_thread::yield();
  CHECK(bed.Curl("", "/tls") == "tls\n");
}

TEST_CASE("HttpServer stops in the middle of handshakes", "[http][tls][stop]") {
  TlsBed bed;
  RawHttpClient half(bed.server().port());
  REQUIRE(half.Send("\x16\x03\x01\x02"));
  while (bed.server().counters().connections_open == 0) std::this_thread::yield();
  bed.server().Stop(absl::Hours(1));
  CHECK(half.AtEnd());
}

TEST_CASE("HttpServer names the TLS file that it cannot use", "[http][tls]") {
  const TempDir dir;
  MakeCertificate(dir, "one");
  MakeCertificate(dir, "two");
  std::ofstream(dir.File("rubbish")) << "rubbish";
  ShellOutput(fmt::format("openssl ec -aes128 -passout pass:secret -in {} -out {} 2>&1",
                          dir.File("one.key"), dir.File("locked.key")));
  const auto check = [&](const std::string& certificate, const std::string& key,
                         const std::string& blamed) {
    const absl::Status status = StartWith(dir.File(certificate), dir.File(key));
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.ToString().find("file '" + dir.File(blamed) + "': ") != std::string::npos);
  };
  check("missing.crt", "one.key", "missing.crt");
  check("rubbish", "one.key", "rubbish");
  check("one.crt", "missing.key", "missing.key");
  check("one.crt", "rubbish", "rubbish");
  check("one.crt", "two.key", "two.key");
  check("one.crt", "locked.key", "locked.key");
  CHECK(StartWith(dir.File("one.crt"), dir.File("one.key")) == absl::OkStatus());
}

}  // namespace podkit::servers
