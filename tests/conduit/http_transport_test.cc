#include "podkit/conduit/http_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "podkit/conduit/error.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/loopback_server.h"
#include "tests/support/temp_dir.h"

namespace podkit::conduit {
namespace {

using podkit::testing::FreePort;
using podkit::testing::LoopbackReply;
using podkit::testing::LoopbackRequest;
using podkit::testing::LoopbackServer;
using podkit::testing::ValueOf;
using Action = LoopbackReply::Action;

const WireRequest kRequest{
    .content_type = "application/json", .authorization = "signed", .body = R"({"x":1})"};

// A server that does what the test says and keeps what it got. Thread-safe.
class Server {
 public:
  explicit Server(const podkit::testing::LoopbackOptions& options = {}) {
    server_ = std::make_unique<LoopbackServer>(
        [this](const LoopbackRequest& request) { return Answer(request); }, options);
  }

  // What the next requests get; the last one stays.
  void Script(std::vector<LoopbackReply> replies) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(replies);
  }
  std::vector<LoopbackRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string address() const { return server_->address(); }
  uint16_t port() const { return server_->port(); }
  int connections() const { return server_->connections(); }

 private:
  LoopbackReply Answer(const LoopbackRequest& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    if (script_.empty()) return {};
    LoopbackReply reply = script_.front();
    if (script_.size() > 1) script_.erase(script_.begin());
    return reply;
  }

  mutable std::mutex mutex_;
  std::vector<LoopbackRequest> requests_;
  std::vector<LoopbackReply> script_;
  std::unique_ptr<LoopbackServer> server_;
};

absl::StatusOr<WireReply> Send(HttpTransport& transport, const std::string& host,
                               absl::Duration timeout = absl::Seconds(20),
                               const WireRequest& request = kRequest) {
  return SendAndWait(transport, {.pod = std::make_shared<const Pod>(Pod{.id = "B"}),
                                 .host = host,
                                 .request = request,
                                 .deadline = absl::Now() + timeout});
}

std::string ClosedHost() { return "http://127.0.0.1:" + std::to_string(FreePort()); }

}  // namespace

TEST_CASE("HttpTransport posts what it is given and returns what comes back", "[conduit][http]") {
  Server server;
  server.Script({{.status = 418,
                  .headers = {{"content-type", "text/tea; x=y"}, {"x-podkit-authorization", "sig"}},
                  .body = "short and stout"}});
  HttpTransport transport({.user_agent = "tester/1"});
  const WireReply reply = ValueOf(Send(transport, server.address()));
  CHECK(reply.status == 418);
  CHECK(reply.content_type == "text/tea; x=y");
  CHECK(reply.authorization == "sig");
  CHECK(reply.body == "short and stout");
  REQUIRE(server.requests().size() == 1);
  LoopbackRequest got = server.requests()[0];
  CHECK(got.method == "POST");
  CHECK(got.path == "/conduit");
  CHECK(got.body == kRequest.body);
  CHECK(got.headers["content-type"] == "application/json");
  CHECK(got.headers["authorization"] == "signed");
  CHECK(got.headers["user-agent"] == "tester/1");
  CHECK(got.headers["content-length"] == "7");
  CHECK(got.headers.count("expect") == 0);
  CHECK(got.headers.count("transfer-encoding") == 0);
}

TEST_CASE("HttpTransport sends large bodies without asking first", "[conduit][http]") {
  Server server;
  HttpTransport transport;
  WireRequest request = kRequest;
  request.body = std::string(5'000'000, 'x');
  CHECK(Send(transport, server.address(), absl::Seconds(20), request).ok());
  REQUIRE(server.requests().size() == 1);
  CHECK((server.requests()[0].body == request.body));
  CHECK(server.requests()[0].headers.count("expect") == 0);
}

TEST_CASE("HttpTransport keeps its connection from call to call", "[conduit][http]") {
  Server server;
  HttpTransport transport;
  for (int i = 0; i < 5; ++i) REQUIRE(Send(transport, server.address()).ok());
  CHECK(server.connections() == 1);
  CHECK(server.requests().size() == 5);
}

TEST_CASE("HttpTransport does not use a connection that was idle for too long", "[conduit][http]") {
  Server server;
  absl::Time now = absl::Now();
  HttpTransport transport({.max_idle = absl::Seconds(30), .now = [&] { return now; }});
  const auto send = [&] {
    return SendAndWait(transport, {.pod = std::make_shared<const Pod>(Pod{.id = "B"}),
                                   .host = server.address(),
                                   .request = kRequest,
                                   .deadline = now + absl::Seconds(20)});
  };
  REQUIRE(send().ok());
  now += absl::Seconds(29);
  REQUIRE(send().ok());
  CHECK(server.connections() == 1);
  now += absl::Seconds(31);
  REQUIRE(send().ok());
  CHECK(server.connections() == 2);
}

TEST_CASE("HttpTransport opens a new connection when the server restarted", "[conduit][http]") {
  auto server = std::make_unique<Server>();
  const uint16_t port = server->port();
  const std::string address = server->address();
  HttpTransport transport;
  REQUIRE(Send(transport, address).ok());
  server.reset();
  Server restarted({.port = port});
  CHECK(Send(transport, address).status() == absl::OkStatus());
  CHECK(restarted.requests().size() == 1);
}

TEST_CASE("HttpTransport never sends a request twice on its own", "[conduit][http][fault]") {
  // The kept connection dies under the second request, which the server has read by then.
  Server server;
  server.Script({{}, {.action = Action::kClose}, {}});
  HttpTransport transport;
  REQUIRE(Send(transport, server.address()).ok());
  const absl::Status status = Send(transport, server.address()).status();
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(server.requests().size() == 2);
  CHECK(Send(transport, server.address()).ok());
  CHECK(server.requests().size() == 3);
}

TEST_CASE("HttpTransport meets a server that closes without saying so", "[conduit][http][fault]") {
  // The server closes behind each answer; whether libcurl sees that before it sends again is a
  // race. However it ends, no request is executed twice.
  Server server;
  server.Script({{.close_after = true}});
  HttpTransport transport;
  size_t answered = 0;
  size_t unknown = 0;
  for (int i = 0; i < 50; ++i) {
    const absl::Status status = Send(transport, server.address()).status();
    if (status.ok()) ++answered;
    if (OutcomeOf(status) == Outcome::kUnknown) ++unknown;
  }
  CHECK(answered >= 1);
  CHECK(server.requests().size() >= answered);
  CHECK(server.requests().size() <= answered + unknown);
}

TEST_CASE("HttpTransport says what is known when an answer does not come",
          "[conduit][http][fault]") {
  Server server;
  HttpTransport transport({.max_reply_bytes = 1000});
  const auto outcome = [&](LoopbackReply reply) {
    server.Script({std::move(reply)});
    return OutcomeOf(Send(transport, server.address(), absl::Milliseconds(200)).status());
  };
  CHECK(outcome({.action = Action::kClose}) == Outcome::kUnknown);
  CHECK(outcome({.body = "0123456789", .action = Action::kCut}) == Outcome::kUnknown);
  CHECK(outcome({.body = "this is not HTTP\r\n\r\n", .action = Action::kAnswerRaw}) ==
        Outcome::kUnknown);
  CHECK(outcome({.body = "", .action = Action::kAnswerRaw}) == Outcome::kUnknown);
  CHECK(outcome({.action = Action::kStall}) == Outcome::kTimedOut);
  CHECK(outcome({.body = std::string(1000, 'x')}) == Outcome::kOk);
  CHECK(outcome({.body = std::string(1001, 'x')}) == Outcome::kUnknown);
  const absl::Status large = Send(transport, server.address()).status();
  CHECK(GetError<BodyTooLarge>(large)->limit == 1000);
  // The connection of the failure before is not used again.
  CHECK(outcome({}) == Outcome::kOk);
}

TEST_CASE("HttpTransport follows no redirect", "[conduit][http]") {
  Server other;
  Server server;
  server.Script({{.status = 307, .headers = {{"Location", other.address() + "/conduit"}}}});
  HttpTransport transport;
  CHECK(ValueOf(Send(transport, server.address())).status == 307);
  CHECK(other.requests().empty());
}

TEST_CASE("HttpTransport does not take its proxy from the environment", "[conduit][http]") {
  Server server;
  const std::string proxy = ClosedHost();
  setenv("http_proxy", proxy.c_str(), 1);
  HttpTransport transport;
  const absl::Status status = Send(transport, server.address()).status();
  unsetenv("http_proxy");
  CHECK(status == absl::OkStatus());
}

