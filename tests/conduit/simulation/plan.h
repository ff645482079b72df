// What happens in one schedule of the simulation, all of it decided by a seed: which pods there
// are, how they reach each other, whom they call for what, and what goes wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "commands.h"
#include "podkit/conduit/balance.h"
#include "podkit/conduit/testing/simulated_network.h"

namespace podkit::conduit::simulation {

enum class Wire { kLinks, kRequests, kMixed, kInProcess };

enum class Kind { kPeek, kRead, kSet, kWrite, kKeep, kKeepWell };

struct PodPlan {
  std::string id;
  size_t hosts = 1;
  bool dials_only = false;  // The others do not know its address.
};

struct PlannedCall {
  absl::Duration at;
  size_t host = 0;  // Which one calls, of all.
  size_t pod = 0;   // Which one is called.
  Kind kind = Kind::kRead;
  How how = How::kOk;
  absl::Duration takes;
  size_t bytes = 0;  // Of the payload, both ways.
  absl::Duration timeout;
  absl::Duration cancel_after = absl::InfiniteDuration();
  int max_attempts = 3;
  bool with_key = false;
  std::optional<size_t> repeats;  // An earlier call: the same operation and key again.
  size_t fan_out = 0;             // A gather of so many calls; and it ends after so many successes.
  size_t first = 0;
  size_t batch = 0;      // So many calls in one batch, of this kind and those behind it.
  size_t batch_how = 0;  // The first of them whose responder ends as `how` says.
  bool chained = false;  // Each but the first uses the answer of the one before it.
};

struct PlannedFault {
  enum class Kind {
    kWay,        // One direction between two hosts is as `way` says,
    kPartition,  // or blocked, or both are; for `lasts`.
    kCut,        // Their streams break.
    kCrash,      // A host forgets everything, and is back after `lasts`.
    kVanish,     // The same, and nobody is told.
    kDrain,      // A host takes no more calls over links; after `lasts` it is another one.
    kReplay,     // A stranger sends again what he saw.
  };
  absl::Duration at;
  Kind kind = Kind::kCut;
  size_t host = 0;
  size_t other = 0;
  bool both = false;
  absl::Duration lasts;
  testing::SimulatedWay way;
};

struct Plan {
  uint64_t seed = 0;
  Wire wire = Wire::kLinks;
  std::vector<PodPlan> pods;
  bool calm = false;  // Nothing goes wrong, and so nothing may fail.
  bool meet_hosts = true;
  bool connect_all = false;
  Balance balance = Balance::kLeastLoaded;
  double refuses = 0;  // So often a host has no thread left for a call.
  testing::SimulatedWay way;
  std::optional<size_t> impostor;  // Somebody without keys claims to be this pod,
  bool impostor_listed = false;    // and the others believe that he is one of its hosts.
  absl::Duration length;
  std::vector<PlannedCall> calls;
  std::vector<PlannedFault> faults;

  size_t hosts() const {
    size_t all = 0;
    for (const PodPlan& pod : pods) all += pod.hosts;
    return all;
  }
};

Plan PlanOf(uint64_t seed);

}  // namespace podkit::conduit::simulation
