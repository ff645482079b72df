#include "servers/podd/metrics.h"

#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <utility>

#include "servers/common/version.h"

namespace podkit::servers {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

class Families {
 public:
  // Starts a family; Add puts values into the one started last.
  Families& Counter(std::string name, std::string help) {
    return Start(std::move(name), std::move(help), MetricType::Counter);
  }
  Families& Gauge(std::string name, std::string help) {
    return Start(std::move(name), std::move(help), MetricType::Gauge);
  }
  template <typename Number>
  Families& Add(Number value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = metric.gauge.value = static_cast<double>(value);
    families_.back().metric.push_back(std::move(metric));
    return *this;
  }
  std::string ToText() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  Families& Start(std::string name, std::string help, MetricType type) {
    families_.push_back({"podkit_" + std::move(name), std::move(help), type, {}});
    return *this;
  }
  std::vector<MetricFamily> families_;
};

void AddHttp(const HttpCounters& http, Families* to) {
  to->Counter("http_connections_total", "Connections accepted").Add(http.connections_accepted);
  to->Counter("http_connections_refused_total", "Connections beyond the limit")
      .Add(http.connections_refused);
  to->Counter("http_connections_timed_out_total", "Connections that were too slow")
      .Add(http.connections_timed_out);
  to->Gauge("http_connections_open", "Connections now").Add(http.connections_open);
  to->Counter("http_upgraded_total", "Connections that became links to other pods")
      .Add(http.upgraded);
  to->Gauge("http_upgraded_open", "Such links now").Add(http.upgraded_open);
  to->Counter("http_responses_total", "Replies by class of their status");
  for (size_t i = 1; i < http.responses.size(); ++i) {
    to->Add(http.responses[i], {{"class", fmt::format("{}xx", i)}});
  }
  to->Counter("http_received_bytes_total", "Bytes of requests").Add(http.bytes_received);
  to->Counter("http_sent_bytes_total", "Bytes of replies").Add(http.bytes_sent);
  to->Gauge("http_queue_depth", "Requests that wait for a thread").Add(http.queue_depth);
  to->Counter("http_queue_refused_total", "Requests refused because too many waited")
      .Add(http.queue_refused);
}

void AddConduit(const std::vector<conduit::CommandStats>& commands, Families* to) {
  const auto add = [&](std::string name, std::string help, auto member) {
    to->Counter(std::move(name), std::move(help));
    for (const auto& one : commands) to->Add(one.*member, {{"command", one.command}});
  };
  using Stats = conduit::CommandStats;
  add("conduit_sent_total", "Calls to other pods", &Stats::sent);
  add("conduit_sent_failed_total", "Calls to other pods that failed", &Stats::sent_failed);
  add("conduit_sent_seconds_total", "Time in calls to other pods", &Stats::sent_seconds);
  add("conduit_received_total", "Calls from other pods", &Stats::received);
  add("conduit_received_failed_total", "Calls from other pods that failed",
      &Stats::received_failed);
  add("conduit_received_seconds_total", "Time in calls from other pods", &Stats::received_seconds);
}

void AddStore(const MetricsSnapshot& snapshot, Families* to) {
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

std::string RenderMetrics(const MetricsSnapshot& snapshot) {
  Families families;
  families.Gauge("build_info", "Always 1; the labels say what runs")
      .Add(1, {{"pod", snapshot.pod}, {"version", std::string(kVersion)}});
  families.Gauge("start_time_seconds", "When the pod started, in Unix time")
      .Add(absl::ToDoubleSeconds(snapshot.started - absl::UnixEpoch()));
  AddHttp(snapshot.http, &families);
  AddConduit(snapshot.commands, &families);
  AddStore(snapshot, &families);
  return families.ToText();
}

}  // namespace podkit::servers