TEST_CASE("HttpTransport knows that nothing was executed where nobody listens",
          "[conduit][http][fault]") {
  HttpTransport transport;
  const std::string host = ClosedHost();
  const absl::Status refused = Send(transport, host).status();
  CHECK(OutcomeOf(refused) == Outcome::kNotExecuted);
  CHECK(refused.code() == absl::StatusCode::kUnavailable);
  CHECK(refused.ToString().find(host) != std::string::npos);
  const absl::Status no_name = Send(transport, "http://nowhere.invalid:80").status();
  CHECK(OutcomeOf(no_name) == Outcome::kNotExecuted);
  const absl::Status late = Send(transport, host, -absl::Seconds(1)).status();
  CHECK(OutcomeOf(late) == Outcome::kNotExecuted);
  CHECK(late.code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("HttpTransport knows that half a request was not executed", "[conduit][http][fault]") {
  // A listener that never accepts: the system takes some megabytes for it, but not all.
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(listen(listener, 1) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const std::string host = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  HttpTransport transport;
  WireRequest request = kRequest;
  CHECK(OutcomeOf(Send(transport, host, absl::Milliseconds(100), request).status()) ==
        Outcome::kTimedOut);
  for (int i = 0; i < 64; ++i) request.body += std::string(1'000'000, 'x');
  const absl::Status half = Send(transport, host, absl::Milliseconds(500), request).status();
  CHECK(OutcomeOf(half) == Outcome::kNotExecuted);
  CHECK(half.code() == absl::StatusCode::kDeadlineExceeded);
  close(listener);
}

TEST_CASE("HttpTransport ends a call that its caller stops", "[conduit][http]") {
  Server server;
  server.Script({{.action = Action::kStall}});
  HttpTransport transport({.max_connections = 1});
  // The first is in work, the second waits for the connection, the third was stopped before.
  std::stop_source stop;
  std::vector<std::future<absl::StatusOr<WireReply>>> replies;
  const auto send = [&] {
    const auto promise = std::make_shared<std::promise<absl::StatusOr<WireReply>>>();
    replies.push_back(promise->get_future());
    transport.Send({.pod = std::make_shared<const Pod>(Pod{.id = "B"}),
                    .host = server.address(),
                    .request = kRequest,
                    .deadline = absl::Now() + absl::Seconds(50),
                    .stop = stop.get_token(),
                    .done = [promise](absl::StatusOr<WireReply> reply) {
                      promise->set_value(std::move(reply));
                    }});
  };
  send();
  send();
  while (server.requests().empty()) std::this_thread::yield();
  stop.request_stop();
  send();
  for (auto& reply : replies) {
    const absl::Status status = reply.get().status();
    CHECK(OutcomeOf(status) == Outcome::kCancelled);
    CHECK(status.code() == absl::StatusCode::kCancelled);
  }
  CHECK(server.requests().size() == 1);
  // Its place is free again.
  server.Script({{}});
  CHECK(Send(transport, server.address()).status() == absl::OkStatus());
}

TEST_CASE("HttpTransport ends what is in flight when it is destroyed", "[conduit][http]") {
  Server server;
  server.Script({{.action = Action::kStall}});
  std::promise<absl::Status> ended;
  {
    HttpTransport transport;
    transport.Send(
        {.pod = std::make_shared<const Pod>(Pod{.id = "B"}),
         .host = server.address(),
         .request = kRequest,
         .deadline = absl::Now() + absl::Seconds(50),
         .done = [&](const absl::StatusOr<WireReply>& reply) { ended.set_value(reply.status()); }});
    while (server.requests().empty()) std::this_thread::yield();
  }
  CHECK(OutcomeOf(ended.get_future().get()) == Outcome::kUnknown);
}

TEST_CASE("HttpTransport waits for its turn within the deadline", "[conduit][http]") {
  Server server;
  server.Script({{.action = Action::kStall}});
  HttpTransport transport({.max_connections = 1});
  Outcome stalled_outcome{};
  std::thread stalled([&] {
    stalled_outcome =
        OutcomeOf(Send(transport, server.address(), absl::Milliseconds(400)).status());
  });
  while (server.requests().empty()) std::this_thread::yield();
  const absl::Status status = Send(transport, server.address(), absl::Milliseconds(100)).status();
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  CHECK(status.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(server.requests().size() == 1);
  // One that can wait gets the place of the first.
  server.Script({{}});
  CHECK(Send(transport, server.address()).status() == absl::OkStatus());
  stalled.join();
  CHECK(stalled_outcome == Outcome::kTimedOut);
}

TEST_CASE("HttpTransport is used by many threads at the same time", "[conduit][http][threads]") {
  Server server;
  HttpTransport transport({.max_connections = 4});
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) good += Send(transport, server.address()).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 200);
  CHECK(server.connections() <= 4);
}

TEST_CASE("HttpTransport speaks TLS and trusts only the authority of the pod",
          "[conduit][http][tls]") {
  podkit::testing::TempDir directory;
  const auto certificate = [&](const std::string& name, const std::string& subject) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=test -addext subjectAltName=" +
        subject + " -keyout " + directory.File(name + ".key") + " -out " +
        directory.File(name + ".pem") + " 2>/dev/null";
    REQUIRE(std::system(command.c_str()) == 0);
  };
  certificate("good", "IP:127.0.0.1");
  certificate("other", "IP:127.0.0.1");
  certificate("misnamed", "DNS:elsewhere.example");
  HttpTransport transport;
  const auto send = [&](const std::string& presented, const std::string& trusted) {
    Server server({.certificate_file = directory.File(presented + ".pem"),
                   .key_file = directory.File(presented + ".key")});
    const auto pod = std::make_shared<const Pod>(
        Pod{.id = "B", .ca_file = trusted.empty() ? "" : directory.File(trusted + ".pem")});
    for (int i = 0; i < 2; ++i) {
      const auto reply = SendAndWait(transport, {.pod = pod,
                                                 .host = server.address(),
                                                 .request = kRequest,
                                                 .deadline = absl::Now() + absl::Seconds(20)});
      if (!reply.ok()) return reply.status();
    }
    CHECK(server.connections() == 1);
    return absl::OkStatus();
  };
  CHECK(send("good", "good") == absl::OkStatus());
  for (const auto& [presented, trusted] :
       {std::pair("good", "other"), std::pair("good", ""), std::pair("misnamed", "misnamed"),
        std::pair("good", "none")}) {
    const absl::Status status = send(presented, trusted);
    CAPTURE(presented, trusted, status.ToString());
    CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  }
}

}  // namespace podkit::conduit
