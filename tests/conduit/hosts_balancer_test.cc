#include <algorithm>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "hosts/balancer.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
constexpr absl::Duration kDecay = absl::Seconds(10);

std::vector<Candidate> Hosts(const std::vector<std::string>& names) {
  std::vector<Candidate> hosts;
  for (const std::string& name : names) hosts.push_back({.host = name});
  return hosts;
}

std::vector<std::string> Names(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(fmt::format("https://h{}.example:8443", i));
  return names;
}

TEST_CASE("HostLoad takes a slow answer at once and forgets it over its decay",
          "[conduit][hosts]") {
  HostLoad load(kDecay);
  load.Answered(absl::Milliseconds(10), kStart);
  CHECK(load.latency(kStart) == absl::Milliseconds(10));
  load.Answered(absl::Milliseconds(500), kStart);
  CHECK(load.latency(kStart) == absl::Milliseconds(500));
  // A quick answer counts by the time that has passed.
  load.Answered(absl::Milliseconds(10), kStart + kDecay);
  const double expected = 0.5 * std::exp(-1) + 0.01 * (1 - std::exp(-1));
  CHECK(absl::ToDoubleSeconds(load.latency(kStart + kDecay)) == Approx(expected));
  // And while nothing is heard, it sinks.
  CHECK(absl::ToDoubleSeconds(load.latency(kStart + 2 * kDecay)) ==
        Approx(expected * std::exp(-1)));
}

TEST_CASE("HostLoad counts calls in flight", "[conduit][hosts]") {
  HostLoad load(kDecay);
  load.Answered(absl::Milliseconds(10), kStart);
  CHECK(load.Cost(kStart) == Approx(0.01));
  load.Begin();
  load.Begin();
  CHECK(load.in_flight() == 2);
  CHECK(load.Cost(kStart) == Approx(0.03));
  load.End();
  CHECK(load.Cost(kStart) == Approx(0.02));
}

TEST_CASE("HostLoad does not take a host for quick that fails quickly", "[conduit][hosts]") {
  HostLoad load(kDecay);
  load.Answered(absl::Milliseconds(100), kStart);
  load.Failed(absl::Milliseconds(1), kStart);
  CHECK(load.latency(kStart) == absl::Milliseconds(100));
  load.Failed(absl::Seconds(2), kStart);
  CHECK(load.latency(kStart) == absl::Seconds(2));
}

TEST_CASE("HostLoad gives a host that has not answered yet one call", "[conduit][hosts]") {
  HostLoad fresh(kDecay);
  HostLoad known(kDecay);
  known.Answered(absl::Seconds(30), kStart);
  CHECK(fresh.Cost(kStart) < known.Cost(kStart));
  fresh.Begin();
  CHECK(fresh.Cost(kStart) > known.Cost(kStart));
}

// The most calls in flight at one of `count` hosts, relative to the mean, while `calls` are out and
// one ends at random whenever one begins.
double Spread(Balance balance, size_t count, int calls, uint32_t seed) {
  Random random(seed);
  const auto names = Names(count);
  std::vector<HostLoad> loads(count, HostLoad(kDecay));
  for (HostLoad& load : loads) load.Answered(absl::Milliseconds(5), kStart);
  std::vector<size_t> out;
  int64_t most = 0;
  for (int i = 0; i < 20 * calls; ++i) {
    std::vector<Candidate> candidates;
    for (size_t h = 0; h < count; ++h) candidates.push_back({names[h], loads[h].Cost(kStart)});
    const size_t chosen = Choose(balance, candidates, {}, random);
    loads[chosen].Begin();
    out.push_back(chosen);
    if (out.size() <= static_cast<size_t>(calls)) continue;
    std::swap(out[random.Below(out.size())], out.back());
    loads[out.back()].End();
    out.pop_back();
    for (const HostLoad& load : loads) most = std::max(most, load.in_flight());
  }
  return static_cast<double>(most) * static_cast<double>(count) / calls;
}

TEST_CASE("The less loaded of two spreads calls evenly, where chance does not",
          "[conduit][hosts]") {
  const auto seed = GENERATE(take(5, random(0u, ~0u)));
  CAPTURE(seed);
  // 16 hosts, 20 calls each on average: log log 16 / log 2 = 1.5 more than the mean is expected.
  CHECK(Spread(Balance::kLeastLoaded, 16, 320, seed) < 1.4);
  CHECK(Spread(Balance::kRandom, 16, 320, seed) > 1.5);
}

TEST_CASE("The less loaded of two gives a slow host few calls", "[conduit][hosts]") {
  Random random(3);
  const auto names = Names(4);
  std::vector<HostLoad> loads(4, HostLoad(kDecay));
  for (size_t h = 0; h < 4; ++h) {
    loads[h].Answered(h == 2 ? absl::Seconds(1) : absl::Milliseconds(5), kStart);
  }
  std::vector<int> calls(4);
  for (int i = 0; i < 4000; ++i) {
    std::vector<Candidate> candidates;
    for (size_t h = 0; h < 4; ++h) candidates.push_back({names[h], loads[h].Cost(kStart)});
    ++calls[Choose(Balance::kLeastLoaded, candidates, {}, random)];
  }
  CHECK(calls[2] == 0);
  for (const size_t h : {0, 1, 3}) CHECK(calls[h] > 1000);
}

TEST_CASE("A random host is each as often as the others", "[conduit][hosts]") {
  Random random(4);
  const auto names = Names(5);
  const auto hosts = Hosts(names);
  std::vector<int> calls(5);
  for (int i = 0; i < 10'000; ++i) ++calls[Choose(Balance::kRandom, hosts, {}, random)];
  for (const int count : calls) CHECK(count == Approx(2000).margin(250));
}

TEST_CASE("A key keeps its host when others come and go", "[conduit][hosts]") {
  Random random(5);
  const auto names = Names(10);
  auto fewer = names;
  fewer.erase(fewer.begin() + 4);
  std::vector<int> keys_of(10);
  std::vector<int> moved_to(10);
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = fmt::format("store-{}", i);
    const std::string& host = names[Choose(Balance::kByKey, Hosts(names), key, random)];
    const std::string& after = fewer[Choose(Balance::kByKey, Hosts(fewer), key, random)];
    ++keys_of[static_cast<size_t>(std::find(names.begin(), names.end(), host) - names.begin())];
    if (host != names[4]) {
      REQUIRE(after == host);
    } else {
      ++moved_to[static_cast<size_t>(std::find(names.begin(), names.end(), after) - names.begin())];
    }
  }
  for (const int count : keys_of) CHECK(count == Approx(1000).margin(150));
  for (size_t h = 0; h < 10; ++h) {
    if (h != 4) CHECK(moved_to[h] == Approx(1000.0 / 9).margin(50));
  }
}

TEST_CASE("A key has the same host in every process", "[conduit][hosts]") {
  Random random(6);
  const auto names = Names(7);
  // Written down once: hosts of different versions must agree.
  CHECK(Choose(Balance::kByKey, Hosts(names), "store-1", random) == 0);
  CHECK(Choose(Balance::kByKey, Hosts(names), "store-2", random) == 3);
  CHECK(Choose(Balance::kByKey, Hosts(names), "", random) == 0);
}

}  // namespace
}  // namespace podkit::conduit::internal
