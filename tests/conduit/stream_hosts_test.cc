// Streams to a pod that has several hosts.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "stream_bed.h"

namespace podkit::conduit {
namespace {

// Pod B with three hosts, each with a shelf of its own.
struct HostsBed {
  struct Host {
    Host(InProcessNetwork& network, const podkit::testing::FakeClock& clock)
        : conduit(PodsOf("B"), &network, {.now = clock.function()}), streams(&conduit) {
      shelf.Serve(streams);
    }
    Conduit conduit;
    Shelf shelf;
    Streams streams;
  };

  HostsBed() {
    for (size_t i = 0; i < 3; ++i) {
      Host* const host = hosts.emplace_back(std::make_unique<Host>(network, clock)).get();
      network.ConnectHost("B", NameOf(i), [host](const WireRequest& request) {
        return host->conduit.Receive(request);
      });
    }
  }
  static std::string NameOf(size_t host) { return "b" + std::to_string(host); }
  int opened() const {
    int count = 0;
    for (const auto& host : hosts) count += host->shelf.opened;
    return count;
  }
  absl::StatusOr<StreamEnd> DoPut(StreamSource& source, const StreamOptions& options) {
    return streams_a.Upload<Put>("B", {}, {"x"}, source, options);
  }

  podkit::testing::FakeClock clock;
  InProcessNetwork network;
  std::vector<std::unique_ptr<Host>> hosts;
  Conduit a{PodsOf("A"),
            &network,
            {.balance = Balance::kRandom, .meet_hosts = false, .now = clock.function()}};
  Streams streams_a{&a};
};

using Fault = InProcessNetwork::Fault;

}  // namespace

TEST_CASE("All pieces of a stream go to the host that took the first one",
          "[conduit][streams][hosts]") {
  HostsBed bed;
  const Text source(TextOf(20 * kPiece));
  std::vector<int> chosen(3);
  for (int i = 1; i <= 30; ++i) {
    StreamOptions options = Small();
    options.call.used_host = std::make_shared<std::string>();
    Text copy = source;
    REQUIRE(bed.DoPut(copy, options).status() == absl::OkStatus());
    CHECK(bed.opened() == i);
    for (size_t host = 0; host < 3; ++host) {
      if (*options.call.used_host != HostsBed::NameOf(host)) continue;
      ++chosen[host];
      CHECK((bed.hosts[host]->shelf.text == source.text));
    }
  }
  CHECK(*std::min_element(chosen.begin(), chosen.end()) > 0);
  CHECK(chosen[0] + chosen[1] + chosen[2] == 30);
}

TEST_CASE("A stream begins on a host that can be reached, and on the one that is named",
          "[conduit][streams][hosts]") {
  HostsBed bed;
  Text source(TextOf(3 * kPiece));
  for (const char* host : {"b0", "b2"}) bed.network.SetFault(host, Fault::kRefuse);
  CHECK(bed.DoPut(source, Small()).status() == absl::OkStatus());
  CHECK(bed.hosts[1]->shelf.finished == 1);
  StreamOptions options = Small();
  options.call.host = "b2";
  CHECK(OutcomeOf(bed.DoPut(source, options).status()) == Outcome::kNotExecuted);
  bed.network.SetFault("b2", Fault::kNone);
  CHECK(bed.DoPut(source, options).status() == absl::OkStatus());
  CHECK(bed.hosts[2]->shelf.finished == 1);
}

TEST_CASE("A stream whose host is lost goes to no other one", "[conduit][streams][hosts]") {
  HostsBed bed;
  Text source(TextOf(20 * kPiece));
  StreamOptions options = Small();
  options.call.used_host = std::make_shared<std::string>();
  options.progress = [&](uint64_t bytes) {
    if (bytes >= 5 * kPiece) bed.network.SetFault(*options.call.used_host, Fault::kRefuse);
  };
  CHECK(OutcomeOf(bed.DoPut(source, options).status()) == Outcome::kNotExecuted);
  CHECK(bed.opened() == 1);
}

TEST_CASE("A stream that may have begun is not begun on another host",
          "[conduit][streams][hosts]") {
  HostsBed bed;
  Text source(TextOf(3 * kPiece));
  for (const char* host : {"b0", "b1", "b2"}) bed.network.SetFault(host, Fault::kLoseReply);
  CHECK(OutcomeOf(bed.DoPut(source, Small()).status()) == Outcome::kUnknown);
  CHECK(bed.opened() == 1);
}

}  // namespace podkit::conduit
