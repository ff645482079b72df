#include "world.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "calls.h"
#include "fmt/format.h"
#include "host.h"
#include "stranger.h"

namespace podkit::conduit::simulation {
namespace {

using testing::SimulatedWay;

constexpr size_t kMostEvents = 200'000;
// After the end of the troubles everybody finds everybody again within that: a link that is dead is
// noticed after 40 s.
constexpr absl::Duration kRecovery = absl::Seconds(50);
constexpr absl::Duration kLongestCall = absl::Seconds(20);
constexpr size_t kMostProbes = 8;
const char kImpostorAddress[] = "http://impostor.sim:80";

std::string KeyOf(std::string_view one, std::string_view other) {
  return fmt::format("the key of the pods {} and {}, nobody else's", std::min(one, other),
                     std::max(one, other));
}

std::string AddressOf(const std::string& pod, size_t host) {
  return fmt::format("http://{}{}.sim:80", static_cast<char>(pod[0] - 'A' + 'a'), host);
}

class World {
 public:
  World(const Plan& plan, bool keeps_text);
  ~World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Result Run();

 private:
  // The place of a host, of which there is one at a time.
  struct Place {
    size_t pod = 0;
    std::string address;
    std::string other;
    Wire wire = Wire::kLinks;
    std::unique_ptr<Host> host;
  };

  std::shared_ptr<Pods> PodsOf(const std::string& own, bool impostor) const;
  void Occupy(Place& place);
  void MakeImpostor();
  void PlanAll();
  void At(absl::Duration when, std::function<void()> work);
  void Do(const PlannedFault& fault);
  void DoInProcess(const PlannedFault& fault);
  void ChangeWay(const PlannedFault& fault);
  void Crash(size_t place, bool silently, absl::Duration lasts);
  void Restart(size_t place);
  void Heal();
  void Probe();
  bool CanReach(const Place& from, size_t pod) const;
  // Lets everything happen that happens until then.
  void RunFor(absl::Duration duration);
  void CheckQuiet();
  void CheckGone();

