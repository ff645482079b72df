#include "servers/common/metric_families.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <limits>

#include "servers/common/version.h"

namespace podkit::servers {

std::string MetricFamilies::ToText() const {
  return prometheus::TextSerializer().Serialize(families_);
}

MetricFamilies& MetricFamilies::AddHistogram(std::span<const double> bounds,
                                             std::span<const int64_t> counts, double sum,
                                             MetricLabels labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.histogram.sample_sum = sum;
  for (size_t i = 0; i < counts.size(); ++i) {
    metric.histogram.sample_count += static_cast<uint64_t>(counts[i]);
    const double end = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({metric.histogram.sample_count, end});
  }
  families_.back().metric.push_back(std::move(metric));
  return *this;
}

MetricFamilies& MetricFamilies::Start(std::string name, std::string help,
                                      prometheus::MetricType type) {
  families_.push_back({"podkit_" + std::move(name), std::move(help), type, {}});
  return *this;
}

void AddBuild(std::string_view id_label, const std::string& id, absl::Time started,
              MetricFamilies* to) {
  to->Gauge("build_info", "Always 1; the labels say what runs")
      .Add(1, {{std::string(id_label), id}, {"version", std::string(kVersion)}});
  to->Gauge("start_time_seconds", "When the server started, in Unix time")
      .Add(absl::ToDoubleSeconds(started - absl::UnixEpoch()));
}

void AddHttp(const HttpCounters& http, MetricFamilies* to) {
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

void AddConduit(const std::vector<conduit::CommandStats>& commands, MetricFamilies* to) {
  const auto add = [&](const std::string& name, const std::string& what, auto direction) {
    to->Counter(name + "_total", what);
    for (const auto& one : commands) {
      to->Add((one.*direction).calls, {{"command", one.command}});
    }
    to->Counter(name + "_failed_total", what + " that failed");
    for (const auto& one : commands) {
      to->Add((one.*direction).failed, {{"command", one.command}});
    }
    to->Histogram(name + "_seconds", "Time of " + what);
    for (const auto& one : commands) {
      const conduit::CallStats& stats = one.*direction;
      to->AddHistogram(conduit::kLatencyBounds, stats.latencies, stats.seconds,
                       {{"command", one.command}});
    }
  };
  add("conduit_sent", "calls to other pods", &conduit::CommandStats::sent);
  add("conduit_received", "calls from other pods", &conduit::CommandStats::received);
}

void AddKeys(const conduit::KeyStats& keys, MetricFamilies* to) {
  to->Counter("conduit_keyed_total", "Calls with keys from other pods, by what became of them")
      .Add(keys.executed, {{"result", "executed"}})
      .Add(keys.repeats, {{"result", "repeated"}})
      .Add(keys.still_running, {{"result", "still_running"}})
      .Add(keys.refused, {{"result", "refused"}})
      .Add(keys.forgotten, {{"result", "forgotten"}});
  to->Gauge("conduit_keys_held", "Keys under which this process keeps answers").Add(keys.held);
}

HttpResponse MetricsResponse(const MetricFamilies& families) {
  HttpResponse response = HttpResponse::Text(200, families.ToText());
  response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
  return response;
}

}  // namespace podkit::servers
