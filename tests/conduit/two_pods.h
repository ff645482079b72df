// Two pods, A and B, that share a key and are hooked up: the test beds of the conduit.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/in_process.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/loopback_server.h"

namespace podkit::conduit {

inline const std::string kKey = "the key that pods A and B share.....";
inline const std::string kOtherKey = "another key, which is not the same..";

// What a conduit wrote to its log. Thread-safe.
class LogLines {
 public:
  std::function<void(LogLevel, std::string_view)> sink() {
    return [this](LogLevel, std::string_view line) {
      MutexLock lock(&mutex_);
      lines_.emplace_back(line);
    };
  }
  size_t size() const {
    MutexLock lock(&mutex_);
    return lines_.size();
  }
  bool Contain(std::string_view text) const {
    MutexLock lock(&mutex_);
    return std::any_of(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

// The pods as `own_id` knows them.
inline std::shared_ptr<Pods> PodsOf(std::string own_id,
                                    const std::vector<std::string>& keys = {kKey},
                                    std::vector<std::string> hosts_of_a = {},
                                    std::vector<std::string> hosts_of_b = {}) {
  return podkit::testing::ValueOf(
      Pods::Create({Pod{.id = "A", .hosts = std::move(hosts_of_a), .keys = keys},
                    Pod{.id = "B", .hosts = std::move(hosts_of_b), .keys = keys}},
                   std::move(own_id)));
}

// What a bed can make pod B do to a request.
enum class Trouble {
  kNone,
  kDown,       // It cannot be reached.
  kLoseReply,  // It executes the request; the reply does not arrive.
  kStall,      // It takes the request and never answers.
};

// Both conduits in one process, on a clock that the test moves.
class InProcessBed {
 public:
  // `threads` of the network; 0: a request is answered on the thread that sends it.
  explicit InProcessBed(const ConduitOptions& options = {.meet_hosts = false}, int threads = 0)
      : network(threads),
        a(PodsOf("A"), &network, With(options, log_a)),
        b(PodsOf("B"), &network, With(options, log_b)) {
    network.Connect("A", [this](const WireRequest& request) { return a.Receive(request); });
    network.Connect("B", [this](const WireRequest& request) { return b.Receive(request); });
  }

  void SetTrouble(Trouble trouble) {
    using Fault = InProcessNetwork::Fault;
    constexpr Fault kFaults[] = {Fault::kNone, Fault::kRefuse, Fault::kLoseReply, Fault::kStall};
    network.SetFault("B", kFaults[static_cast<int>(trouble)]);
  }

  // Sends to B what is not made by a conduit.
  WireReply Send(const WireRequest& request) {
    return podkit::testing::ValueOf(SendAndWait(
        network,
        {.pod = a.pods().Find("B"), .host = "B", .request = request, .deadline = clock.Now()}));
  }

  podkit::testing::FakeClock clock;
  LogLines log_a;
  LogLines log_b;
  InProcessNetwork network;
  Conduit a;
  Conduit b;

 private:
  ConduitOptions With(ConduitOptions options, LogLines& log) {
    options.now = clock.function();
    options.log = log.sink();
    return options;
  }
};

// Mounts a conduit on the server of the tests.
inline podkit::testing::LoopbackReply Mount(Conduit& conduit,
                                            const podkit::testing::LoopbackRequest& request) {
  podkit::testing::LoopbackReply reply;
  const auto header = [&](const char* name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
  };
  if (request.method != "POST" || request.path != kConduitPath) {
    reply.status = 404;
    return reply;
  }
  WireReply answer = conduit.Receive({.content_type = header("content-type"),
                                      .authorization = header("authorization"),
                                      .body = request.body});
  reply.status = answer.status;
  if (!answer.content_type.empty()) reply.headers.emplace_back("Content-Type", answer.content_type);
  if (!answer.authorization.empty()) {
    reply.headers.emplace_back("X-Podkit-Authorization", answer.authorization);
  }
  reply.body = std::move(answer.body);
  return reply;
}

// Each conduit behind an HTTP server on loopback.
class HttpBed {
 public:
  explicit HttpBed(const ConduitOptions& options = {.meet_hosts = false})
      : transport({.now = clock.function()}),
        server_a_(std::make_unique<podkit::testing::LoopbackServer>(
            [this](const podkit::testing::LoopbackRequest& request) { return Mount(a, request); })),
        server_b_(std::make_unique<podkit::testing::LoopbackServer>(
            [this](const podkit::testing::LoopbackRequest& request) { return AnswerB(request); })),
        a(PodsOf("A", {kKey}, {server_a_->address()}, {server_b_->address()}), &transport,
          With(options, log_a)),
        b(PodsOf("B", {kKey}, {server_a_->address()}, {server_b_->address()}), &transport,
          With(options, log_b)) {}
  ~HttpBed() {
    server_a_.reset();
    server_b_.reset();
  }

  void SetTrouble(Trouble trouble) {
    if (trouble == Trouble::kDown) server_b_.reset();
    trouble_ = trouble;
  }

  WireReply Send(const WireRequest& request) {
    const auto pod = a.pods().Find("B");
    return podkit::testing::ValueOf(
        SendAndWait(transport, {.pod = pod,
                                .host = pod->hosts[0],
                                .request = request,
                                .deadline = clock.Now() + absl::Seconds(30)}));
  }

  podkit::testing::FakeClock clock;
  LogLines log_a;
  LogLines log_b;
  HttpTransport transport;

 private:
  ConduitOptions With(ConduitOptions options, LogLines& log) {
    options.now = clock.function();
    options.log = log.sink();
    return options;
  }

  podkit::testing::LoopbackReply AnswerB(const podkit::testing::LoopbackRequest& request) {
    using Action = podkit::testing::LoopbackReply::Action;
    if (trouble_ == Trouble::kStall) return {.action = Action::kStall};
    podkit::testing::LoopbackReply reply = Mount(b, request);
    if (trouble_ == Trouble::kLoseReply) reply.action = Action::kClose;
    return reply;
  }

  std::atomic<Trouble> trouble_{Trouble::kNone};
  std::unique_ptr<podkit::testing::LoopbackServer> server_a_;
  std::unique_ptr<podkit::testing::LoopbackServer> server_b_;

 public:
  Conduit a;
  Conduit b;
};

}  // namespace podkit::conduit
