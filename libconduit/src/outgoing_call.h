// One call to another pod, from its first attempt to its one end.
//
// Thread-safe. Keeps itself alive until it has ended.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "authenticator.h"
#include "envelope.h"
#include "host_order.h"
#include "podkit/conduit/conduit.h"

namespace podkit::conduit::internal {

// What the calls of one conduit share; it outlives them.
struct CallEnvironment {
  Transport* transport;
  Authenticator* authenticator;
  HostOrder* hosts;
  const ConduitOptions* options;
  std::function<absl::Time()> now;
  // Tells a host, without waiting, that the call with that id is wanted no more.
  std::function<void(std::string_view pod, std::string_view host, std::string call)> cancel;
};

class OutgoingCall : public std::enable_shared_from_this<OutgoingCall> {
 public:
  using Done = std::function<void(absl::StatusOr<JsonDocument>)>;

  OutgoingCall(const CallEnvironment& environment, std::shared_ptr<const Pod> pod,
               const CommandInfo& info, std::string members, CallOptions options, Done done);

  void Begin();

 private:
  void TryNextHost();
  // Checks the JSON and puts the payload beside it.
  absl::Status FillBody(std::string json, WireRequest& request) const;
  void Attempted(absl::StatusOr<WireReply> reply, const std::optional<SignedExchange>& exchange);
  absl::StatusOr<JsonDocument> Read(WireReply reply,
                                    const std::optional<SignedExchange>& exchange) const;
  void Fail(absl::Status failure);
  void Finish(absl::StatusOr<JsonDocument> result);

  const CallEnvironment& environment_;
  const std::shared_ptr<const Pod> pod_;
  const CommandInfo info_;
  const std::string members_;
  const CallOptions options_;
  const Done done_;
  const absl::Time deadline_;
  const std::string id_;  // "" if nobody can cancel it, or the transport carries that.

  // Of one attempt at a time.
  std::vector<std::string> hosts_;
  size_t tried_ = 0;
  std::string failures_;
};

}  // namespace podkit::conduit::internal
