#include "worker/engine/srvgg_weights.h"

#include <cmath>
#include <cstddef>

#include "proto/wire/noise.h"

namespace tilewright {
namespace {

// Normal deviates by adding twelve uniform ones: plain sums, so the same bits everywhere.
class Deviates {
 public:
  explicit Deviates(uint64_t seed) : random_(seed) {}
  std::vector<float> Next(int64_t count, double deviation) {
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) {
      double sum = -6;
      for (int k = 0; k < 12; ++k) sum += static_cast<double>(random_.Next() >> 11) * 0x1p-53;
      values.push_back(static_cast<float>(sum * deviation));
    }
    return values;
  }

 private:
  SplitMix64 random_;
};

}  // namespace

std::vector<Convolution> SrvggWeights(int body, uint64_t seed) {
  constexpr int64_t kFeatures = 64;
  Deviates random(seed);
  std::vector<Convolution> layers;
  for (int i = 0; i <= body + 1; ++i) {
    Convolution layer;
    layer.in = i == 0 ? 3 : kFeatures;
    layer.out = i == body + 1 ? 3 * kSrvggScale * kSrvggScale : kFeatures;
    const double slope = kSrvggSlope;
    const double gain = std::sqrt(2.0 / (1.0 + slope * slope));
    const double deviation = gain / std::sqrt(static_cast<double>(9 * layer.in));
    layer.weight = random.Next(layer.out * layer.in * 9, deviation);
    layer.bias = random.Next(layer.out, 0.01);
    layers.push_back(layer);
  }
  return layers;
}

std::vector<float> SrvggNoise(uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < 3 * kSrvggNoiseSide * kSrvggNoiseSide; ++i) {
    values.push_back(static_cast<float>(random.Next() % 256) / 255.0f);
  }
  return values;
}

double SrvggFactor(double rms) { return std::round(10.0 / rms) / 100; }

}  // namespace tilewright
