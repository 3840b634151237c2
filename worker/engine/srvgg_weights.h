// The numbers of the SRVGG-class test networks, which every library's writer puts into its own
// format: the same program writes the same weights everywhere. Functions without state.

#ifndef TILEWRIGHT_WORKER_ENGINE_SRVGG_WEIGHTS_H_
#define TILEWRIGHT_WORKER_ENGINE_SRVGG_WEIGHTS_H_

#include <cstdint>
#include <vector>

namespace tilewright {

inline constexpr float kSrvggSlope = 0.25f;  // of the PReLU after each convolution but the last
inline constexpr int64_t kSrvggScale = 4;

// 3×3, zero padding 1.
struct Convolution {
  int64_t in = 0;             // channels
  int64_t out = 0;            // channels
  std::vector<float> weight;  // out, in, 3, 3
  std::vector<float> bias;    // out
};

// 3 → 64, `body` times 64 → 64, 64 → 48; He's initialisation, which keeps the energy of the signal
// from layer to layer, so that the whole radius is felt. The output is the last convolution's,
// scaled (see SrvggFactor), plus the input repeated 16 times, shuffled to four times the size.
std::vector<Convolution> SrvggWeights(int body, uint64_t seed);

// A picture of noise, 1 × 3 × kSrvggNoiseSide × kSrvggNoiseSide, to measure the residual on.
inline constexpr int64_t kSrvggNoiseSide = 48;
std::vector<float> SrvggNoise(uint64_t seed);

// What the last convolution is multiplied with for a residual of about 0.1, if unscaled it was
// `rms`: two digits, so that no machine's rounding shows.
double SrvggFactor(double rms);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_SRVGG_WEIGHTS_H_
