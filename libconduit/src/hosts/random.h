// Random numbers from a seed: the same seed gives the same numbers on every machine.
//
// SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, so that every call can have its own.
// Not for secrets. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>

namespace podkit::conduit::internal {

// Spreads the bits of `x` over the whole word.
constexpr uint64_t MixBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() { return MixBits(state_ += 0x9e3779b97f4a7c15); }

  // In [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  // In [0, n). Requires n > 0; the bias is below n / 2^53.
  size_t Below(size_t n) { return static_cast<size_t>(Unit() * static_cast<double>(n)); }

 private:
  uint64_t state_;
};

}  // namespace podkit::conduit::internal
