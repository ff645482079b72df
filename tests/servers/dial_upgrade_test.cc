// The conduit's dialler against the HTTP server: what a link between two pods runs on.

#include <fmt/format.h>

#include <future>
#include <memory>

#include "mux/upgrade.h"
#include "servers/http/http_server.h"
#include "tests/servers/http_server_bed.h"
#include "tests/support/catch.h"
#include "tests/support/dial_bed.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using conduit::DialTarget;
using conduit::internal::ParseAddress;
using conduit::internal::SocketAddress;
using testing::DialResult;
using testing::EchoUser;
using testing::MustMakeDialer;
using testing::RecordingUser;
using testing::ShellOutput;
using testing::TempDir;
using testing::ValueOf;

void MakeCertificate(const TempDir& dir, const std::string& name) {
  ShellOutput(fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test "
      "-addext subjectAltName=IP:127.0.0.1,DNS:pod.test -keyout {0}.key -out {0}.crt 2>&1",
      dir.File(name)));
}

// A server that gives each link to a user of its own, and a dialler that finds it under any name.
class DialBed {
 public:
  explicit DialBed(bool tls) {
    HttpServerOptions options;
    if (tls) {
      MakeCertificate(dir, "pod");
      options.tls_certificate_file = dir.File("pod.crt");
      options.tls_key_file = dir.File("pod.key");
    }
    Router router = Routes();
    const auto handler = [this](const HttpRequest& request) {
      if (request.headers.Find("Host") == std::optional<std::string_view>("refused.test:443")) {
        return HttpResponse::Text(403, "no");
      }
      return HttpResponse::SwitchTo(accepted.opened());
    };
    REQUIRE(router.AddUpgrade(conduit::internal::kUpgradePath, conduit::internal::kUpgradeProtocol,
                              handler) == absl::OkStatus());
    server = MustStart(std::move(options), std::move(router));
    dialer = MustMakeDialer(conduit::MakeSystemScheduler(), [this](const std::string&, uint16_t) {
      return std::vector<SocketAddress>{*ParseAddress("127.0.0.1", server->port())};
    });
  }

  absl::StatusOr<std::shared_ptr<RecordingUser>> Dial(DialTarget target) {
    DialResult dial;
    dialer->Dial(std::move(target), dial.opened(), dial.failed());
    return dial.Await();
  }
  std::string Ca() const { return dir.File("pod.crt"); }

  TempDir dir;
  DialResult<EchoUser> accepted;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<conduit::internal::Dialer> dialer;
};

}  // namespace

TEST_CASE("A dialled stream and that of the server are two ends of one", "[dialer][upgrade]") {
  const bool tls = GENERATE(false, true);
  DialBed bed(tls);
  const std::string url =
      fmt::format("{}://127.0.0.1:{}", tls ? "https" : "http", bed.server->port());
  const auto user = ValueOf(bed.Dial({.host = url, .ca_file = tls ? bed.Ca() : ""}));
  const auto other = ValueOf(bed.accepted.Await());
  const std::string binding = user->stream()->ChannelBinding();
  CHECK(binding.size() == (tls ? 32 : 0));
  CHECK(binding == other->stream()->ChannelBinding());
  std::string much;
  for (int i = 0; much.size() < 3'000'000; ++i) much += fmt::format("{:07} ", i);
  user->Send(much);
  CHECK((user->AwaitBytes(much.size()) == much));
  user->Close();
  CHECK(user->AwaitClosed() == absl::OkStatus());
  CHECK(other->AwaitClosed() == absl::OkStatus());
  CHECK_FALSE(user->misused());
  CHECK_FALSE(other->misused());
}

TEST_CASE("A dialled stream hears of the server's end", "[dialer][upgrade]") {
  const bool tls = GENERATE(false, true);
  DialBed bed(tls);
  const std::string url =
      fmt::format("{}://127.0.0.1:{}", tls ? "https" : "http", bed.server->port());
  const auto user = ValueOf(bed.Dial({.host = url, .ca_file = tls ? bed.Ca() : ""}));
  ValueOf(bed.accepted.Await())->Close();
  CHECK(user->AwaitClosed() == absl::OkStatus());
}

TEST_CASE("Dialer opens no stream to somebody else", "[dialer][upgrade][tls]") {
  DialBed bed(true);
  MakeCertificate(bed.dir, "other");
  const auto failure = [&](const std::string& host, const std::string& ca_file) {
    const absl::Status why = bed.Dial({.host = host, .ca_file = ca_file}).status();
    INFO(why.ToString());
    CHECK(why.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(why.ToString().find(host + ": ") != std::string::npos);
    return why.ToString();
  };
  CHECK(failure("https://pod.test:443", bed.dir.File("other.crt")).find("self-signed") !=
        std::string::npos);
  CHECK(failure("https://pod.test:443", "").find("self-signed") != std::string::npos);
  CHECK(failure("https://wrong.test:443", bed.Ca()).find("hostname mismatch") != std::string::npos);
  CHECK(failure("https://pod.test:443", bed.dir.File("none.crt")).find("none.crt") !=
        std::string::npos);
  CHECK(bed.Dial({.host = "https://pod.test:443", .ca_file = bed.Ca()}).ok());
}

TEST_CASE("Dialer reads a ca_file again when it has changed", "[dialer][upgrade][tls]") {
  DialBed bed(true);
  MakeCertificate(bed.dir, "other");
  const std::string file = bed.dir.File("ca.crt");
  ShellOutput(fmt::format("cp {} {}", bed.dir.File("other.crt"), file));
  CHECK_FALSE(bed.Dial({.host = "https://pod.test:443", .ca_file = file}).ok());
  ShellOutput(fmt::format("cp {} {}.new && mv {}.new {}", bed.Ca(), file, file, file));
  CHECK(bed.Dial({.host = "https://pod.test:443", .ca_file = file}).ok());
}

TEST_CASE("Dialer finds out that TLS is spoken on one side only", "[dialer][upgrade][tls]") {
  DialBed secure(true);
  CHECK_FALSE(secure.Dial({.host = "http://pod.test:443"}).ok());
  DialBed clear(false);
  const absl::Status why = clear.Dial({.host = "https://pod.test:443"}).status();
  CHECK(why.code() == absl::StatusCode::kUnavailable);
  CHECK(why.ToString().find("the TLS handshake failed") != std::string::npos);
}

TEST_CASE("Dialer knows a server that refuses from one that does not understand",
          "[dialer][upgrade]") {
  DialBed bed(false);
  CHECK(bed.Dial({.host = "http://refused.test:443"}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  const auto plain = MustStart();
  DialResult dial;
  bed.dialer->Dial({.host = fmt::format("http://127.0.0.1:{}", plain->port())}, dial.opened(),
                   dial.failed());
  CHECK(dial.AwaitFailure().code() == absl::StatusCode::kUnimplemented);
}

}  // namespace podkit::servers
