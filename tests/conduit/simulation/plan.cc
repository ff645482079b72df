#include "plan.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <utility>

#include "hosts/random.h"

namespace podkit::conduit::simulation {
namespace {

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}

  double Unit() { return random_.Unit(); }
  bool Throw(double probability) { return random_.Unit() < probability; }
  size_t Below(size_t n) { return random_.Below(n); }
  size_t Between(size_t least, size_t most) { return least + Below(most - least + 1); }
  absl::Duration UpTo(absl::Duration most) { return most * random_.Unit(); }
  // Small ones as likely as large ones.
  absl::Duration Between(absl::Duration least, absl::Duration most) {
    return least + (most - least) * random_.Unit() * random_.Unit();
  }
  template <typename T>
  T OneOf(std::initializer_list<T> all) {
    return all.begin()[Below(all.size())];
  }

 private:
  internal::Random random_;
};

void PlanPods(Dice& dice, Plan& plan) {
  plan.wire = dice.OneOf({Wire::kLinks, Wire::kLinks, Wire::kLinks, Wire::kRequests,
                          Wire::kRequests, Wire::kMixed, Wire::kInProcess});
  const size_t pods = dice.OneOf<size_t>({2, 2, 2, 3, 3, 4, 5});
  for (size_t i = 0; i < pods; ++i) {
    PodPlan pod{.id = std::string(1, static_cast<char>('A' + i))};
    if (dice.Throw(0.35)) pod.hosts = 2;
    pod.dials_only = plan.wire == Wire::kLinks && i > 0 && dice.Throw(0.1);
    plan.pods.push_back(std::move(pod));
  }
  plan.calm = dice.Throw(0.2);
  plan.meet_hosts = dice.Throw(0.8);
  plan.connect_all = dice.Throw(0.5);
  plan.balance = dice.OneOf({Balance::kLeastLoaded, Balance::kRandom, Balance::kByKey});
  plan.length = dice.Between(absl::Seconds(1), absl::Seconds(5));
  plan.way.delay = dice.Between(absl::Microseconds(200), absl::Milliseconds(20));
  plan.way.jitter = dice.Throw(0.5) ? plan.way.delay * 3 : absl::ZeroDuration();
}

void PlanTroubles(Dice& dice, Plan& plan) {
  if (plan.calm) return;
  if (dice.Throw(0.4)) plan.way.loss = dice.OneOf({0.02, 0.1, 0.3});
  if (dice.Throw(0.4)) plan.way.again = dice.OneOf({0.1, 0.5});
  if (dice.Throw(0.1)) plan.way.damage = 0.03;
  if (dice.Throw(0.2)) plan.refuses = 0.2;
  if (plan.wire != Wire::kInProcess && dice.Throw(0.2)) {
    plan.impostor = dice.Below(plan.pods.size());
    plan.impostor_listed = !plan.pods[*plan.impostor].dials_only && dice.Throw(0.5);
  }
}

// When much happens at once, so that it meets.
absl::Duration BurstOf(Dice& dice, const Plan& plan) {
  return plan.length * dice.OneOf({0.1, 0.3, 0.6});
}

// Most faults meet a call on its way, or its responder; the others come any time, anywhere.
void Aim(Dice& dice, const Plan& plan, PlannedFault& fault) {
  if (dice.Throw(0.3)) {
    fault.at = dice.UpTo(plan.length);
    fault.host = dice.Below(plan.hosts());
    fault.other = (fault.host + 1 + dice.Below(plan.hosts() - 1)) % plan.hosts();
    return;
  }
  const PlannedCall& call = plan.calls[dice.Below(plan.calls.size())];
  fault.at = call.at + dice.UpTo(call.takes + 6 * plan.way.delay);
  for (size_t pod = 0; pod < call.pod; ++pod) fault.host += plan.pods[pod].hosts;
  fault.host += dice.Below(plan.pods[call.pod].hosts);
  fault.other = call.host != fault.host ? call.host : (call.host + 1) % plan.hosts();
}

PlannedFault FaultOf(Dice& dice, const Plan& plan) {
  using Kind = PlannedFault::Kind;
  PlannedFault fault;
  Aim(dice, plan, fault);
  fault.kind = dice.OneOf({Kind::kWay, Kind::kPartition, Kind::kPartition, Kind::kCut, Kind::kCut,
                           Kind::kCrash, Kind::kCrash, Kind::kVanish, Kind::kDrain, Kind::kReplay});
  fault.both = dice.Throw(0.5);
  // So short that calls are repeated when it is over, or longer.
  fault.lasts = dice.Between(absl::Milliseconds(1),
                             dice.Throw(0.5) ? absl::Milliseconds(200) : absl::Seconds(4));
  fault.way = plan.way;
  fault.way.blocked = fault.kind == Kind::kPartition;
  fault.way.delay = dice.Between(absl::ZeroDuration(), absl::Seconds(1));
  fault.way.loss = dice.Throw(0.5) ? 0.5 : plan.way.loss;
  return fault;
}

