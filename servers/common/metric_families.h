// Metrics in the form that Prometheus reads, and those that every server has.
//
// No name of a user, collection, object or store may become a label.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/conduit.h"
#include "servers/http/http_message.h"
#include "servers/http/http_options.h"

namespace podkit::servers {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

// Thread-compatible.
class MetricFamilies {
 public:
  // Starts a family, whose name gets "podkit_" before it; Add puts values into the one started
  // last.
  MetricFamilies& Counter(std::string name, std::string help) {
    return Start(std::move(name), std::move(help), prometheus::MetricType::Counter);
  }
  MetricFamilies& Gauge(std::string name, std::string help) {
    return Start(std::move(name), std::move(help), prometheus::MetricType::Gauge);
  }
  MetricFamilies& Histogram(std::string name, std::string help) {
    return Start(std::move(name), std::move(help), prometheus::MetricType::Histogram);
  }
  template <typename Number>
  MetricFamilies& Add(Number value, MetricLabels labels = {}) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = metric.gauge.value = static_cast<double>(value);
    families_.back().metric.push_back(std::move(metric));
    return *this;
  }

  // `counts` of what is up to each bound and above the one before; one more has no bound.
  MetricFamilies& AddHistogram(std::span<const double> bounds, std::span<const int64_t> counts,
                               double sum, MetricLabels labels = {});

  // The text exposition format, version 0.0.4.
  std::string ToText() const;

 private:
  MetricFamilies& Start(std::string name, std::string help, prometheus::MetricType type);

  std::vector<prometheus::MetricFamily> families_;
};

// What runs since when; `id_label` is "pod" or what else tells one server from another.
void AddBuild(std::string_view id_label, const std::string& id, absl::Time started,
              MetricFamilies* to);
void AddHttp(const HttpCounters& http, MetricFamilies* to);
void AddConduit(const std::vector<conduit::CommandStats>& commands, MetricFamilies* to);
void AddKeys(const conduit::KeyStats& keys, MetricFamilies* to);

// The reply under /metrics.
HttpResponse MetricsResponse(const MetricFamilies& families);

}  // namespace podkit::servers
