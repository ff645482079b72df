#include "podkit/conduit/transport.h"

#include <utility>

#include "waiter.h"

namespace podkit::conduit {

absl::StatusOr<WireReply> SendAndWait(Transport& transport, Sending sending) {
  const auto waiter = std::make_shared<internal::Waiter<absl::StatusOr<WireReply>>>();
  sending.done = [waiter](absl::StatusOr<WireReply> reply) { waiter->Set(std::move(reply)); };
  transport.Send(std::move(sending));
  return waiter->Wait();
}

}  // namespace podkit::conduit
