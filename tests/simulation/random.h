// Random draws that are the same with every compiler and library: the distributions of the standard
// library are not. Not thread-safe; pure.

#ifndef TILEWRIGHT_TESTS_SIMULATION_RANDOM_H_
#define TILEWRIGHT_TESTS_SIMULATION_RANDOM_H_

#include <cstdint>

#include "absl/time/time.h"

namespace tilewright::simulation {

// SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // In [0, n). Requires n > 0. The bias of the remainder is far below what a run can notice.
  int64_t Below(int64_t n) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(n)); }
  // In [low, high].
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }
  // In [0, 1).
  double Real() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  double Real(double low, double high) { return low + (high - low) * Real(); }
  bool Chance(double probability) { return Real() < probability; }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return low + (high - low) * Real();
  }
  // From `base` up to base × 2^octaves, each octave as likely as the others: small values are as
  // common as great ones. Products only, so that every machine draws the same bits.
  double Spread(double base, int octaves) {
    for (int64_t k = Below(octaves); k > 0; --k) base *= 2;
    return base * (1 + Real());
  }
  absl::Duration Spread(absl::Duration base, int octaves) { return base * Spread(1.0, octaves); }
  // A generator of its own for one source of chance, so that switching off another one does not
  // change what this one draws.
  static Random For(uint64_t seed, uint64_t source) {
    Random mix(seed * 0x2545f4914f6cdd1dull + source);
    return Random(mix.Next());
  }

 private:
  uint64_t state_;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_RANDOM_H_
