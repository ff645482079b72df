// Two pods that call each other over one link, which A opens on the HTTP server of B.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/conduit/scheduler.h"
#include "servers/http/http_server.h"
#include "two_pods.h"

namespace podkit::conduit {

// Shows the time of a test's clock; work is done after the same span of real time.
class ShiftedScheduler final : public Scheduler {
 public:
  explicit ShiftedScheduler(const podkit::testing::FakeClock* clock) : clock_(clock) {}
  absl::Time Now() const override { return clock_->Now(); }
  uint64_t At(absl::Time when, std::function<void()> work) override {
    return real_->At(real_->Now() + (when - Now()), std::move(work));
  }
  bool Cancel(uint64_t id) override { return real_->Cancel(id); }

 private:
  const podkit::testing::FakeClock* const clock_;
  const std::shared_ptr<Scheduler> real_ = MakeSystemScheduler();
};

// B alone knows no host of A: it calls over the link that A opened.
class MuxBed {
 public:
  explicit MuxBed(const ConduitOptions& options = {.meet_hosts = false})
      : transport_b_(MakeTransport(PodsOf("B"))),
        server_(StartServer()),
        transport_a_(MakeTransport(PodsOf("A", {kKey}, {}, {Address()}))),
        a(PodsOf("A", {kKey}, {}, {Address()}), transport_a_.get(), With(options, log_a)),
        b(PodsOf("B"), transport_b_.get(), With(options, log_b)) {
    transport_a_->Serve([this](ReceivedCall call) { a.Answer(std::move(call)); });
    transport_b_->Serve([this](ReceivedCall call) { ReceiveAtB(std::move(call)); });
    transport_a_->ConnectAll();
    MutexLock lock(&mutex_);
    while (connected_ < 2) changed_.WaitFor(&mutex_, absl::Seconds(10));
  }
  ~MuxBed() {
    AllowCut();
    if (cutter_.joinable()) cutter_.join();
    server_.reset();
    transport_a_->Stop();
    transport_b_->Stop();
    MutexLock lock(&mutex_);
    stalled_.clear();
  }

  void SetTrouble(Trouble trouble) {
    trouble_ = trouble;
    if (trouble == Trouble::kDown) CutAndTellA();
    if (trouble == Trouble::kLoseReply) cutter_ = std::thread([this] { AwaitCut(); });
  }

  podkit::testing::FakeClock clock;
  LogLines log_a;
  LogLines log_b;

 private:
  ConduitOptions With(ConduitOptions options, LogLines& log) {
    options.now = clock.function();
    options.log = log.sink();
    return options;
  }

  std::unique_ptr<MuxTransport> MakeTransport(std::shared_ptr<Pods> pods) {
    MuxTransportOptions options;
    options.host_name = pods->own_id() + "-host";
    options.scheduler = std::make_shared<ShiftedScheduler>(&clock);
    options.on_event = [this, own_id = pods->own_id()](const HostEvent& event) {
      const bool connected = event.kind == HostEvent::Kind::kConnected;
      MutexLock lock(&mutex_);
      if (connected) ++connected_;
      if (!connected && own_id == "A") lost_by_a_ = true;
      changed_.SignalAll();
    };
    return *MuxTransport::Create(std::move(pods), std::move(options));
  }

  std::unique_ptr<servers::HttpServer> StartServer() {
    servers::Router router;
    const absl::Status added =
        router.AddUpgrade(kMuxPath, kMuxProtocol, [this](const servers::HttpRequest&) {
          return servers::HttpResponse::SwitchTo(transport_b_->Acceptor());
        });
    REQUIRE(added == absl::OkStatus());
    return *servers::HttpServer::Start({}, std::move(router));
  }

  std::string Address() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

  // A responder cannot end the link that it answers on: a thread of its own does.
  void AllowCut() {
    MutexLock lock(&mutex_);
    cut_ = true;
    changed_.SignalAll();
  }
  void AwaitCut() {
    {
      MutexLock lock(&mutex_);
      while (!cut_) changed_.Wait(&mutex_);
    }
    Cut();
  }

  // As long as A does not see it, a call on the lost link has an unknown end, as it must.
  void CutAndTellA() {
    Cut();
    MutexLock lock(&mutex_);
    while (!lost_by_a_) changed_.Wait(&mutex_);
  }

  void Cut() {
    server_->Stop(absl::ZeroDuration());
    transport_b_->Stop();
  }

  void ReceiveAtB(ReceivedCall call) {
    if (trouble_ == Trouble::kStall) {
      MutexLock lock(&mutex_);
      stalled_.push_back(std::move(call));
      return;
    }
    if (trouble_ == Trouble::kLoseReply) {
      // The call itself stays until then: one that is let go of is answered.
      call.reply = [this, kept = call.reply](const WireReply&) { AllowCut(); };
    }
    b.Answer(std::move(call));
  }

  Mutex mutex_;
  CondVar changed_;
  int connected_ ABSL_GUARDED_BY(mutex_) = 0;
  bool lost_by_a_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<ReceivedCall> stalled_ ABSL_GUARDED_BY(mutex_);
  std::atomic<Trouble> trouble_{Trouble::kNone};
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread cutter_;
  std::unique_ptr<MuxTransport> transport_b_;
  std::unique_ptr<servers::HttpServer> server_;
  std::unique_ptr<MuxTransport> transport_a_;

 public:
  Conduit a;
  Conduit b;
};

}  // namespace podkit::conduit
