#include "servers/podd/metrics.h"

namespace podkit::servers {
namespace {

void AddStore(const MetricsSnapshot& snapshot, MetricFamilies* to) {
  const store::StoreStats& store = snapshot.store;
  to->Gauge("store_homes", "Homes on this pod").Add(snapshot.homes);
  to->Gauge("store_open_files", "User files that are open").Add(store.open_files);
  to->Counter("store_reads_total", "Read transactions").Add(store.reads);
  to->Counter("store_writes_total", "Committed writes").Add(store.writes);
  to->Counter("store_commits_total", "Commits that carried the writes").Add(store.commits);
  to->Counter("store_messages_delivered_total", "Messages delivered to other homes")
      .Add(store.messages_delivered);
  to->Counter("store_messages_failed_total", "Deliveries that failed and are repeated")
      .Add(store.messages_failed);
  to->Gauge("store_messages_pending", "Messages that wait for delivery")
      .Add(snapshot.pending_messages);
  to->Gauge("store_messages_oldest_seconds", "Age of the oldest message that waits")
      .Add(absl::ToDoubleSeconds(snapshot.oldest_pending));
}

}  // namespace

MetricFamilies PodMetrics(const MetricsSnapshot& snapshot) {
  MetricFamilies families;
  AddBuild("pod", snapshot.pod, snapshot.started, &families);
  AddHttp(snapshot.http, &families);
  AddConduit(snapshot.commands, &families);
  AddKeys(snapshot.keys, &families);
  AddStore(snapshot, &families);
  return families;
}

}  // namespace podkit::servers
