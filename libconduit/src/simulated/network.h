// What the parts of a SimulatedNetwork share: its hosts, ways, randomness and clock.
//
// For one thread. Work that waits for the clock holds it weakly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "hosts/random.h"
#include "podkit/conduit/testing/simulated_network.h"

namespace podkit::conduit::internal {

class SimulatedConnection;

class SimulatedState : public std::enable_shared_from_this<SimulatedState> {
 public:
  using Way = testing::SimulatedWay;
  using Host = testing::SimulatedHost;

  SimulatedState(testing::ManualScheduler* scheduler, uint64_t seed)
      : scheduler_(scheduler), random_(seed) {}

  absl::Time Now() const { return scheduler_->Now(); }
  // Runs `work` then, unless the network is gone.
  uint64_t After(absl::Duration wait, std::function<void()> work);
  void Forget(uint64_t id) { scheduler_->Cancel(id); }
  // Runs `work` while `owner` lives.
  template <typename Owner>
  uint64_t After(absl::Duration wait, const std::weak_ptr<Owner>& owner,
                 std::function<void(Owner&)> work) {
    return After(wait, [owner, work = std::move(work)] {
      if (const auto alive = owner.lock()) work(*alive);
    });
  }

  const Way& WayOf(std::string_view from, std::string_view to) const;
  bool Blocked(std::string_view from, std::string_view to) const { return WayOf(from, to).blocked; }
  // Neither way lets anything through, or one does not: no connection is made.
  bool Apart(std::string_view one, std::string_view other) const {
    return Blocked(one, other) || Blocked(other, one);
  }
  absl::Duration Travel(std::string_view from, std::string_view to);
  absl::Duration RoundTrip(std::string_view from, std::string_view to) {
    return Travel(from, to) + Travel(to, from);
  }

  bool Happens(double probability) { return probability > 0 && random_.Unit() < probability; }
  size_t Below(size_t n) { return random_.Below(n); }
  // Up to `most`.
  absl::Duration UpTo(absl::Duration most) { return most * random_.Unit(); }
  void Damage(std::string* bytes);

  // Null if nothing runs there. Keep it while it is called: it may be stopped meanwhile.
  std::shared_ptr<const Host> HostAt(std::string_view address) const;

  void Tell(std::string_view what, std::string_view from, std::string_view to, size_t bytes = 0);

  void Add(std::shared_ptr<SimulatedConnection> connection);
  void Remove(const SimulatedConnection* connection);
  // Those of which one end is there.
  std::vector<std::shared_ptr<SimulatedConnection>> ConnectionsOf(std::string_view address) const;

  std::map<std::string, std::shared_ptr<const Host>, std::less<>> hosts;
  Way everywhere;
  std::map<std::string, std::map<std::string, Way, std::less<>>, std::less<>> ways;  // From, to.
  std::function<void(const testing::SimulatedEvent&)> tap;
  std::vector<std::shared_ptr<SimulatedConnection>> connections;
  size_t requests = 0;

 private:
  testing::ManualScheduler* const scheduler_;
  Random random_;
};

std::unique_ptr<Transport> MakeSimulatedRequests(std::shared_ptr<SimulatedState> network,
                                                 std::string from);
std::shared_ptr<StreamDialer> MakeSimulatedDialer(std::shared_ptr<SimulatedState> network,
                                                  std::string from);

}  // namespace podkit::conduit::internal
