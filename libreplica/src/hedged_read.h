// Reads one chunk from the first of several gateways that has its bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway_lane.h"
#include "podkit/replica/chunk.h"

namespace podkit::replica {

struct HedgedRead {
  std::optional<std::string> bytes;  // They have the hash.
  // What went wrong, for each lane; OK where nothing did, or nothing was asked.
  std::vector<absl::Status> failures;
};

// Asks `lanes` in their order: the next one when all that were asked have failed, or have not
// answered for `hedge_after`. Cancels what it does not need any more. Blocks, no longer than to
// `deadline`. The lanes outlive what it asked of them.
HedgedRead ReadHedged(const std::vector<GatewayLane*>& lanes, const ChunkName& name,
                      const ChunkHash& hash, absl::Duration hedge_after, absl::Time deadline);

}  // namespace podkit::replica
