#include "servers/podd/metrics.h"

namespace podkit::servers {
namespace {

void AddStore(const MetricsSnapshot& snapshot, MetricFamilies* to) {
  const store::StoreStats& store = snapshot.store;
  to->Gauge("store_homes", "Homes on this pod").Add(snapshot.homes);
  to->Gauge("store_homes_being_purged", "Homes that go when everybody is told")
      .Add(store.homes_being_purged);
  to->Gauge("store_homes_disabled", "Homes that an operator has closed").Add(store.homes_disabled);
  to->Gauge("store_open_files", "User files that are open").Add(store.open_files);
  to->Counter("store_reads_total", "Read transactions").Add(store.reads);
  to->Counter("store_writes_total", "Committed writes").Add(store.writes);
  to->Counter("store_commits_total", "Commits that carried the writes").Add(store.commits);
  to->Counter("store_messages_delivered_total", "Messages delivered to other homes")
      .Add(store.messages_delivered);
  to->Counter("store_messages_failed_total", "Deliveries that failed and are repeated")
      .Add(store.messages_failed);
  to->Counter("store_shares_compared_total", "Shares compared with what their other side has")
      .Add(store.shares_compared);
  const store::HealedShares& healed = store.shares_healed;
  to->Counter("store_shares_healed_total", "Shares whose sides differed, by what was done")
      .Add(healed.invited_again, {{"remedy", "invited_again"}})
      .Add(healed.asked_anew, {{"remedy", "asked_anew"}})
      .Add(healed.replied_again, {{"remedy", "replied_again"}})
      .Add(healed.removed, {{"remedy", "removed"}})
      .Add(healed.withdrawn, {{"remedy", "withdrawn"}});
  to->Counter("store_orphans_collected_total", "Chunks of attachments that nothing used")
      .Add(store.orphans_collected.chunks);
  to->Counter("store_orphans_collected_bytes_total", "Bytes of these chunks")
      .Add(store.orphans_collected.bytes);
  to->Gauge("store_messages_pending", "Messages that wait for delivery")
      .Add(snapshot.pending_messages);
  to->Gauge("store_messages_oldest_seconds", "Age of the oldest message that waits")
      .Add(absl::ToDoubleSeconds(snapshot.oldest_pending));
}

void AddOperations(const std::vector<store::OperationStats>& operations, MetricFamilies* to) {
  to->Counter("store_operations_total", "Operations on the homes of this pod, by how they ended");
  for (const store::OperationStats& one : operations) {
    to->Add(one.calls - one.refused - one.failed, {{"operation", one.operation}, {"result", "ok"}});
    to->Add(one.refused, {{"operation", one.operation}, {"result", "refused"}});
    to->Add(one.failed, {{"operation", one.operation}, {"result", "failed"}});
  }
  to->Histogram("store_operation_seconds", "Time of operations on the homes of this pod");
  for (const store::OperationStats& one : operations) {
    to->AddHistogram(conduit::kLatencyBounds, one.latencies, one.seconds,
                     {{"operation", one.operation}});
  }
}

void AddAttachments(const store::AttachmentStats& attachments, MetricFamilies* to) {
  to->Counter("store_attachments_written_total", "Files that were attached")
      .Add(attachments.written);
  to->Counter("store_attachments_written_bytes_total", "Bytes of files taken to be attached")
      .Add(attachments.written_bytes);
  to->Counter("store_attachments_read_total", "Attachments that were read to their end")
      .Add(attachments.read);
  to->Counter("store_attachments_read_bytes_total", "Bytes of attachments given out")
      .Add(attachments.read_bytes);
}

void AddHosts(const std::vector<HostEntry>& hosts, MetricFamilies* to) {
  const auto labels = [](const HostEntry& host) {
    return MetricLabels{{"pod", host.pod}, {"host", host.host}};
  };
  to->Gauge("conduit_host_connected",
            "1 if a connection to the host takes calls, 0 if it was lost or could not be made");
  for (const HostEntry& host : hosts) {
    if (host.link == conduit::HostConnection::kNotKept) continue;
    to->Add(host.link == conduit::HostConnection::kConnected ? 1 : 0, labels(host));
  }
  to->Gauge("conduit_host_ejected", "1 if the host is put aside because calls to it failed");
  for (const HostEntry& host : hosts) {
    to->Add(host.state == conduit::HostState::kUp ? 0 : 1, labels(host));
  }
  to->Gauge("conduit_host_in_flight", "Calls to the host now");
  for (const HostEntry& host : hosts) to->Add(host.in_flight, labels(host));
  to->Counter("conduit_host_calls_total", "Calls to the host that ended");
  for (const HostEntry& host : hosts) to->Add(host.calls, labels(host));
  to->Counter("conduit_host_failed_total", "Calls to the host that got no answer");
  for (const HostEntry& host : hosts) to->Add(host.failures, labels(host));
}

}  // namespace

MetricFamilies PodMetrics(const MetricsSnapshot& snapshot) {
  MetricFamilies families;
  AddBuild("pod", snapshot.pod, snapshot.started, &families);
  AddHttp(snapshot.http, &families);
  AddConduit(snapshot.commands, &families);
  AddKeys(snapshot.keys, &families);
  AddHosts(snapshot.hosts, &families);
  AddStore(snapshot, &families);
  AddOperations(snapshot.store.operations, &families);
  AddAttachments(snapshot.store.attachments, &families);
  return families;
}

}  // namespace podkit::servers
