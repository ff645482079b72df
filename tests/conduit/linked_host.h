// A host of pod B behind an HTTP server on which others open links, and that can be replaced by the
// next process in its place, as when software is updated.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "podkit/conduit/mux_transport.h"
#include "servers/http/http_server.h"
#include "two_pods.h"

namespace podkit::conduit {

// A write without a key: it must not happen twice.
struct Count {
  static constexpr CommandInfo kInfo = {.name = "count", .effect = Effect::kWrite};
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};

class LinkedHost {
 public:
  explicit LinkedHost(uint16_t port = 0) {
    Replace();
    servers::Router router;
    REQUIRE(router.AddUpgrade(kMuxPath, kMuxProtocol, [this](const servers::HttpRequest&) {
      MutexLock lock(&mutex_);
      return servers::HttpResponse::SwitchTo(processes_.back()->transport->Acceptor());
    }) == absl::OkStatus());
    server_ = podkit::testing::ValueOf(
        servers::HttpServer::Start(servers::HttpServerOptions{.port = port}, std::move(router)));
  }
  ~LinkedHost() {
    server_.reset();
    MutexLock lock(&mutex_);
    for (const auto& process : processes_) process->transport->Stop();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  int counted() const { return counted_; }

  // Links are opened to a new process; the one before it takes no more calls.
  void Replace() {
    auto process = std::make_unique<Process>();
    process->conduit.Handle<Count>([this](const CallContext&, const Nothing&) {
      ++counted_;
      return absl::OkStatus();
    });
    process->transport->Serve(
        [conduit = &process->conduit](ReceivedCall call) { conduit->Answer(std::move(call)); });
    MuxTransport* old = nullptr;
    {
      MutexLock lock(&mutex_);
      if (!processes_.empty()) old = processes_.back()->transport.get();
      processes_.push_back(std::move(process));
    }
    if (old != nullptr) old->Drain(absl::Seconds(30));
  }

 private:
  struct Process {
    std::shared_ptr<Pods> pods = PodsOf("B");
    std::unique_ptr<MuxTransport> transport =
        podkit::testing::ValueOf(MuxTransport::Create(pods, {.host_name = "b"}));
    Conduit conduit{pods, transport.get(), {.meet_hosts = false}};
  };

  std::atomic<int> counted_ = 0;
  Mutex mutex_;
  std::vector<std::unique_ptr<Process>> processes_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<servers::HttpServer> server_;
};

}  // namespace podkit::conduit
