#include "query_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "load.h"
#include "must.h"
#include "podkit/conduit/in_process.h"
#include "podkit/store/store.h"
#include "two_pods.h"

namespace podkit::bench {
namespace {

using store::HomeChild;

constexpr int kEventsPerDay = 8;
const absl::Time kFirstDay = absl::FromUnixSeconds(1767225600);  // 2026-01-01T00:00:00Z

std::string NameOf(int i) { return fmt::format("query-{:05}.ics", i); }

std::string EventOf(int i) {
  const absl::Time start = kFirstDay + i / kEventsPerDay * absl::Hours(24) +
                           i % kEventsPerDay * absl::Hours(1) + absl::Hours(9);
  const auto text = [](absl::Time time) {
    return absl::FormatTime("%Y%m%dT%H%M%SZ", time, absl::UTCTimeZone());
  };
  return SmallEvent(fmt::format("query-{}", i), text(start), text(start + absl::Hours(1)));
}

void Fill(HomeChild& child, int events) {
  constexpr int kAtOnce = 1000;
  for (int first = 0; first < events; first += kAtOnce) {
    std::vector<store::ObjectWrite> writes;
    for (int i = first; i < std::min(first + kAtOnce, events); ++i) {
      writes.push_back({.name = NameOf(i), .text = store::Bytes{EventOf(i)}, .condition = {}});
    }
    for (const auto& result : Must(child.WriteObjects(writes))) {
      if (!result.error.empty()) std::abort();
    }
  }
}

// A question, and how many objects its answer has.
struct Question {
  std::string_view name;
  std::function<size_t(HomeChild&)> ask;
  size_t answer;
  double goal;  // Of the rate through the share to the owner's own.
};

std::vector<Question> Questions(size_t events, const std::string& token, size_t changed) {
  const store::Query day = {.component = "VEVENT",
                            .start = kFirstDay + 3 * absl::Hours(24),
                            .end = kFirstDay + 4 * absl::Hours(24),
                            .time_zone = std::nullopt};
  std::vector<std::string> some;
  for (int i = 0; i < 50; ++i) some.push_back(NameOf(i));
  return {
      {"list", [](HomeChild& child) { return Must(child.ListObjects()).size(); }, events, 0.3},
      {"list-with-tags", [](HomeChild& child) { return Must(child.LoadObjects()).size(); }, events,
       0.3},
      {"changes",
       [token](HomeChild& child) { return Must(child.ChangesSince(token)).changed.size(); },
       changed, 0.3},
      {"day", [day](HomeChild& child) { return Must(child.Search(day)).size(); },
       size_t{kEventsPerDay}, 0.3},
      {"multiget-50", [some](HomeChild& child) { return Must(child.Multiget(some)).size(); },
       some.size(), 0.3},
  };
}

void Measure(std::string_view way, TwoPods& pods, bool quick) {
  const int events = quick ? 200 : 10'000;
  constexpr int kChanged = 10;
  const auto own = pods.Own();
  const auto shared = pods.Shared();
  Fill(*own, events - kChanged);
  const std::string token = Must(own->SyncToken());
  for (int i = events - kChanged; i < events; ++i) {
    Must(own->PutObject(NameOf(i), {EventOf(i)}, {}));
  }
  const std::chrono::milliseconds length(quick ? 20 : 500);
  for (const Question& question : Questions(static_cast<size_t>(events), token, kChanged)) {
    const auto load = [&](HomeChild& child) {
      return RunLoad(1, length, [&](int) { return question.ask(child) == question.answer; });
    };
    const auto [mine, others] = RunLoadsInTurn(
        quick ? 1 : 5, [&] { return load(*own); }, [&] { return load(*shared); });
    const int64_t before = pods.calls();
    question.ask(*shared);
    const std::string name = fmt::format("store/{}-{}", way, question.name);
    PrintFigure(name + "-own-p50", mine.p50_us, "us");
    PrintFigure(name + "-shared-p50", others.p50_us, "us");
    PrintFigure(name + "-shared-calls", static_cast<double>(pods.calls() - before), "calls");
    PrintRatio(name + "-shared-to-own", others.per_second / mine.per_second, question.goal);
  }
}

}  // namespace

void RunQueryBench(bool quick) {
  {
    conduit::InProcessNetwork network;
    TwoPods pods(&network);
    Measure("in-process", pods, quick);
  }
  TwoPods pods(nullptr);
  Measure("http", pods, quick);
}

}  // namespace podkit::bench
