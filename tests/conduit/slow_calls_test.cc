// Calls that take long, or whose way is lost, do no harm to others.
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "cheese.h"
#include "mux_bed.h"
#include "waiting.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

}  // namespace

TEMPLATE_TEST_CASE("A call that takes long holds up no other one", "[conduit][slow]", HttpBed,
                   MuxBed, ThreadedBed) {
  TestType bed;
  Waiting waiting;
  waiting.Serve(bed.b);
  bed.b.template Handle<Echo>([](const CallContext&, const Echo::Arguments& arguments) {
    return absl::StatusOr<Bytes>(std::get<0>(arguments));
  });
  std::stop_source stop;
  auto slow = bed.a.template CallAsync<Wait>("B", {}, {}, {.stop = stop.get_token()});
  waiting.AwaitStart();
  for (int i = 0; i < 50; ++i) {
    const Bytes text{std::to_string(i)};
    CHECK(ValueOf(bed.a.template Call<Echo>("B", {text})) == text);
  }
  CHECK(slow.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  stop.request_stop();
  CHECK(OutcomeOf(slow.get().status()) == Outcome::kCancelled);
  while (!waiting.stopped()) std::this_thread::yield();
}

TEMPLATE_TEST_CASE("When the way to a pod is lost each of many calls ends, and says how",
                   "[conduit][slow]", HttpBed, MuxBed) {
  TestType bed;
  std::atomic<int> executed = 0;  // Of those that come when it does not stall any more.
  bed.b.template Handle<Rename>(
      [&](const CallContext&, const Rename::Target&, const Rename::Arguments&) {
        ++executed;
        return absl::OkStatus();
      });
  bed.SetTrouble(Trouble::kStall);
  std::vector<std::future<absl::StatusOr<Nothing>>> calls;
  calls.reserve(40);
  for (int i = 0; i < 40; ++i) {
    calls.push_back(bed.a.template CallAsync<Rename>("B", {.home = "h"}, {"name", {}}));
  }
  CHECK(bed.a.InFlight() == 40);
  bed.SetTrouble(Trouble::kDown);
  std::map<Outcome, int> ends;
  for (auto& call : calls) ++ends[OutcomeOf(call.get().status())];
  CHECK(ends[Outcome::kOk] + ends[Outcome::kUnknown] + ends[Outcome::kNotExecuted] == 40);
  CHECK(ends[Outcome::kOk] <= executed);
  CHECK(executed <= ends[Outcome::kOk] + ends[Outcome::kUnknown]);
  while (bed.a.InFlight() > 0) std::this_thread::yield();
}

}  // namespace podkit::conduit
