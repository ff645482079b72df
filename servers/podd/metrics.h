// What Prometheus sees under /metrics. No name of a user, collection or object is in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/conduit.h"
#include "podkit/store/store.h"
#include "servers/common/admin_messages.h"
#include "servers/common/metric_families.h"
#include "servers/http/http_options.h"

namespace podkit::servers {

struct MetricsSnapshot {
  std::string pod;
  HttpCounters http;
  std::vector<conduit::CommandStats> commands;
  conduit::KeyStats keys;
  std::vector<HostEntry> hosts;
  store::StoreStats store;
  int64_t homes = 0;
  int64_t pending_messages = 0;
  absl::Duration oldest_pending;  // Zero if none waits.
  absl::Time started;
};

MetricFamilies PodMetrics(const MetricsSnapshot& snapshot);

}  // namespace podkit::servers