  Surroundings around_;
  const Plan& plan_;
  bool healed_ = false;
  Stranger stranger_;
  std::vector<std::unique_ptr<AnswerStore>> kept_well_;  // Of each pod.
  std::vector<Place> places_;
  std::vector<std::unique_ptr<Host>> ghosts_;
  std::unique_ptr<Host> impostor_;
  Calls calls_;
};

World::World(const Plan& plan, bool keeps_text)
    : around_(plan, keeps_text),
      plan_(plan),
      stranger_(&around_.network, "http://stranger.sim:80", &around_.ledger.problems),
      calls_(&around_) {
  around_.network.SetWays(plan.way);
  around_.network.SetTap([this](const testing::SimulatedEvent& event) {
    around_.log.Add(event.at, event.what, event.from, event.to, static_cast<int64_t>(event.bytes));
  });
  for (size_t pod = 0; pod < plan.pods.size(); ++pod) {
    kept_well_.push_back(
        MakeMemoryAnswers({}, [clock = around_.scheduler] { return clock->Now(); }));
    const std::string& id = plan.pods[pod].id;
    for (size_t i = 0; i < plan.pods[pod].hosts; ++i) {
      const bool requests =
          plan.wire == Wire::kRequests || (plan.wire == Wire::kMixed && places_.size() % 2 == 1);
      places_.push_back({.pod = pod,
                         .address = AddressOf(id, i),
                         .other = plan.pods[pod].hosts == 1 || plan.pods[pod].dials_only
                                      ? std::string()
                                      : AddressOf(id, 1 - i),
                         .wire = requests                        ? Wire::kRequests
                                 : plan.wire == Wire::kInProcess ? Wire::kInProcess
                                                                 : Wire::kLinks});
    }
  }
  for (Place& place : places_) Occupy(place);
  MakeImpostor();
}

// The pods as one of them knows them; an impostor knows no key.
std::shared_ptr<Pods> World::PodsOf(const std::string& own, bool impostor) const {
  std::vector<Pod> pods;
  for (size_t i = 0; i < plan_.pods.size(); ++i) {
    Pod& pod = pods.emplace_back(Pod{.id = plan_.pods[i].id});
    for (const Place& place : places_) {
      if (place.pod == i && !plan_.pods[i].dials_only) pod.hosts.push_back(place.address);
    }
    if (plan_.impostor == i && plan_.impostor_listed) pod.hosts.emplace_back(kImpostorAddress);
    if (pod.id != own) pod.keys = {KeyOf(own, pod.id) + (impostor ? "?" : "")};
  }
  auto made = Pods::Create(std::move(pods), own);
  if (!made.ok()) std::abort();
  return *std::move(made);
}

void World::Occupy(Place& place) {
  const auto pods = PodsOf(plan_.pods[place.pod].id, false);
  const auto own = pods->Find(pods->own_id());
  place.host = std::make_unique<Host>(
      around_, Host::Identity{.address = place.address,
                              .pods = pods,
                              .wire = place.wire,
                              .other_host = place.other,
                              .kept_well = kept_well_[place.pod].get(),
                              .on_request =
                                  [this, own, to = place.address](const WireRequest& request) {
                                    stranger_.Hear(to, own, request);
                                  },
                              .overhear =
                                  [this, to = place.address](StreamAcceptor accept) {
                                    return stranger_.Overhear(to, std::move(accept));
                                  }});
  if (plan_.connect_all || plan_.pods[place.pod].dials_only) place.host->links().ConnectAll();
}

void World::MakeImpostor() {
  if (!plan_.impostor) return;
  const std::string& victim = plan_.pods[*plan_.impostor].id;
  impostor_ = std::make_unique<Host>(
      around_,
      Host::Identity{.address = kImpostorAddress,
                     .pods = PodsOf(victim, true),
                     .wire = plan_.wire == Wire::kRequests ? Wire::kRequests : Wire::kLinks,
                     .impostor = true,
                     .kept_well = kept_well_[*plan_.impostor].get()});
}

void World::At(absl::Duration when, std::function<void()> work) {
  around_.scheduler->At(EventLog::kStart + when, std::move(work));
}

void World::PlanAll() {
  for (size_t i = 0; i < plan_.calls.size(); ++i) {
    const PlannedCall& call = plan_.calls[i];
    At(call.at, [this, i, &call] {
      const Place& place = places_[call.host];
      if (place.host == nullptr) return;
      const bool reached = plan_.calm && CanReach(place, call.pod);
      calls_.Make(*place.host, i, reached);
    });
    if (impostor_ == nullptr || i % 3 != 0) continue;
    At(call.at, [this, i] { calls_.Make(*impostor_, i, false); });
  }
  for (const PlannedFault& fault : plan_.faults) {
    At(fault.at, [this, &fault] { Do(fault); });
  }
}

void World::Do(const PlannedFault& fault) {
  using Kind = PlannedFault::Kind;
  if (healed_) return;
  around_.log.Add(around_.scheduler->Now(), "fault", places_[fault.host].address,
                  places_[fault.other].address, static_cast<int64_t>(fault.kind));
  switch (fault.kind) {
    case Kind::kWay:
    case Kind::kPartition:
      return plan_.wire == Wire::kInProcess ? DoInProcess(fault) : ChangeWay(fault);
    case Kind::kCut:
      return around_.network.CutStreams(places_[fault.host].address, places_[fault.other].address);
    case Kind::kCrash:
    case Kind::kVanish:
      return Crash(fault.host, fault.kind == Kind::kVanish, fault.lasts);
    case Kind::kDrain:
      if (places_[fault.host].host == nullptr) return;
      places_[fault.host].host->Drain(fault.lasts);
      return At(fault.at + fault.lasts, [this, place = fault.host] {
        // Perhaps it crashed meanwhile, and there is another one.
        if (!healed_) Crash(place, false, absl::ZeroDuration());
      });
    case Kind::kReplay:
      return stranger_.Replay(around_.scheduler->Now() + absl::Seconds(5));
  }
}

void World::DoInProcess(const PlannedFault& fault) {
  using Fault = InProcessNetwork::Fault;
  const std::string& address = places_[fault.other].address;
  if (places_[fault.other].host == nullptr) return;
  around_.in_process.SetFault(
      address,
      fault.both ? Fault::kRefuse : (fault.way.loss > 0 ? Fault::kLoseReply : Fault::kStall));
  At(fault.at + fault.lasts, [this, address, place = fault.other] {
    if (places_[place].host != nullptr) around_.in_process.SetFault(address, Fault::kNone);
  });
}

void World::ChangeWay(const PlannedFault& fault) {
  const std::string& from = places_[fault.host].address;
  const std::string& to = places_[fault.other].address;
  const auto set = [this, from, to, both = fault.both](const SimulatedWay& way) {
    around_.network.SetWay(from, to, way);
    if (both) around_.network.SetWay(to, from, way);
  };
  set(fault.way);
  At(fault.at + fault.lasts, [this, set] {
    if (!healed_) set(plan_.way);
  });
}

void World::Crash(size_t place, bool silently, absl::Duration lasts) {
  std::unique_ptr<Host>& host = places_[place].host;
  if (host == nullptr) return;
  host->Crash(silently);
  ghosts_.push_back(std::move(host));
  around_.scheduler->At(around_.scheduler->Now() + lasts, [this, place] { Restart(place); });
}

void World::Restart(size_t place) {
  if (places_[place].host != nullptr) return;
  // Who takes a place in process waits for whoever answers there, perhaps in this very moment.
  if (plan_.wire == Wire::kInProcess && around_.responders > 0) {
    around_.scheduler->At(around_.scheduler->Now() + absl::Milliseconds(10),
                          [this, place] { Restart(place); });
    return;
  }
  Occupy(places_[place]);
}

void World::Heal() {
  healed_ = true;
  around_.calm = true;
  around_.network.SetWays({.delay = plan_.way.delay});
  for (Place& place : places_) {
    if (place.host != nullptr && place.host->drained()) {
      place.host->Crash(false);
      ghosts_.push_back(std::move(place.host));
    }
    if (place.host == nullptr) Occupy(place);
    if (plan_.wire == Wire::kInProcess) {
      around_.in_process.SetFault(place.address, InProcessNetwork::Fault::kNone);
    }
  }
}

bool World::CanReach(const Place& from, size_t pod) const {
  if (plan_.impostor == pod && plan_.impostor_listed) return false;
  return !plan_.pods[pod].dials_only || (healed_ && !plan_.pods[from.pod].dials_only);
}

// Hosts read from other pods: every one from every one, where those are few, else some of them.
void World::Probe() {
  std::vector<std::pair<Host*, std::string>> ways;
  for (const Place& place : places_) {
    for (size_t pod = 0; pod < plan_.pods.size(); ++pod) {
      if (pod == place.pod || !CanReach(place, pod)) continue;
      ways.emplace_back(place.host.get(), plan_.pods[pod].id);
    }
  }
  const size_t step = 1 + ways.size() / kMostProbes;
  for (size_t i = plan_.seed % step; i < ways.size(); i += step) {
    calls_.Probe(*ways[i].first, ways[i].second);
  }
}

void World::RunFor(absl::Duration duration) {
  bool over = false;
  around_.scheduler->At(around_.scheduler->Now() + duration, [&over] { over = true; });
  for (size_t events = 0; !over; ++events) {
    if (events > kMostEvents) {
      around_.ledger.problems.emplace_back("it does not come to rest");
      return;
    }
    around_.scheduler->RunNext();
  }
}

void World::CheckQuiet() {
  std::vector<std::string>& problems = around_.ledger.problems;
  const auto add = [&](Host& host) {
    for (std::string& line : host.InFlight()) problems.push_back("at the end " + line);
  };
  for (Place& place : places_) add(*place.host);
  for (const auto& ghost : ghosts_) add(*ghost);
  if (impostor_ != nullptr) add(*impostor_);
  if (const size_t requests = around_.network.requests(); requests > 0) {
    problems.push_back(fmt::format("at the end {} requests are under way", requests));
  }
  calls_.CheckForgotten();
}

void World::CheckGone() {
  std::vector<Host*> all;
  for (Place& place : places_) all.push_back(place.host.get());
  if (impostor_ != nullptr) all.push_back(impostor_.get());
  for (Host* host : all) host->Stop();
  stranger_.Stop();
  // A timer may be as far away as the longest grace.
  RunFor(kRecovery);
  std::vector<std::string>& problems = around_.ledger.problems;
  if (const size_t streams = around_.network.streams(); streams > 0) {
    problems.push_back(fmt::format("{} streams are left when all hosts have stopped", streams));
  }
  if (const size_t timers = around_.scheduler->pending(); timers > 0) {
    problems.push_back(fmt::format("{} timers are left when all hosts have stopped", timers));
  }
}

Result World::Run() {
  PlanAll();
  RunFor(plan_.length);
  Heal();
  RunFor(kRecovery);
  Probe();
  RunFor(kLongestCall);
  CheckQuiet();
  CheckGone();
  Result result;
  // To connect, and there; and a little.
  const absl::Duration stop_takes =
      3 * (plan_.way.delay + plan_.way.jitter) + absl::Milliseconds(10);
  // With requests, the host of a call that cannot be cancelled is not told.
  const bool all_told = plan_.calm && plan_.wire == Wire::kLinks;
  result.problems =
      Judge(around_.ledger, {.stop_takes = plan_.calm ? stop_takes : absl::InfiniteDuration(),
                             .end_takes = all_told ? stop_takes : absl::InfiniteDuration()});
  result.problems.insert(result.problems.end(), around_.ledger.problems.begin(),
                         around_.ledger.problems.end());
  result.sum = around_.log.sum();
  result.events = around_.log.events();
  result.calls = around_.ledger.calls.size();
  result.executions = around_.ledger.executions.size();
  result.lines = around_.log.lines();
  return result;
}

}  // namespace

Result RunSchedule(uint64_t seed, bool keeps_text) {
  const Plan plan = PlanOf(seed);
  // A conduit with a call that never ends would wait for it for ever: it is let go of.
  auto world = std::make_unique<World>(plan, keeps_text);
  Result result = world->Run();
  if (!result.problems.empty()) static_cast<void>(world.release());
  return result;
}

}  // namespace podkit::conduit::simulation
