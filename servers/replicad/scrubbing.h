// Scrubs a gateway's chunks in a thread of its own, and mends them from its peers.
//
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/conduit/json.h"
#include "podkit/replica/client.h"
#include "podkit/replica/gateway.h"
#include "podkit/replica/replica_set.h"
#include "podkit/replica/scrubber.h"
#include "servers/common/metric_families.h"

namespace podkit::servers {

class Scrubbing {
 public:
  // `gateway` outlives it. `options` without a `fetch`: that asks the peers.
  static absl::StatusOr<std::unique_ptr<Scrubbing>> Start(
      replica::Gateway* gateway, replica::ScrubOptions options,
      const std::vector<replica::ReplicaClientOptions>& peers);
  ~Scrubbing();

  // One object.
  void WriteStatus(conduit::JsonWriter* json) const;
  void AddMetrics(MetricFamilies* to) const;

 private:
  Scrubbing() = default;

  std::unique_ptr<replica::ReplicaSet> peers_;  // Null: none.
  std::unique_ptr<replica::Scrubber> scrubber_;
  std::jthread thread_;
};

}  // namespace podkit::servers
