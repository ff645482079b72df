// A command whose responder waits, and a bed with threads for it.
#pragma once

#include <atomic>
#include <future>
#include <latch>
#include <stop_token>

#include "two_pods.h"

namespace podkit::conduit {

// Waits in its responder until the caller stops the call.
struct Wait {
  static constexpr CommandInfo kInfo = {.name = "wait", .effect = Effect::kRead};
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};

// Serves one call of Wait and notes how it went. Thread-safe.
class Waiting {
 public:
  void Serve(Conduit& conduit, const HandleOptions& options = {}) {
    conduit.Handle<Wait>(
        [this](const CallContext& context, const Nothing&) {
          started_.count_down();
          std::promise<void> stopped;
          const std::stop_callback on_stop(context.stop, [&] {
            stopped_ = true;
            stopped.set_value();
          });
          if (context.stop.stop_possible()) stopped.get_future().wait();
          return absl::OkStatus();
        },
        options);
  }
  void AwaitStart() { started_.wait(); }
  bool stopped() const { return stopped_; }

 private:
  std::latch started_{1};
  std::atomic<bool> stopped_ = false;
};

// In process, with threads of the network's own.
struct ThreadedBed {
  LogLines log;
  InProcessNetwork network{4};
  Conduit a{PodsOf("A"), &network};
  Conduit b{PodsOf("B"), &network, {.log = log.sink()}};
  ThreadedBed() {
    network.Connect("B", [this](const WireRequest& request) { return b.Receive(request); });
  }
  ~ThreadedBed() { network.Connect("B", {}); }
};

}  // namespace podkit::conduit
