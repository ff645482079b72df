#include "mux/dialer.h"

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "fmt/format.h"
#include "mux/socket_stream.h"
#include "mux/upgrade.h"
#include "podkit/conduit/testing/manual_scheduler.h"
#include "tests/support/catch.h"
#include "tests/support/dial_bed.h"
#include "tests/support/free_port.h"
#include "tests/support/raw_server.h"

namespace podkit::conduit::internal {
namespace {

using podkit::testing::DialResult;
using podkit::testing::EchoUser;
using podkit::testing::MustMakeDialer;
using podkit::testing::RawConnection;
using podkit::testing::RawServer;
using podkit::testing::RecordingUser;
using podkit::testing::ValueOf;

constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nDate: now\r\nconnection: upgrade\r\n"
    "Upgrade: podkit-conduit/1\r\n\r\n";

// A server that switches, then does `script`.
RawServer::Script Switching(RawServer::Script script) {
  return [script = std::move(script)](RawConnection& connection) {
    connection.ReceiveTo("\r\n\r\n");
    connection.Send(kSwitched);
    script(connection);
  };
}

void Echo(RawConnection& connection) {
  for (std::string bytes = connection.Receive(); !bytes.empty(); bytes = connection.Receive()) {
    connection.Send(bytes);
  }
}

bool Says(const absl::Status& status, std::string_view text) {
  return status.ToString().find(text) != std::string::npos;
}

// Tells for how long the last piece of work waits.
class WatchedScheduler final : public Scheduler {
 public:
  absl::Time Now() const override { return clock_.Now(); }
  uint64_t At(absl::Time when, std::function<void()> work) override {
    const uint64_t id = clock_.At(when, std::move(work));
    last_ = absl::ToInt64Seconds(when - Now());
    return id;
  }
  bool Cancel(uint64_t id) override { return clock_.Cancel(id); }

  void Advance(absl::Duration duration) { clock_.Advance(duration); }
  absl::Duration last() const { return absl::Seconds(last_.load()); }

