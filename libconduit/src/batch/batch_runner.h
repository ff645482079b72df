// Answers a batch: its calls one after the other, each as if it had been sent alone.
//
// Every call keeps room for an error until it was answered, so that an answer which is too large
// spoils itself and no other one. Thread-safe.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "podkit/conduit/call.h"
#include "podkit/conduit/conduit.h"
#include "responders.h"

namespace podkit::conduit::internal {

class BatchRunner {
 public:
  // What one call may count on: the errors that the conduit itself makes fit in.
  static constexpr size_t kReservedBytes = 768;

  // Both must outlive this.
  BatchRunner(Responders* responders, const ConduitOptions& options)
      : responders_(*responders), options_(options) {}

  // The responder of BatchCommand.
  absl::Status Answer(const CallContext& context) const;

 private:
  Responders& responders_;
  const ConduitOptions& options_;
};

}  // namespace podkit::conduit::internal