Kind KindOf(Dice& dice) {
  return dice.OneOf({Kind::kPeek, Kind::kRead, Kind::kRead, Kind::kSet, Kind::kWrite, Kind::kWrite,
                     Kind::kKeep, Kind::kKeep, Kind::kKeepWell, Kind::kKeepWell});
}

PlannedCall CallOf(Dice& dice, const Plan& plan) {
  PlannedCall call;
  call.at = dice.Throw(0.5) ? BurstOf(dice, plan) : dice.UpTo(plan.length);
  call.host = dice.Below(plan.hosts());
  call.pod = dice.Below(plan.pods.size());
  call.kind = KindOf(dice);
  if (dice.Throw(0.2)) {
    call.how = dice.OneOf({How::kDeclaredError, How::kUndeclaredError, How::kThrow,
                           How::kHeldElsewhere, How::kHeldElsewhere});
  }
  if (dice.Throw(0.7)) call.takes = dice.Between(absl::ZeroDuration(), absl::Milliseconds(300));
  if (dice.Throw(0.03)) call.bytes = dice.Between(size_t{1}, size_t{200'000});
  call.timeout = absl::Seconds(10);
  if (!plan.calm && dice.Throw(0.4)) {
    call.timeout = dice.Between(absl::Milliseconds(1), absl::Seconds(3));
  }
  if (dice.Throw(0.15)) call.cancel_after = dice.Between(absl::ZeroDuration(), absl::Seconds(1));
  if (!plan.calm && dice.Throw(0.2)) call.max_attempts = dice.OneOf({1, 2, 6});
  call.with_key = call.kind >= Kind::kWrite && dice.Throw(call.kind == Kind::kWrite ? 0.2 : 0.8);
  if (dice.Throw(0.05)) {
    call.kind = Kind::kRead;
    call.with_key = false;
    call.bytes = 0;  // All calls of a gather have one place for what travels beside an answer.
    call.fan_out = dice.Between(size_t{1}, size_t{4});
    call.first = dice.Below(call.fan_out + 1);
  }
  if (call.fan_out == 0 && dice.Throw(0.15)) {
    call.bytes = 0;
    call.batch = dice.Between(size_t{1}, size_t{4});
    call.batch_how = dice.Below(call.batch);
    call.chained = dice.Throw(0.5);
    call.takes /= 2;
  }
  return call;
}

// Somebody asks again, with the same key, for what he did not hear of.
std::optional<PlannedCall> RepeatOf(Dice& dice, const Plan& plan) {
  const size_t original = dice.Below(plan.calls.size());
  PlannedCall call = plan.calls[original];
  if (!call.with_key || call.repeats || call.batch > 0) return std::nullopt;
  call.repeats = original;
  call.at += dice.Throw(0.3) ? absl::ZeroDuration() : dice.UpTo(absl::Seconds(3));
  call.cancel_after = absl::InfiniteDuration();
  return call;
}

// Enough reads of one pod for the conduit to know when one takes long; then some that do.
void PlanHedges(Dice& dice, Plan& plan) {
  const size_t pod = dice.Below(plan.pods.size());
  if (plan.pods[pod].hosts == 1) return;
  PlannedCall read{.host = dice.Below(plan.hosts()), .pod = pod, .timeout = absl::Seconds(10)};
  for (int i = 0; i < 24; ++i) {
    read.at = plan.length * (0.4 * dice.Unit());
    plan.calls.push_back(read);
  }
  for (int i = 0; i < 4; ++i) {
    read.at = plan.length * (0.5 + 0.3 * dice.Unit());
    read.takes = dice.Between(absl::Milliseconds(50), absl::Seconds(1));
    if (dice.Throw(0.3)) read.cancel_after = dice.UpTo(absl::Seconds(1));
    plan.calls.push_back(read);
  }
}

}  // namespace

Plan PlanOf(uint64_t seed) {
  Dice dice(internal::MixBits(seed + 1));
  Plan plan;
  plan.seed = seed;
  PlanPods(dice, plan);
  PlanTroubles(dice, plan);
  if (dice.Throw(0.1)) PlanHedges(dice, plan);
  const size_t calls = dice.Between(3, 12);
  for (size_t i = 0; i < calls; ++i) {
    plan.calls.push_back(CallOf(dice, plan));
    if (!dice.Throw(0.3)) continue;
    if (auto again = RepeatOf(dice, plan)) plan.calls.push_back(*again);
  }
  if (plan.calm) return plan;
  for (size_t faults = dice.Below(4); faults > 0; --faults) {
    plan.faults.push_back(FaultOf(dice, plan));
  }
  return plan;
}

}  // namespace podkit::conduit::simulation