 private:
  podkit::conduit::testing::ManualScheduler clock_;
  std::atomic<int64_t> last_ = 0;
};

absl::StatusOr<std::string> Feed(std::string_view bytes) {
  UpgradeReply reply;
  return reply.Feed(bytes).value_or(absl::OutOfRangeError("wants more"));
}

}  // namespace

TEST_CASE("UpgradeReply tells what an answer means", "[dialer][upgrade]") {
  using Code = absl::StatusCode;
  CHECK(ValueOf(Feed(kSwitched)).empty());
  CHECK(ValueOf(Feed(std::string(kSwitched) + "early\r\n\r\n")) == "early\r\n\r\n");
  CHECK(ValueOf(Feed("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + std::string(kSwitched))).empty());
  CHECK(ValueOf(Feed("HTTP/1.1 101\r\nConnection: a , UPGRADE\r\nUpgrade: x, Podkit-Conduit/1"
                     "\r\n\r\n"))
            .empty());
  const auto code = [](std::string_view bytes) { return Feed(bytes).status().code(); };
  CHECK(code("") == Code::kOutOfRange);
  CHECK(code(kSwitched.substr(0, kSwitched.size() - 1)) == Code::kOutOfRange);
  for (const int status : {200, 204, 302, 400, 404, 405, 426, 501}) {
    CHECK(code(fmt::format("HTTP/1.1 {} X\r\n\r\n", status)) == Code::kUnimplemented);
  }
  for (const int status : {408, 429, 500, 502, 503}) {
    CHECK(code(fmt::format("HTTP/1.1 {} X\r\n\r\n", status)) == Code::kUnavailable);
  }
  for (const int status : {401, 403}) {
    CHECK(code(fmt::format("HTTP/1.0 {}\r\n\r\n", status)) == Code::kPermissionDenied);
  }
  CHECK(code("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n") ==
        Code::kUnimplemented);
  CHECK(code("HTTP/1.1 101 X\r\nUpgrade: podkit-conduit/1\r\n\r\n") == Code::kUnimplemented);
  for (const std::string_view rubbish :
       {"\r\n\r\n", "HTTP/2 101 X\r\n\r\n", "HTTP/1.1 1010 X\r\n\r\n", "HTTP/1.1 10\r\n\r\n",
        "HTTP/1.1 -10 X\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n\r\n"}) {
    INFO(rubbish);
    CHECK(code(rubbish) == Code::kDataLoss);
  }
  CHECK(code(std::string(20'000, 'x')) == Code::kDataLoss);
  CHECK(code("HTTP/1.1 101 X\r\n" + std::string(20'000, 'x') + "\r\n\r\n") == Code::kDataLoss);
}

TEST_CASE("UpgradeReply takes an answer in any pieces", "[dialer][upgrade]") {
  const std::string whole = std::string(kSwitched) + "x";
  for (size_t cut = 0; cut < kSwitched.size(); ++cut) {
    UpgradeReply reply;
    CHECK_FALSE(reply.Feed(whole.substr(0, cut)).has_value());
    const auto answer = reply.Feed(whole.substr(cut));
    REQUIRE(answer.has_value());
    CHECK(ValueOf(*answer) == "x");
  }
}

TEST_CASE("Dialer opens a stream", "[dialer]") {
  std::promise<std::string> request;
  RawServer server([&](RawConnection& connection) {
    request.set_value(connection.ReceiveTo("\r\n\r\n"));
    for (const char byte : std::string(kSwitched) + "early ") connection.Send({&byte, 1});
    Echo(connection);
  });
  const auto dialer = MustMakeDialer();
  DialResult dial;
  dialer->Dial({.host = server.address()}, dial.opened(), dial.failed());
  const auto user = ValueOf(dial.Await());
  CHECK(
      request.get_future().get() ==
      fmt::format("GET /conduit/connect HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n"
                  "Connection: Upgrade\r\nUpgrade: podkit-conduit/1\r\nUser-Agent: podkit\r\n\r\n",
                  server.port()));
  user->Send("and echoed");
  CHECK(user->AwaitBytes(16) == "early and echoed");
  CHECK(user->stream()->peer() == fmt::format("127.0.0.1:{}", server.port()));
  CHECK(user->stream()->ChannelBinding().empty());
  user->Close();
  CHECK(user->AwaitClosed() == absl::OkStatus());
  CHECK_FALSE(user->misused());
}

TEST_CASE("Dialer says why there is no stream", "[dialer]") {
  const auto failure = [](RawServer::Script script) {
    RawServer server(std::move(script));
    const auto dialer = MustMakeDialer();
    DialResult dial;
    dialer->Dial({.host = server.address()}, dial.opened(), dial.failed());
    const absl::Status why = dial.AwaitFailure();
    CHECK(Says(why, server.address() + ": "));
    return why;
  };
  const absl::Status not_found = failure([](RawConnection& connection) {
    connection.ReceiveTo("\r\n\r\n");
    connection.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    connection.AwaitEnd();
  });
  CHECK(not_found.code() == absl::StatusCode::kUnimplemented);
  CHECK(Says(not_found, "HTTP 404"));

  const absl::Status closed = failure([](RawConnection& connection) {
    connection.ReceiveTo("\r\n\r\n");
    connection.Send(kSwitched.substr(0, 20));
  });
  CHECK(closed.code() == absl::StatusCode::kUnavailable);
  CHECK(Says(closed, "the other side closed the connection during the answer"));

  const absl::Status reset = failure([](RawConnection& connection) {
    connection.ReceiveTo("\r\n\r\n");
    connection.Abort();
  });
  CHECK(reset.code() == absl::StatusCode::kUnavailable);
  CHECK(Says(reset, "Connection reset by peer"));

  const absl::Status giant = failure([](RawConnection& connection) {
    for (int i = 0; i < 1000; ++i) connection.Send("X-Fill: 0123456789012345678901234567\r\n");
    connection.AwaitEnd();
  });
  CHECK(giant.code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("Dialer refuses what is no address and names what is not there", "[dialer]") {
  const auto dialer = MustMakeDialer();
  const auto failure = [&](const std::string& host) {
    DialResult dial;
    dialer->Dial({.host = host}, dial.opened(), dial.failed());
    return dial.AwaitFailure();
  };
  CHECK(failure("ftp://127.0.0.1:1").code() == absl::StatusCode::kInvalidArgument);
  CHECK(failure("http://nowhere.invalid:1").code() != absl::StatusCode::kOk);
  for (const std::string ip : {"127.0.0.1", "[::1]"}) {
    const uint16_t port = podkit::testing::FreePort();
    const absl::Status refused = failure(fmt::format("http://{}:{}", ip, port));
    CHECK(refused.code() == absl::StatusCode::kUnavailable);
    CHECK(Says(refused, fmt::format("cannot connect to {}:{}: ", ip, port)));
  }
}

TEST_CASE("Dialer gives up at the deadline, wherever it is", "[dialer][deadline]") {
  const auto clock = std::make_shared<podkit::conduit::testing::ManualScheduler>();
  const absl::Time deadline = clock->Now() + absl::Seconds(5);
  SECTION("while it is answered byte by byte") {
    std::promise<void> asked;
    RawServer server([&](RawConnection& connection) {
      connection.ReceiveTo("\r\n\r\n");
      asked.set_value();
      for (;;) connection.Send("x");
    });
    const auto dialer = MustMakeDialer(clock);
    DialResult dial;
    dialer->Dial({.host = server.address(), .deadline = deadline}, dial.opened(), dial.failed());
    asked.get_future().get();
    clock->Advance(absl::Seconds(5));
    const absl::Status why = dial.AwaitFailure();
    // The head may also have become too large by then.
    if (!absl::IsDataLoss(why)) {
      CHECK(why.code() == absl::StatusCode::kDeadlineExceeded);
      CHECK(Says(why, "it took too long to be answered"));
    }
  }
  SECTION("while nobody answers") {
    std::promise<void> asked;
    RawServer server([&](RawConnection& connection) {
      connection.ReceiveTo("\r\n\r\n");
      asked.set_value();
      connection.AwaitEnd();
    });
    const auto dialer = MustMakeDialer(clock);
    DialResult dial;
    dialer->Dial({.host = server.address(), .deadline = deadline}, dial.opened(), dial.failed());
    asked.get_future().get();
    clock->Advance(absl::Seconds(5));
    const absl::Status why = dial.AwaitFailure();
    CHECK(why.code() == absl::StatusCode::kDeadlineExceeded);
    CHECK(Says(why, "it took too long to be answered"));
  }
  SECTION("while the name is being resolved") {
    std::latch asked(1);
    std::promise<void> release;
    const auto dialer = MustMakeDialer(clock, [&](const std::string&, uint16_t) {
      asked.count_down();
      release.get_future().get();
      return absl::NotFoundError("too late");
    });
    DialResult dial;
    dialer->Dial({.host = "http://slow.test:1", .deadline = deadline}, dial.opened(),
                 dial.failed());
    asked.wait();
    clock->Advance(absl::Seconds(5));
    const absl::Status why = dial.AwaitFailure();
    CHECK(why.code() == absl::StatusCode::kDeadlineExceeded);
    CHECK(Says(why, "to find the address"));
    release.set_value();
  }
}

TEST_CASE("Dialer tries all addresses of a name", "[dialer]") {
  RawServer server(Switching(Echo));
  const auto resolve = [&](const std::string& host, uint16_t) {
    CHECK(host == "pod.test");
    return std::vector<SocketAddress>{*ParseAddress("::1", podkit::testing::FreePort()),
                                      *ParseAddress("127.0.0.1", podkit::testing::FreePort()),
                                      *ParseAddress("127.0.0.1", server.port())};
  };
  const auto dialer = MustMakeDialer(MakeSystemScheduler(), resolve);
  DialResult dial;
  dialer->Dial({.host = "http://pod.test:80"}, dial.opened(), dial.failed());
  const auto user = ValueOf(dial.Await());
  CHECK(user->stream()->peer() == fmt::format("127.0.0.1:{}", server.port()));
}

TEST_CASE("Dialer leaves an address that does not answer time enough for the next",
          "[dialer][deadline]") {
  // A listener whose queue is full drops what else arrives.
  const int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(bind(full, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(listen(full, 0) == 0);
  REQUIRE(getsockname(full, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  std::vector<UniqueFd> queued;
  for (int i = 0; i < 4; ++i) {
    queued.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(connect(queued.back().get(), reinterpret_cast<sockaddr*>(&address), size));
  }

  RawServer server(Switching(Echo));
  const auto clock = std::make_shared<WatchedScheduler>();
  const auto dialer = MustMakeDialer(clock, [&](const std::string&, uint16_t) {
    return std::vector<SocketAddress>{*ParseAddress("127.0.0.1", ntohs(address.sin_port)),
                                      *ParseAddress("127.0.0.1", server.port())};
  });
  DialResult dial;
  const absl::Time deadline = clock->Now() + absl::Seconds(10);
  dialer->Dial({.host = "http://pod.test:80", .deadline = deadline}, dial.opened(), dial.failed());
  while (clock->last() != absl::Seconds(5)) std::this_thread::yield();
  clock->Advance(absl::Seconds(5));
  CHECK(ValueOf(dial.Await())->stream()->peer() == fmt::format("127.0.0.1:{}", server.port()));
  close(full);
}

TEST_CASE("Dialer's end fails its dials and cuts its streams", "[dialer]") {
  std::latch asked(1);
  RawServer silent([&](RawConnection& connection) {
    connection.ReceiveTo("\r\n\r\n");
    asked.count_down();
    connection.AwaitEnd();
  });
  RawServer server(Switching(Echo));
  auto dialer = MustMakeDialer();
  DialResult dialling;
  DialResult open;
  dialer->Dial({.host = server.address()}, open.opened(), open.failed());
  dialer->Dial({.host = silent.address()}, dialling.opened(), dialling.failed());
  const auto user = ValueOf(open.Await());
  const auto stream = user->stream();
  asked.wait();
  dialer.reset();
  CHECK(dialling.AwaitFailure().code() == absl::StatusCode::kCancelled);
  const absl::Status why = user->AwaitClosed();
  CHECK(why.code() == absl::StatusCode::kUnavailable);
  CHECK(Says(why, "this side ends"));
  stream->Wake();
  stream->Close();
}

TEST_CASE("A dialled stream carries much both ways, woken by many threads", "[dialer]") {
  RawServer server(Switching(Echo));
  const auto dialer = MustMakeDialer();
  DialResult dial;
  dialer->Dial({.host = server.address()}, dial.opened(), dial.failed());
  const auto user = ValueOf(dial.Await());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) user->Send(std::string(i % 7 == 0 ? 20'000 : 20, "abcd"[t]));
    });
  }
  for (std::thread& thread : threads) thread.join();
  constexpr size_t kTotal = size_t{4} * (72 * 20'000 + 428 * 20);
  CHECK(user->AwaitBytes(kTotal).size() == kTotal);
  CHECK_FALSE(user->misused());
}

TEST_CASE("A dialled stream sends what is left before it closes", "[dialer]") {
  std::promise<size_t> received;
  RawServer server(Switching([&](RawConnection& connection) {
    connection.Send("unread by a user who has closed");
    size_t count = 0;
    for (std::string bytes = connection.Receive(); !bytes.empty(); bytes = connection.Receive()) {
      count += bytes.size();
    }
    connection.Send("the goodbye");
    received.set_value(count);
  }));
  const auto dialer = MustMakeDialer();
  DialResult dial;
  dialer->Dial({.host = server.address()}, dial.opened(), dial.failed());
  const auto user = ValueOf(dial.Await());
  user->Put(std::string(5'000'000, 'x'));
  user->Close();
  CHECK(user->AwaitClosed() == absl::OkStatus());
  CHECK(received.get_future().get() == 5'000'000);
}

TEST_CASE("A dialled stream whose peer does not take the last bytes is cut", "[dialer]") {
  std::promise<void> cut;
  RawServer server(Switching([&](RawConnection&) { cut.get_future().get(); }));
  const auto clock = std::make_shared<podkit::conduit::testing::ManualScheduler>();
  const auto dialer = MustMakeDialer(clock);
  DialResult dial;
  dialer->Dial({.host = server.address()}, dial.opened(), dial.failed());
  const auto user = ValueOf(dial.Await());
  user->Put(std::string(50'000'000, 'x'));
  user->Close();
  while (clock->pending() == 0) std::this_thread::yield();
  clock->Advance(absl::Seconds(10));
  const absl::Status why = user->AwaitClosed();
  CHECK(why.code() == absl::StatusCode::kUnavailable);
  CHECK(Says(why, "did not take"));
  cut.set_value();
}

TEST_CASE("A dialled stream tells that its peer died", "[dialer]") {
  RawServer server(Switching([](RawConnection& connection) {
    connection.ReceiveTo("!");
    connection.Abort();
  }));
  const auto dialer = MustMakeDialer();
  DialResult dial;
  dialer->Dial({.host = server.address()}, dial.opened(), dial.failed());
  const auto user = ValueOf(dial.Await());
  user->Send("go!");
  const absl::Status why = user->AwaitClosed();
  CHECK(why.code() == absl::StatusCode::kUnavailable);
  CHECK(Says(why, "reset"));
}

}  // namespace podkit::conduit::internal
