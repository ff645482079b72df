// Schedules as wholes. What they must not do is looked for by conduit_simulation, in many.
#include <map>

#include "plan.h"
#include "tests/support/catch.h"
#include "world.h"

namespace podkit::conduit::simulation {
namespace {

TEST_CASE("A seed gives the same course each time", "[simulation]") {
  for (const uint64_t seed : {3, 7, 19, 23, 42}) {
    INFO("seed " << seed);
    const Result first = RunSchedule(seed);
    const Result second = RunSchedule(seed, /*keeps_text=*/true);
    CHECK(first.problems.empty());
    CHECK(first.events > 0);
    CHECK(first.events == second.events);
    CHECK(first.sum == second.sum);
    CHECK(second.lines.size() == second.events);
  }
  CHECK(RunSchedule(3).sum != RunSchedule(4).sum);
}

TEST_CASE("Seeds bring everything that can happen", "[simulation]") {
  std::map<Wire, int> wires;
  std::map<Kind, int> kinds;
  std::map<How, int> hows;
  std::map<PlannedFault::Kind, int> faults;
  int cancels = 0;
  int repeats = 0;
  int gathers = 0;
  int batches = 0;
  int chains = 0;
  int parts_held = 0;
  int impostors = 0;
  int calm = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    const Plan plan = PlanOf(seed);
    CHECK(plan.pods.size() >= 2);
    CHECK(plan.pods.size() <= 5);
    ++wires[plan.wire];
    calm += plan.calm ? 1 : 0;
    impostors += plan.impostor ? 1 : 0;
    for (const PlannedFault& fault : plan.faults) ++faults[fault.kind];
    for (const PlannedCall& call : plan.calls) {
      ++kinds[call.kind];
      ++hows[call.how];
      cancels += call.cancel_after < absl::InfiniteDuration() ? 1 : 0;
      repeats += call.repeats ? 1 : 0;
      gathers += call.fan_out > 0 ? 1 : 0;
      batches += call.batch > 0 ? 1 : 0;
      chains += call.batch > 1 && call.chained ? 1 : 0;
      parts_held += call.batch_how > 0 && call.how == How::kHeldElsewhere ? 1 : 0;
    }
  }
  CHECK(wires.size() == 4);
  CHECK(kinds.size() == 6);
  CHECK(hows.size() == 5);
  CHECK(faults.size() == 7);
  for (const int count : {cancels, repeats, gathers, batches, chains, impostors, calm}) {
    CHECK(count > 40);
  }
  CHECK(parts_held > 10);
}

}  // namespace
}  // namespace podkit::conduit::simulation
