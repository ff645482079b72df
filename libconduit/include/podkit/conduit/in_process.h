// Conduits hooked up to each other inside one process, for tests: everything is encoded, signed,
// verified and decoded as on the wire, but no socket is opened.
//
// Thread-safe. A receiver runs on the thread that sends.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

class InProcessNetwork final : public Transport {
 public:
  using Receiver = std::function<WireReply(const WireRequest&)>;

  enum class Fault {
    kNone,
    kRefuse,     // The pod is down: the request never arrives.
    kLoseReply,  // The pod executes the request and its reply is lost.
    kStall,      // The pod never answers: the caller's deadline ends the call, at once.
  };

  InProcessNetwork();
  ~InProcessNetwork() override;

  // Makes `receiver` answer for the pod; an empty one takes it away. Waits for requests in progress
  // to end, so a receiver must not call it.
  void Connect(std::string_view pod, Receiver receiver);

  // From now on requests to the pod meet `fault`.
  void SetFault(std::string_view pod, Fault fault);

  // Sees every request that a pod answered, also where the reply is lost then; for tests that
  // count, record or replay. May be empty.
  void SetTap(std::function<void(std::string_view pod, const WireRequest&, const WireReply&)> tap);

  absl::StatusOr<WireReply> Send(const Pod& pod, const WireRequest& request,
                                 absl::Time deadline) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit
