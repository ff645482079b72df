#include "servers/replicad/scrubbing.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/status_macros.h"

namespace podkit::servers {
namespace {

constexpr absl::Duration kFetchTimeout = absl::Seconds(10);  // A stop waits for it.

std::string TimeText(absl::Time time) {
  if (time == absl::InfinitePast()) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Scrubbing>> Scrubbing::Start(
    replica::Gateway* gateway, replica::ScrubOptions options,
    const std::vector<replica::ReplicaClientOptions>& peers) {
  std::unique_ptr<Scrubbing> scrubbing(new Scrubbing);
  if (!peers.empty()) {
    replica::ReplicaSetOptions set = {.mend = false};  // What a peer lacks is its own business.
    for (const replica::ReplicaClientOptions& peer : peers) {
      PODKIT_ASSIGN_OR_RETURN(auto client, replica::ReplicaClient::Create(peer));
      set.gateways.push_back(std::move(client));
    }
    PODKIT_ASSIGN_OR_RETURN(scrubbing->peers_, replica::ReplicaSet::Create(std::move(set)));
    options.fetch = [set = scrubbing->peers_.get()](const replica::ChunkName& name,
                                                    const replica::ChunkHash& hash) {
      return set->Get(name, hash, absl::Now() + kFetchTimeout);
    };
  }
  PODKIT_ASSIGN_OR_RETURN(scrubbing->scrubber_,
                          replica::Scrubber::Create(gateway, std::move(options)));
  scrubbing->thread_ = std::jthread([scrubber = scrubbing->scrubber_.get()](
                                        const std::stop_token& stop) { scrubber->Run(stop); });
  return scrubbing;
}

Scrubbing::~Scrubbing() = default;

void Scrubbing::WriteStatus(conduit::JsonWriter* json) const {
  const replica::ScrubReport report = scrubber_->report();
  json->BeginObject();
  json->Key("running");
  json->Boolean(report.running);
  for (const auto& [name, time] : {std::pair("began", report.began), {"ended", report.ended}}) {
    json->Key(name);
    json->String(TimeText(time));
  }
  for (const auto& [name, number] : {std::pair("passes", report.passes),
                                     {"chunks", report.chunks},
                                     {"bytes", report.bytes},
                                     {"damaged", report.damaged},
                                     {"mended", report.mended},
                                     {"unchecked", report.unchecked}}) {
    json->Key(name);
    json->Unsigned(number);
  }
  json->EndObject();
}

void Scrubbing::AddMetrics(MetricFamilies* to) const {
  const replica::ScrubReport report = scrubber_->report();
  to->Gauge("gateway_scrub_running", "1 while a pass runs").Add(report.running ? 1 : 0);
  to->Gauge("gateway_scrub_ended_seconds", "When the last pass ended, since 1970; 0: never")
      .Add(report.ended == absl::InfinitePast() ? 0 : absl::ToUnixSeconds(report.ended));
  to->Gauge("gateway_scrub_chunks", "Chunks checked by this pass, or else the last one")
      .Add(report.chunks);
  to->Gauge("gateway_scrub_bytes", "Their bytes").Add(report.bytes);
  to->Gauge("gateway_scrub_damaged", "Of those, lost or damaged").Add(report.damaged);
  to->Gauge("gateway_scrub_mended", "Of the damaged ones, mended").Add(report.mended);
  to->Gauge("gateway_scrub_unchecked", "Chunks that the driver failed to read")
      .Add(report.unchecked);
}

}  // namespace podkit::servers
