#include "servers/podd/metrics.h"

#include "tests/support/catch.h"

namespace podkit::servers {
namespace {

TEST_CASE("Metrics are shown in the form that Prometheus reads", "[podd][metrics]") {
  MetricsSnapshot snapshot{.pod = "A", .homes = 4, .pending_messages = 2};
  snapshot.oldest_pending = absl::Milliseconds(1500);
  snapshot.started = absl::FromUnixSeconds(1700000000);
  snapshot.http.responses[4] = 7;
  snapshot.http.connections_open = 3;
  snapshot.commands = {{.command = "ping",
                        .sent = {.calls = 5, .failed = 1, .seconds = 2.5, .latencies = {2, 0, 3}},
                        .received = {.calls = 6}}};
  snapshot.keys = {.executed = 11,
                   .repeats = 12,
                   .still_running = 13,
                   .refused = 14,
                   .forgotten = 15,
                   .held = 16};
  using conduit::HostConnection;
  snapshot.hosts = {{.pod = "B",
                     .host = "http://b1:1",
                     .link = HostConnection::kConnected,
                     .in_flight = 2,
                     .calls = 21,
                     .failures = 3},
                    {.pod = "B",
                     .host = "http://b2:1",
                     .state = conduit::HostState::kEjected,
                     .link = HostConnection::kDisconnected},
                    {.pod = "C", .host = "http://c:1"}};
  snapshot.store.commits = 9;
  snapshot.store.homes_being_purged = 20;
  snapshot.store.shares_compared = 21;
  snapshot.store.shares_healed = {
      .invited_again = 22, .asked_anew = 23, .replied_again = 24, .removed = 25, .withdrawn = 26};
  snapshot.store.operations = {{.operation = "put",
                                .calls = 10,
                                .refused = 3,
                                .failed = 1,
                                .seconds = 1.5,
                                .latencies = {6, 0, 0, 4}},
                               {.operation = "open"}};
  snapshot.store.attachments = {.written = 31, .written_bytes = 32, .read = 33, .read_bytes = 34};
  const std::string text = PodMetrics(snapshot).ToText();
  for (const char* line :
       {"podkit_http_responses_total{class=\"4xx\"} 7\n",
        "podkit_http_connections_open 3\n",
        "podkit_conduit_sent_total{command=\"ping\"} 5\n",
        "podkit_conduit_sent_failed_total{command=\"ping\"} 1\n",
        "podkit_conduit_sent_seconds_count{command=\"ping\"} 5\n",
        "podkit_conduit_sent_seconds_sum{command=\"ping\"} 2.5\n",
        "podkit_conduit_sent_seconds_bucket{command=\"ping\",le=\"0.00025\"} 2\n",
        "podkit_conduit_sent_seconds_bucket{command=\"ping\",le=\"0.0005\"} 5\n",
        "podkit_conduit_sent_seconds_bucket{command=\"ping\",le=\"+Inf\"} 5\n",
        "podkit_conduit_received_total{command=\"ping\"} 6\n",
        "podkit_conduit_keyed_total{result=\"executed\"} 11\n",
        "podkit_conduit_keyed_total{result=\"repeated\"} 12\n",
        "podkit_conduit_keyed_total{result=\"still_running\"} 13\n",
        "podkit_conduit_keyed_total{result=\"refused\"} 14\n",
        "podkit_conduit_keyed_total{result=\"forgotten\"} 15\n",
        "podkit_conduit_keys_held 16\n",
        "# TYPE podkit_conduit_keyed_total counter\n",
        "podkit_conduit_host_connected{pod=\"B\",host=\"http://b1:1\"} 1\n",
        "podkit_conduit_host_connected{pod=\"B\",host=\"http://b2:1\"} 0\n",
        "podkit_conduit_host_ejected{pod=\"B\",host=\"http://b1:1\"} 0\n",
        "podkit_conduit_host_ejected{pod=\"B\",host=\"http://b2:1\"} 1\n",
        "podkit_conduit_host_in_flight{pod=\"B\",host=\"http://b1:1\"} 2\n",
        "podkit_conduit_host_calls_total{pod=\"B\",host=\"http://b1:1\"} 21\n",
        "podkit_conduit_host_failed_total{pod=\"B\",host=\"http://b1:1\"} 3\n",
        "podkit_store_homes 4\n",
        "podkit_store_homes_being_purged 20\n",
        "podkit_store_shares_compared_total 21\n",
        "podkit_store_shares_healed_total{remedy=\"invited_again\"} 22\n",
        "podkit_store_shares_healed_total{remedy=\"asked_anew\"} 23\n",
        "podkit_store_shares_healed_total{remedy=\"replied_again\"} 24\n",
        "podkit_store_shares_healed_total{remedy=\"removed\"} 25\n",
        "podkit_store_shares_healed_total{remedy=\"withdrawn\"} 26\n",
        "podkit_store_commits_total 9\n",
        "podkit_store_messages_pending 2\n",
        "podkit_store_messages_oldest_seconds 1.5\n",
        "podkit_store_operations_total{operation=\"put\",result=\"ok\"} 6\n",
        "podkit_store_operations_total{operation=\"put\",result=\"refused\"} 3\n",
        "podkit_store_operations_total{operation=\"put\",result=\"failed\"} 1\n",
        "podkit_store_operations_total{operation=\"open\",result=\"ok\"} 0\n",
        "podkit_store_operation_seconds_count{operation=\"put\"} 10\n",
        "podkit_store_operation_seconds_sum{operation=\"put\"} 1.5\n",
        "podkit_store_operation_seconds_bucket{operation=\"put\",le=\"0.0005\"} 6\n",
        "podkit_store_operation_seconds_bucket{operation=\"put\",le=\"0.001\"} 10\n",
        "# TYPE podkit_store_operations_total counter\n",
        "# TYPE podkit_store_operation_seconds histogram\n",
        "podkit_store_attachments_written_total 31\n",
        "podkit_store_attachments_written_bytes_total 32\n",
        "podkit_store_attachments_read_total 33\n",
        "podkit_store_attachments_read_bytes_total 34\n",
        "podkit_start_time_seconds 1700000000\n",
        "# TYPE podkit_store_commits_total counter\n",
        "# HELP podkit_store_homes "}) {
    CHECK_THAT(text, Catch::Contains(line));
  }
  // Nobody keeps a connection to it.
  CHECK_THAT(text, !Catch::Contains("connected{pod=\"C\""));
}

}  // namespace
}  // namespace podkit::servers
