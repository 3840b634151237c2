// A test network's folder and manifest in a model repository; the writers of each library add the
// network. Functions without state.

#ifndef TILEWRIGHT_WORKER_ENGINE_TESTNET_PACKAGE_H_
#define TILEWRIGHT_WORKER_ENGINE_TESTNET_PACKAGE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tilewright {

struct TestnetPackage {
  std::string name;
  std::string description;
  int scale = 1;
  int reduction = 1;  // divides: the output has 1 / reduction of the input's pixels a side
  int halo = 0;
  int channels = 3;
  int channels_out = 0;  // 0: as many
  int tile = 128;
  double flops = 0;         // per input pixel
  bool labels = false;      // the output is numbers that stand for classes: cut, not blended
  bool logits = false;      // the output is decided when it is written
  std::string beside = {};  // what it takes beside the image: "mask", "previous"; empty: nothing
  int channels_beside = 0;
};

// An SRVGG-class upscaler with `body` body convolutions; `suffix` ends its name.
TestnetPackage SrvggPackage(int body, const std::string& suffix);
// A pixel changes the output `radius` pixels away diagonally by 1/8. INVALID_ARGUMENT for a radius
// outside 1 … 256.
absl::StatusOr<TestnetPackage> ReachPackage(int radius, const std::string& suffix);

// image (1 - mask) + mean of 5 × 5 pixels of the image × mask, in three channels.
TestnetPackage FillMaskedPackage(const std::string& suffix);
// 0.6 image + 0.4 previous, in three channels: no step of 8 bits lies half-way between two.
TestnetPackage MixPreviousPackage(const std::string& suffix);

// Makes root/name/1, replacing its manifest: engine, entry, and fp32, fp16 and bf16 where `halves`.
// Returns the folder. UNAVAILABLE naming the file that could not be written.
absl::StatusOr<std::string> WritePackage(const std::string& root, const TestnetPackage& package,
                                         const std::string& engine, const std::string& entry,
                                         bool halves);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TESTNET_PACKAGE_H_
