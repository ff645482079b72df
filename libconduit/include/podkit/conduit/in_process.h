// Conduits hooked up to each other inside one process, for tests: everything is encoded, signed,
// verified and decoded as on the wire, but no socket is opened.
//
// Thread-safe. A receiver runs on the thread that sends, which so waits for it; or on the network's
// own threads, if it is made with some.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "podkit/conduit/transport.h"

namespace podkit::conduit {

class InProcessNetwork final : public Transport {
 public:
  using Receiver = std::function<WireReply(const WireRequest&)>;

  enum class Fault {
    kNone,
    kRefuse,     // The host is down: the request never arrives.
    kLoseReply,  // The host executes the request and its reply is lost.
    kStall,      // The host never answers: the caller's deadline ends the call, at once.
  };

  explicit InProcessNetwork(int threads = 0);
  // Waits for the requests in progress.
  ~InProcessNetwork() override;

  // Makes `receiver` answer for the pod's only host, which has the name of the pod, or for one of
  // several; an empty one takes it away. Waits for requests in progress to end, so a receiver must
  // not call it.
  void Connect(std::string_view pod, Receiver receiver) {
    ConnectHost(pod, pod, std::move(receiver));
  }
  void ConnectHost(std::string_view pod, std::string_view host, Receiver receiver);

  // From now on requests to the host, or to the pod's only one, meet `fault`.
  void SetFault(std::string_view host, Fault fault);

  // Sees every request that a host answered, also where the reply is lost then; for tests that
  // count, record or replay. May be empty.
  void SetTap(std::function<void(std::string_view host, const WireRequest&, const WireReply&)> tap);

  // Those that were ever connected; the name of the pod if there were none.
  std::vector<std::string> HostsOf(const Pod& pod) const override;

  void Send(Sending sending) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit
