#include "share_bench.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load.h"
#include "must.h"
#include "podkit/conduit/in_process.h"
#include "podkit/store/store.h"
#include "two_pods.h"

namespace podkit::bench {
namespace {

std::atomic<int64_t> next_event = 0;

Load PutLoad(store::HomeChild& child, std::chrono::milliseconds length) {
  return RunLoad(1, length, [&](int) {
    const std::string uid = fmt::format("event-{}", next_event++);
    return child.PutObject(uid + ".ics", {SmallEvent(uid)}, {}).ok();
  });
}

Load GetLoad(store::HomeChild& child, std::chrono::milliseconds length) {
  const auto object = Must(child.ObjectWith({.name = "get.ics"}));
  return RunLoad(1, length, [&](int) { return object->Text().ok(); });
}

void PrintLoad(std::string_view what, const Load& load) {
  PrintFigure(fmt::format("store/{}-calls", what), load.per_second, "calls/s");
  PrintFigure(fmt::format("store/{}-p50", what), load.p50_us, "us");
  PrintFigure(fmt::format("store/{}-p99", what), load.p99_us, "us");
}

// `what`: "get", say, which the owner does and the other through the share.
void Compare(std::string_view way, std::string_view what, const std::pair<Load, Load>& loads,
             double goal) {
  const auto& [own, shared] = loads;
  PrintLoad(fmt::format("{}-own-{}", way, what), own);
  PrintLoad(fmt::format("{}-shared-{}", way, what), shared);
  PrintRatio(fmt::format("store/{}-shared-{}-to-own", way, what),
             shared.per_second / own.per_second, goal);
}

void Measure(std::string_view way, TwoPods& pods, bool quick, double get_goal, double put_goal) {
  const int rounds = quick ? 1 : 5;
  const std::chrono::milliseconds length(quick ? 20 : 500);
  const auto own = pods.Own();
  const auto shared = pods.Shared();
  Must(own->PutObject("get.ics", {SmallEvent("get")}, {}));
  const auto in_turn = [&](Load (*load)(store::HomeChild&, std::chrono::milliseconds)) {
    return RunLoadsInTurn(
        rounds, [&] { return load(*own, length); }, [&] { return load(*shared, length); });
  };
  Compare(way, "get", in_turn(GetLoad), get_goal);
  Compare(way, "put", in_turn(PutLoad), put_goal);
}

}  // namespace

void RunShareBench(bool quick) {
  {
    conduit::InProcessNetwork network;
    TwoPods pods(&network);
    Measure("in-process", pods, quick, 0.3, 0.8);
  }
  TwoPods pods(nullptr);
  Measure("http", pods, quick, 0.1, 0.5);
}

}  // namespace podkit::bench
