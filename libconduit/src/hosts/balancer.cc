#include "hosts/balancer.h"

#include <algorithm>
#include <cmath>

namespace podkit::conduit::internal {
namespace {

// Dearer than any latency times any number of calls.
constexpr double kUnknownCost = 1e9;

// Seconds. So that calls in flight count also where answers take no time that could be measured.
constexpr double kLeastLatency = 1e-6;

// FNV-1a.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash;
}

size_t OfKey(std::span<const Candidate> candidates, std::string_view key) {
  const uint64_t key_hash = Hash(key);
  size_t best = 0;
  uint64_t best_weight = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const uint64_t weight = MixBits(key_hash ^ MixBits(Hash(candidates[i].host)));
    if (i == 0 || weight > best_weight) {
      best = i;
      best_weight = weight;
    }
  }
  return best;
}

size_t OfTwo(std::span<const Candidate> candidates, Random& random) {
  const size_t first = random.Below(candidates.size());
  size_t second = random.Below(candidates.size() - 1);
  if (second >= first) ++second;
  return candidates[second].cost < candidates[first].cost ? second : first;
}

}  // namespace

void HostLoad::Answered(absl::Duration latency, absl::Time now) {
  const double heard = std::max(absl::ToDoubleSeconds(latency), 0.0);
  const double elapsed = absl::ToDoubleSeconds(now - at_);
  const double weight =
      answered_ ? std::exp(-std::max(elapsed, 0.0) / absl::ToDoubleSeconds(decay_)) : 0;
  seconds_ = std::max(heard, seconds_ * weight + heard * (1 - weight));
  at_ = now;
  answered_ = true;
}

void HostLoad::Failed(absl::Duration took, absl::Time now) {
  if (took > latency(now)) Answered(took, now);
}

absl::Duration HostLoad::latency(absl::Time now) const {
  if (!answered_) return absl::ZeroDuration();
  return absl::Seconds(seconds_) *
         std::exp(-std::max(absl::ToDoubleSeconds(now - at_), 0.0) / absl::ToDoubleSeconds(decay_));
}

double HostLoad::Cost(absl::Time now) const {
  const auto calls = static_cast<double>(in_flight_);
  if (!answered_) return in_flight_ == 0 ? 0 : kUnknownCost + calls;
  return std::max(absl::ToDoubleSeconds(latency(now)), kLeastLatency) * (calls + 1);
}

size_t Choose(Balance balance, std::span<const Candidate> candidates, std::string_view key,
              Random& random) {
  if (candidates.size() == 1) return 0;
  switch (balance) {
    case Balance::kByKey:
      return OfKey(candidates, key);
    case Balance::kRandom:
      return random.Below(candidates.size());
    case Balance::kLeastLoaded:
      break;
  }
  return OfTwo(candidates, random);
}

}  // namespace podkit::conduit::internal
